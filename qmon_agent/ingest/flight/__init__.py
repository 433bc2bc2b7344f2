"""Taking over the flight rings of processes that died, and telling what they died of."""
