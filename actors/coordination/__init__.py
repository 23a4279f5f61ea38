"""Coordination: strategies that compose tasks."""
