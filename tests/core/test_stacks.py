"""What of a stack is the body's."""

from __future__ import annotations

from actors.core.stacks import crashed, dumped, interrupted

LIBRARY = "/site-packages/actors/hosts"
BODY = ('  File "/app/work.py", line 3 in inner', '  File "/app/work.py", line 9 in shrink')
BELOW = (f'  File "{LIBRARY}/interrupts.py", line 124 in _enter', f'  File "{LIBRARY}/lane.py", line 5 in run')


def test_of_an_interruption_the_users_frames_are_left() -> None:
    """H3: neither how the interruption was raised nor what it is called tells anything."""
    written = f"""Traceback (most recent call last):
  File "/app/work.py", line 9, in shrink
    time.sleep(60)
    ^^^^^^^^^^^^^^
  File "{LIBRARY}/interrupts.py", line 250, in _on_signal
    raise TaskInterrupted.of(self._stack[-1])
actors.hosts.interrupts.TaskInterrupted: t-1 was interrupted (timeout)
"""
    assert interrupted(written) == (
        "Traceback (most recent call last):",
        '  File "/app/work.py", line 9, in shrink',
        "    time.sleep(60)",
        "    ^^^^^^^^^^^^^^",
    )


def test_an_interruption_that_became_another_error_keeps_the_whole_story() -> None:
    """H3: what the body made of it is part of where it was."""
    written = 'Traceback (most recent call last):\n  File "/app/work.py", line 9, in shrink\n    raise Stop\napp.Stop\n'
    assert interrupted(written)[-1] == "app.Stop"


def test_an_interruption_outside_of_any_code_of_the_user_is_no_stack() -> None:
    """H3: nothing is better than the library's own frames."""
    written = (
        f'Traceback (most recent call last):\n  File "{LIBRARY}/interrupts.py", line 188, in call\n    value = x\n'
    )
    assert interrupted(written) == () == interrupted("")


def test_of_a_dump_the_body_comes_first_and_the_library_not_at_all() -> None:
    """H3: the thread of the body is the last in the dump; a thread that the user has started is shown, too."""
    head = "Current thread 0x1 (most recent call first):"
    control = ("Thread 0x2 (most recent call first):", f'  File "{LIBRARY}/controllane.py", line 5 in run')
    idle = ("Thread 0x3 (most recent call first):", '  File "/lib/python3.11/threading.py", line 320 in wait')
    users = ("Thread 0x4 (most recent call first):", '  File "/app/work.py", line 70 in feed', idle[1])
    assert dumped((*users, "", *idle, "", *control, "", head, *BODY, *BELOW)) == (head, *BODY, *users)
    assert dumped(()) == ()


def test_of_a_crash_the_thread_that_crashed_and_the_extension_modules_are_shown() -> None:
    """H3: the others come first in the report, and would fill the lines that there is room for."""
    other = ("Thread 0x2 (most recent call first):", *[f'  File "other{number}"' for number in range(20)], "")
    head, current = "Fatal Python error: Aborted", "Current thread 0x1 (most recent call first):"
    modules = "Extension modules: numpy.core._multiarray_umath, app._fast (total: 2)"
    assert crashed((head, "", *other, current, *BODY, *BELOW, "", modules)) == (head, current, *BODY, modules)
    assert crashed(("anything", "else")) == ("anything", "else")
