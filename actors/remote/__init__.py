"""Actors in other processes: references that travel, and the connections between processes that carry them."""
