"""A crawler: each page is a task that hands in the pages it links to, and an agent remembers which are known.

The pages are files that link to each other in circles. A task claims what its page links to from the index, an agent
that it asks by a ref among its arguments; what nobody had claimed becomes a sub-task. While a task waits for these, it
holds no agent, so two are enough for any depth.

Run it: python examples/crawler.py
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from actors import ActorSystem, AgentRef, Worker, handles, task


@dataclass(frozen=True)
class Claim:
    """Asks which of these pages nobody has taken yet, and takes them."""

    pages: tuple[str, ...]


@dataclass(frozen=True)
class Visit:
    """What was found on a page and below it."""

    pages: int
    words: int


class Index(Worker):
    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asked = 0

    @handles(Claim)
    def claim(self, message: Claim) -> list[str]:
        self.asked += len(message.pages)
        new = [page for page in dict.fromkeys(message.pages) if page not in self.known]
        self.known.update(new)
        return new

    @handles(str)
    def report(self, message: str) -> str:
        return f"{message}: {self.asked} links seen, {len(self.known)} pages known"


class Crawler(Worker):
    @task
    def visit(self, page: str, index: AgentRef) -> Visit:
        text = Path(page).read_text(encoding="utf-8")
        links = tuple(str(Path(page).parent / link) for link in re.findall(r'href="([^"]+)"', text))
        new = index.ask(Claim(links))
        pages, words = 1, len(re.sub(r"<[^>]*>", " ", text).split())
        for below in self.as_completed([self.submit(Crawler.visit, link, index) for link in new]):
            found = below.result()
            pages, words = pages + found.pages, words + found.words
        return Visit(pages, words)


def write_pages(folder: Path, count: int) -> str:
    """Pages that link to two further ones each, to one before them, and to themselves."""
    for number in range(count):
        links = [number, number // 3, 2 * number + 1, 2 * number + 2]
        anchors = "".join(f'<a href="{link}.html">page {link}</a>\n' for link in links if link < count)
        (folder / f"{number}.html").write_text(f"<p>This is page {number}.</p>\n{anchors}", encoding="utf-8")
    return str(folder / "0.html")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, ActorSystem({Crawler: 2}, max_agents=3) as system:
        first = write_pages(Path(name), 100)
        index = system.spawn(Index)
        index.ask(Claim((first,)))
        found = system.submit(Crawler.visit, first, index).result(timeout=60)
        print(f"visited {found.pages} pages with {found.words} words")
        print(index.ask("index"))
