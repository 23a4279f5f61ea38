"""Locks, barriers, flags and values, as plain data: requests, deaths and time go in, grants and errors come out."""
