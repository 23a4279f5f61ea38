"""Measures this library side by side with the pools that people would use instead: `python -m benchmarks`."""
