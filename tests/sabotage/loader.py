"""Import one module with a mutation in it, and everything else as it is shipped.

Nothing is written: the changed source lives in memory alone, and no bytecode of it is kept.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

from tests.sabotage.mutation import Mutation

__all__ = ["MutatingFinder", "install"]


class _MutatedLoader(importlib.machinery.SourceFileLoader):
    """Loads a source file with a change in it, never from a cache."""

    def __init__(self, fullname: str, path: str, mutation: Mutation) -> None:
        super().__init__(fullname, path)
        self._mutation = mutation

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode("utf-8")
        return compile(self._mutation.apply(source), self.path, "exec", dont_inherit=True)


class MutatingFinder:
    """Finds the one module of a mutation; every other is found by those that come after it.

    Attributes:
        loaded: whether the module was imported.
    """

    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation
        self.loaded = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The shipped module's place, with a loader that changes its source."""
        if fullname != self._mutation.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        self.loaded = True
        spec.loader = _MutatedLoader(fullname, spec.origin, self._mutation)
        spec.cached = None
        return spec


def install(mutation: Mutation) -> MutatingFinder:
    """Have a mutation in force for the rest of this process; to be called before its module is imported.

    Raises:
        RuntimeError: the module was imported before.
    """
    if mutation.module in sys.modules:
        raise RuntimeError(f"{mutation.module} was imported before its mutation {mutation.name!r} was installed")
    finder = MutatingFinder(mutation)
    sys.meta_path.insert(0, finder)
    return finder
