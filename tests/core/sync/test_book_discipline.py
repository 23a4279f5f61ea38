"""The book, failing on each line of each step: it goes on as if nothing had been, or as if the step had been whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.core.sync.book import Book
from actors.core.sync.request import Request
from actors.core.sync.step import Answer
from actors.testing.linefailure import LineFailed, LineFailure, is_of_the_core
from tests.core.sync.scenes import owner

A, B, C = (owner(name, agent=f"x-{place}") for place, name in enumerate("abc", 1))

_COURSE: tuple[tuple[Any, ...], ...] = (
    (A, "acquire", "lock", "p", "", 0),
    (B, "acquire", "lock", "q", "", 0),
    (C, "acquire", "lock", "p", "", 0),
    (B, "set", "value", "v", (b"1", None, ("q", "lock", 0, 2)), 0),
    (A, "acquire", "lock", "q", "", 0),
    (B, "acquire", "lock", "p", "", 0),
    (B, "wait", "barrier", "b", None, 2),
    (A, "release", "lock", "p", 1, 0),
    (A, "wait", "barrier", "b", None, 2),
    (A, "delete", "value", "v", None, 0),
)


def _steps() -> list[Callable[[Book], list[Answer]]]:
    def asks(number: int, who: Any, op: str, kind: str, name: str, data: Any, size: int) -> Any:
        ticket = (who.agent, who.incarnation, number)
        timeout = 5.0 if op in ("acquire", "wait") else None
        request = Request(op, kind, name, size, who, ticket, timeout, data)
        return lambda book: book.handle(request, 100.0 + number)

    steps = [asks(number, *each) for number, each in enumerate(_COURSE)]
    steps.append(lambda book: book.waits_for_task(C.key, str(C), 7, 120.0))
    steps.append(lambda book: book.tick(130.0))
    steps.append(lambda book: book.gone("x-2", 1, 140.0, "killed"))
    return steps


def _seen(book: Book) -> tuple[Any, ...]:
    return book.things, book.tasks, book.fence, book._held, book._waiting, book._versions


def _told(answers: list[Answer]) -> list[tuple[Any, ...]]:
    return [(answer.ticket, answer.value, str(answer.error)) for answer in answers]


def _to(place: int) -> Book:
    book = Book()
    for step in _steps()[:place]:
        step(book)
    return book


def test_a_step_that_fails_on_any_line_is_as_if_it_had_not_been_or_had_been_whole() -> None:
    """F1, G1: each of a course of requests, deaths and time limits, failing on each of its lines, once and twice."""
    lines = 0
    for place, step in enumerate(_steps()):
        whole = _to(place)
        expected = _told(step(whole))
        counting = LineFailure(0, is_of_the_core)
        book = _to(place)
        with counting:
            step(book)
        for line in range(1, counting.seen + 1):
            book = _to(place)
            answers: list[Answer] = []
            try:
                with LineFailure(line, is_of_the_core):
                    answers = step(book)
            except LineFailed:
                lines += 1
                answers = [each for each in book.recover() if _told([each])[0] in expected]
                # As the actor does: what it failed on is handled once more.
                answers += [each for each in step(book) if _told([each])[0] not in _told(answers)]
            assert _told(answers) == expected, (place, line)
            assert _seen(book) == _seen(whole), (place, line)
    assert lines > 500
