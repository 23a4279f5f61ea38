"""The extra that the testing kit needs."""

from __future__ import annotations

from actors.errors import ConfigError

__all__ = ["hypothesis_missing"]


def hypothesis_missing(what: str) -> ConfigError:
    """The error for who uses `what` ("the state machines need", say) where hypothesis is not installed."""
    message = f"{what} hypothesis, which is not installed: pip install 'actors-hub[testing]'"
    return ConfigError(message, key="testing", allowed="actors-hub[testing]")
