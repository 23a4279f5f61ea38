"""The library's own mailboxes keep what every mailbox promises, and a mailbox that does not is found out."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from actors.kernel.mailbox import Mailbox
from actors.kernel.poll import PollMailbox
from actors.testing.conformance.mailbox import MailboxConformance


class TestMailbox(MailboxConformance):
    """The one of most actors."""

    def make_mailbox(self, **options: Any) -> Mailbox:
        return Mailbox(**options)


class TestPollMailbox(MailboxConformance):
    """The one of actors that watch descriptors."""

    def make_mailbox(self, **options: Any) -> Mailbox:
        return PollMailbox(**options)


class _Forgetful(Mailbox):
    """Loses what is given back."""

    def restore(self, items: list[Any], leading: int = 0) -> bool:
        return not self.closed


class _Faulty(MailboxConformance):
    def make_mailbox(self, **options: Any) -> Mailbox:
        return _Forgetful(**options)


def test_a_faulty_mailbox_is_found_out_without_pytest() -> None:
    """The suite runs by itself, and names each promise that is not kept."""
    outcomes = _Faulty.run_all()
    assert {name for name, error in outcomes.items() if isinstance(error, AssertionError)} == {
        "test_what_is_given_back_goes_before_what_came_since_but_after_the_urgent",
        "test_what_is_given_back_of_the_system_lane_stays_in_it",
        "test_whatever_is_put_taken_and_given_back_nothing_is_lost_and_each_lane_keeps_its_order",
    }
    assert list(outcomes) == MailboxConformance.checks()
    assert len(outcomes) == 18


def test_asserts_that_are_switched_off_check_nothing_and_the_suite_says_so() -> None:
    """A suite that passes because it does not look would be worse than none."""
    code = "from actors.testing.conformance.mailbox import MailboxConformance as M; M.run(M.checks()[0])"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert "ConfigError: the checks are asserts: run Python without -O" in done.stderr
