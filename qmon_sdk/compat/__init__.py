"""The verbs of other libraries, spoken by qmon: to move without rewriting."""
