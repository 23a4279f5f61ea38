"""The command `actors`."""

from actors.cli.command import main

__all__ = ["main"]
