"""What decides, and nothing that waits, forks, reads a clock or touches a file."""
