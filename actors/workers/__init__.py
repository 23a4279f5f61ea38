"""The workers that ship with the library."""
