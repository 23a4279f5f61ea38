"""What a program of the campaign does with named resources."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from actors.errors import ConfigError
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.porter import twice
from actors.testing.campaign.workers import Clerk, Runner

__all__ = ["THERE_IS", "Rationing"]

THERE_IS: Mapping[str, float] = MappingProxyType({"gpu": 1, "licence": 3})
"""The resources of the campaign's systems."""

_AMOUNTS: tuple[dict[str, float], ...] = (
    {"gpu": 1},
    {"gpu": 0.5},
    {"licence": 1},
    {"licence": 2},
    {"gpu": 1, "licence": 3},
)


class Rationing(Part):
    """Tasks that need what there is little of."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        self.gentle = (self._short, self._long, self._lend, self._refused)

    def _amounts(self) -> dict[str, float]:
        return _AMOUNTS[self._choices.below(len(_AMOUNTS), "resources")]

    def _short(self) -> None:
        """Some that take no time, of two types."""
        for _ in range(1 + self._choices.below(4, "count")):
            number = self._program.number()
            self._program.submit(Clerk.add, number, 1, value=number + 1, resources=self._amounts())
            number = self._program.number()
            self._program.submit(Runner.fetch, number, 0.01, value=number, resources=self._amounts())

    def _long(self) -> None:
        """Some that others have to wait for, one of which may be cancelled."""
        futures = []
        for _ in range(2 + self._choices.below(2, "count")):
            number = self._program.number()
            seconds = 0.3 * self._choices.below(5, "seconds")
            futures.append(self._program.submit(Clerk.slow, number, seconds, value=number, resources=self._amounts()))
        if self._choices.below(2, "cancel") == 0:
            self._sim.run(0.1)
            futures[self._choices.below(len(futures), "which")].cancel("it is not wanted")

    def _lend(self) -> None:
        """One that waits for others which need the same, or what yet another one holds."""
        for _ in range(1 + self._choices.below(2, "count")):
            first, second = list(self._amounts().items()), list(self._amounts().items())
            width = 1 + self._choices.below(3, "width")
            self._program.submit(Clerk.lend, width, first, second, value=width, resources=self._amounts())

    def _refused(self) -> None:
        """More than there is, and what there is not."""
        needs = ({"gpu": 2}, {"fpga": 1})[self._choices.below(2, "refused")]
        try:
            self._program.submit(twice, 1, resources=needs)
        except ConfigError:
            return
        self._sim.break_promise("WhatThereIsNotIsRefused", "E4", f"a task that needs {needs} was handed in")
