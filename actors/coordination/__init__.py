"""What tasks and the program use to work together: strategies that compose tasks; locks, barriers, flags, shared values."""
