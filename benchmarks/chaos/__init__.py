"""Runs a mix of work on real processes while all kinds of faults hit them, and checks the promises: `python -m benchmarks.chaos`."""
