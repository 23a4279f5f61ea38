"""The sentence that tells how an agent ended."""

from __future__ import annotations

import signal

import pytest

from actors.hosts.exitreport import Ending, explain, native_stack
from actors.hosts.lastwords import STACK_SIGNAL

STACK = (
    "noise",
    "Fatal Python error: Segmentation fault",
    "",
    "Current thread 0x1 (most recent call first):",
    '  File "x"',
)


def test_the_kernel_s_killer_is_named_when_it_struck() -> None:
    """H3: with the memory that the agent had."""
    _, name, cause = explain(Ending(signal.SIGKILL, peak_kb=3 << 20, oom_kills=1), None)
    assert name == "SIGKILL"
    assert "out-of-memory killer, which struck 1 time while" in cause
    assert "3072 MiB" in cause


def test_a_kill_by_hand_is_named_when_the_kernel_did_not_strike() -> None:
    """H3: nobody is accused without a sign."""
    assert "most likely somebody's `kill -9`" in explain(Ending(signal.SIGKILL, oom_kills=0), None)[2]
    assert "or a `kill -9`" in explain(Ending(signal.SIGKILL), None)[2]


def test_our_own_kill_names_its_reason_and_accuses_nobody() -> None:
    """B2: the reason is repeated."""
    cause = explain(Ending(signal.SIGKILL, oom_kills=1), "over its memory limit")[2]
    assert cause == "killed by this program with SIGKILL: over its memory limit"


def test_a_crash_although_we_killed_is_a_crash() -> None:
    """H3: what happened first is told."""
    assert "native code" in explain(Ending(signal.SIGSEGV), "too late")[2]


@pytest.mark.parametrize(
    ("status", "code", "name", "words"),
    [
        (0, 0, None, "in order"),
        (1 << 8, 1, None, "stderr"),
        (9 << 8, 9, None, "os._exit(9)"),
        (signal.SIGBUS, None, "SIGBUS", "cut off"),
        (signal.SIGXCPU, None, "SIGXCPU", "processor time"),
        (signal.SIGTERM, None, "SIGTERM", "not in order"),
        (40, None, "signal 40", "signal 40"),
        (None, None, None, "could not be learnt"),
    ],
)
def test_each_way_to_end_has_its_words(status: int | None, code: int | None, name: str | None, words: str) -> None:
    """H3: exit code, signal by name, likely cause."""
    found_code, found_name, cause = explain(Ending(status), None)
    assert (found_code, found_name) == (code, name)
    assert words in cause


def test_the_last_native_stack_is_found() -> None:
    """H3: from the last fatal error on."""
    assert native_stack((*STACK, *STACK)) == STACK[1:]
    assert native_stack(("nothing",)) == ()


def test_a_stack_that_ended_too_deep_is_an_overflow() -> None:
    """H3: faulthandler shows a hundred calls, and dots for the others."""
    deep = ("Fatal Python error: Segmentation fault", "", STACK[3], *['  File "x", line 1 in f'] * 100, "  ...")
    assert "stack overflow" in explain(Ending(signal.SIGSEGV, stderr=deep), None)[2]
    assert "stack overflow" not in explain(Ending(signal.SIGSEGV, stderr=STACK), None)[2]


@pytest.mark.parametrize(("condition", "words"), [("T", "was stopped"), ("D", "waited in the kernel"), ("S", "")])
def test_what_a_process_did_when_it_was_killed_is_told_where_it_explains_something(condition: str, words: str) -> None:
    """H3: a process that was stopped could not hear that it was to end."""
    cause = explain(Ending(signal.SIGKILL, condition=condition), "it is silent")[2]
    assert cause.startswith("killed by this program with SIGKILL: it is silent")
    assert words in cause and (words or cause.endswith("silent"))


def test_the_signal_that_asks_for_the_stacks_is_our_own() -> None:
    """H3: a task that has become another program by exec dies of it, when it is to be killed anyway."""
    assert "killed by this program" in explain(Ending(STACK_SIGNAL), "too late")[2]
