"""What tasks and the program use to work together: locks, barriers, flags and shared values."""
