"""The pieces of work, each a function of the peer's name and a number of tasks, run in a program of its own."""
