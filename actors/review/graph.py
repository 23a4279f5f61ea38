"""The dependencies between the files of a tree, and where they go in circles."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from actors.analysis.filereport import FileReport
from actors.review.codereport import Cycle, Edge, Graph
from actors.review.resolve import RESOLVED, Resolver

__all__ = ["build_graph", "strongly_connected"]

_OUTSIDE = 60
_RANK = {"load": 0, "call": 1, "typing": 2}
_WHEN: tuple[Literal["load", "call", "typing"], ...] = ("load", "call", "typing")


def build_graph(reports: Sequence[FileReport], package: str = "") -> Graph:
    """Resolve the imports of all files to files of the tree.

    Args:
        reports: of the whole tree, each path once.
        package: the dotted name of the Python package that the root of the tree itself is; empty if it is none.
    """
    resolver = Resolver(reports, package)
    ranks: dict[tuple[str, str], int] = {}
    outside: Counter[str] = Counter()
    for report in reports:
        foreign = set()
        for one in report.imports:
            targets, unknown = resolver.targets(report, one)
            if unknown:
                foreign.add(unknown)
            for target in targets:
                if target != report.path:
                    key = (report.path, target)
                    ranks[key] = min(ranks.get(key, 2), _RANK[one.when])
        outside.update(foreign)
    edges = tuple(Edge(source, target, _WHEN[rank]) for (source, target), rank in sorted(ranks.items()))
    return Graph(
        edges=edges,
        cycles=_cycles(edges),
        outside=tuple(sorted(outside.items(), key=lambda each: (-each[1], each[0]))[:_OUTSIDE]),
        languages=tuple(sorted({report.language for report in reports if report.language} & RESOLVED)),
    )


def _cycles(edges: Iterable[Edge]) -> tuple[Cycle, ...]:
    """The circles at load time, and those that it takes a call to close. What only type checkers follow is none."""
    at_load: dict[str, list[str]] = defaultdict(list)
    at_all: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.when == "load":
            at_load[edge.source].append(edge.target)
        if edge.when != "typing":
            at_all[edge.source].append(edge.target)
    found = [Cycle(files, _way_round(files, at_load), at_load=True) for files in strongly_connected(at_load)]
    known = {cycle.files for cycle in found}
    found += [
        Cycle(files, _way_round(files, at_all), at_load=False)
        for files in strongly_connected(at_all)
        if files not in known
    ]
    return tuple(sorted(found, key=lambda cycle: (not cycle.at_load, -len(cycle.files), cycle.files)))


def strongly_connected(graph: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components of two nodes and more, each sorted, in the order of their first nodes.

    Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972) with a stack of its own, because a chain
    of imports may be longer than Python's recursion limit.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_path: set[str] = set()
    path: list[str] = []
    found: list[tuple[str, ...]] = []
    for root in sorted(graph):
        if root in index:
            continue
        index[root] = low[root] = len(index)
        path.append(root)
        on_path.add(root)
        work = [(root, iter(graph[root]))]
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    path.append(successor)
                    on_path.add(successor)
                    work.append((successor, iter(graph.get(successor, ()))))
                    break
                if successor in on_path:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = path.index(node)
                    members = path[cut:]
                    del path[cut:]
                    on_path.difference_update(members)
                    if len(members) > 1:
                        found.append(tuple(sorted(members)))
    return sorted(found)


def _way_round(files: tuple[str, ...], graph: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A shortest circle through the first file that has one of the least length; breadth first from each file."""
    members = set(files)
    best: tuple[str, ...] = ()
    for start in files[:50]:
        came: dict[str, str] = {}
        queue = deque([start])
        while queue and start not in came:
            node = queue.popleft()
            for successor in graph.get(node, ()):
                if successor in members and successor not in came:
                    came[successor] = node
                    queue.append(successor)
        way = [start]
        while True:
            way.append(came[way[-1]])
            if way[-1] == start:
                break
        if not best or len(way) < len(best):
            best = tuple(reversed(way))
        if len(best) == 3:
            break
    return best
