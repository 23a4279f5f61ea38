"""The table of what each host keeps, made from what the hosts declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.hosts.promises import PROMISES, HostPromises

__all__ = ["promises_table"]


def promises_table(hosts: Mapping[str, HostPromises]) -> str:
    """The table in Markdown: a row for each promise, a column for each host.

    Args:
        hosts: what each host promises, by the name that heads its column.

    Example:
        >>> print(promises_table({"`process`": ProcessHost.promises, "mine": MyHost.promises}))
    """
    heads = ["promise", *hosts, "where it is not kept", "what is answered there to who asks for it"]
    rows = [
        [
            f"`{promise.name}`: {promise.text}",
            *("yes" if getattr(promises, promise.name) else "no" for promises in hosts.values()),
            promise.without,
            promise.answer,
        ]
        for promise in PROMISES
    ]
    rows.append(["the start of an agent", *(promises.startup or "not said" for promises in hosts.values()), "", ""])
    return "\n".join(map(_line, [heads, ["---"] * len(heads), *rows]))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
