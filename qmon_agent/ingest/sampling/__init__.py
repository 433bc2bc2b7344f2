"""Which traces are kept: pure rules, told the time, that remember no more than a bound."""
