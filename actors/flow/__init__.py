"""Workflows in files: tasks, what they depend on, and what they take from each other's results."""
