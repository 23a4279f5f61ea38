"""Measures tell and ask beside other actor libraries: `python -m benchmarks.messages`."""
