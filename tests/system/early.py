"""A worker's module that looks, before it imports anything, at what its agent's process has already."""

from __future__ import annotations

import sys

THERE = "actors.system" in sys.modules
LOOP_THERE = "asyncio" in sys.modules

from actors import Worker, task  # noqa: E402 - what is looked for must not be imported before


class Early(Worker):
    """Tells what was there."""

    @task
    def there(self) -> bool:
        """Whether the library was there before this module."""
        return THERE


class EarlyLoop(Worker):
    """Tells whether what runs coroutines was there."""

    @task
    async def there(self) -> bool:
        """Whether asyncio was there before this module."""
        return LOOP_THERE
