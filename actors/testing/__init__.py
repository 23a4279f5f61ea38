"""The testing kit: the whole system in virtual time, and what tests of workers need."""
