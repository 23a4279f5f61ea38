"""A task graph: futures as arguments are dependencies; priorities, retries with back-off, and progress as events.

Run it: python examples/pipeline.py
"""

from __future__ import annotations

from collections import Counter

from actors import ActorSystem, Backoff, Priority, TaskProgressed, TaskRetried, Worker, task

TEXTS = {
    "raven": "Once upon a midnight dreary while I pondered weak and weary",
    "tyger": "Tyger Tyger burning bright in the forests of the night",
    "spring": "Nothing is so beautiful as spring when weeds in wheels shoot long and lovely and lush",
}


class Library(Worker):
    # Only these exceptions are worth another try; all others fail the task at once.
    @task(retries=3, retry_on=ConnectionError, backoff=Backoff(first=0.01, limit=0.1))
    def fetch(self, title: str) -> str:
        if self.attempt == 1:
            raise ConnectionError(f"no answer for {title}")
        return TEXTS[title]


class Counting(Worker):
    @task
    def count(self, text: str) -> Counter[int]:
        words = text.lower().split()
        self.progress(0.5, f"{len(words)} words")
        return Counter(len(word) for word in words)

    @task
    def merge(self, counts: list[Counter[int]]) -> dict[int, int]:
        total: Counter[int] = sum(counts, Counter())
        return dict(sorted(total.items()))


if __name__ == "__main__":
    with ActorSystem({Library: 1, Counting: 2}) as system, system.events(TaskRetried, TaskProgressed) as events:
        fetched = [system.submit(Library.fetch, title) for title in TEXTS]
        # Each count runs as soon as its own text is there, and the merge when all counts are. Nothing waits in here.
        counted = [system.submit(Counting.count, text) for text in fetched]
        merged = system.options(priority=Priority.HIGH).submit(Counting.merge, counted)
        # Not for its result, only for the order: it starts when the merge is done.
        last = system.options(after=[merged]).submit(print, "printed by an agent, after the merge")

        print("words by length:", merged.result(timeout=60))
        last.result(timeout=60)

        for _ in range(2 * len(TEXTS)):
            match events.get(timeout=60):
                case TaskRetried() as event:
                    print(f"retried: {event.name} ({event.error})")
                case TaskProgressed() as event:
                    print(f"progress: {event.name} {event.fraction:.0%} {event.note}")
