"""Words counted by map_reduce: there is more text than one agent may have in memory, and the program reads none of it.

The text is the source of Python's own library. Agents count file by file and merge the counts as a tree; only the last
result comes here.

Run it: python examples/word_count.py
"""

from __future__ import annotations

import os
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from actors import ActorSystem, Limits, Worker, task

MEMORY = 24 << 20


class Counting(Worker):
    # An agent that took more would be ended.
    limits = Limits(memory=MEMORY)

    @task
    def count(self, path: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        with open(path, encoding="utf-8", errors="replace") as text:
            for line in text:
                counts.update(word for word in line.split() if word.isalpha())
        return counts

    @task
    def merge(self, counts: list[Counter[str]]) -> Counter[str]:
        total: Counter[str] = Counter()
        for each in counts:
            total.update(each)
        # Rare words cost memory in every merge, and cannot become frequent any more.
        return Counter(dict(total.most_common(5000)))


class Text:
    """The paths of all files of a folder, again if need be, until there is more text than memory."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        while self.size <= MEMORY:
            for folder, folders, names in os.walk(self.folder):
                # What others have installed there is none of Python's own.
                folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
                for path in (Path(folder, name) for name in names if name.endswith(".py")):
                    self.size += path.stat().st_size
                    yield str(path)


if __name__ == "__main__":
    text = Text(sysconfig.get_paths()["stdlib"])
    with ActorSystem({Counting: 2}) as system:
        # A merge has the counts of 4 times 4 files in memory.
        words = system.map_reduce(Counting.count, text, Counting.merge, chunksize=4, fan_in=4).result()
    print("more text than memory:", text.size > MEMORY)
    print("frequent:", sorted(word for word, _ in words.most_common(5)))
