"""Seeded random histories of the whole system, to look for the one that breaks a promise."""
