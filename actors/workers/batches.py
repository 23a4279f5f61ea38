"""Files in batches of sensible size: each long enough to be worth a task, and short enough to share out evenly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["BATCH_BYTES", "BATCH_FILES", "Batch", "split"]

BATCH_BYTES = 256 * 1024
"""What the analysis takes about 0.2 s for."""

BATCH_FILES = 100
"""More files than this never make one batch, so that progress is told often and little is lost with an agent."""

# Opening and reporting a file costs what this many bytes of it cost, however small it is.
_FILE_COST = 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files that make one task.

    Args:
        paths: one or more, in the order in which they came.
        cost: what they take together, in bytes; for sorting and for shares of progress.
    """

    paths: tuple[str, ...]
    cost: int


def split(
    paths: Sequence[str], sizes: Iterable[int], *, batch_bytes: int = BATCH_BYTES, batch_files: int = BATCH_FILES
) -> list[Batch]:
    """Split files into batches.

    Neighbours stay together, a large file is a batch of its own, and each file is in exactly one batch. To split a
    batch again gives the same batch.

    Args:
        paths: the files.
        sizes: bytes of each, in the same order.
        batch_bytes: a batch has at most so many, unless it is a single file; 1 or more.
        batch_files: the most files in a batch; 1 or more.

    Returns:
        The batches, the most expensive first: begun in this order, they end at about the same time on all agents.

    Raises:
        ValueError: there are not as many sizes as paths, one is negative, or a bound is below 1.
    """
    if batch_bytes < 1 or batch_files < 1:
        message = f"batch_bytes and batch_files: expected 1 or more, got {batch_bytes} and {batch_files}"
        raise ValueError(message)
    batches: list[Batch] = []
    held: list[str] = []
    total = 0
    for path, size in zip(paths, sizes, strict=True):
        if size < 0:
            message = f"the size of {path!r}: expected 0 or more, got {size}"
            raise ValueError(message)
        cost = size + _FILE_COST
        if cost > batch_bytes:
            # Its neighbours go on without it: they would wait for it.
            batches.append(Batch((path,), cost))
            continue
        if held and (total + cost > batch_bytes or len(held) == batch_files):
            batches.append(Batch(tuple(held), total))
            held, total = [], 0
        held.append(path)
        total += cost
    if held:
        batches.append(Batch(tuple(held), total))
    return sorted(batches, key=lambda batch: (-batch.cost, batch.paths))
