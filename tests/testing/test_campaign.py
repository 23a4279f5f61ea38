"""The campaign: a fixed set of histories, each of which must hold, and what is told of one that does not."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from actors.testing.__main__ import main
from actors.testing.campaign.run import run_history
from actors.testing.campaign.series import run_batch, run_examples
from actors.testing.errors import InvariantBroken
from actors.testing.promises.invariant import Invariant

FIRST = 1_000
BATCHES = 12
EACH = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_history_breaks_a_promise(batch: int, caplog: pytest.LogCaptureFixture) -> None:
    """J2 and all others: faults of every kind, all invariants after each step."""
    start = FIRST + batch * EACH
    with caplog.at_level("CRITICAL"):
        done = run_batch(range(start, start + EACH), 200)
    assert not done.broken, "\n".join(f"seed {each.seed}: {each.text}\n{each.story}" for each in done.broken)
    assert done.histories == EACH
    assert done.fewest >= 200


def test_a_history_that_breaks_a_promise_is_told_with_its_seed_and_its_story(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """J2: whoever finds it can look at it again."""

    def always_broken(self: Invariant) -> None:
        self.broken("planted")

    monkeypatch.setattr("actors.testing.promises.books.NothingIsLeft.at_rest", always_broken)
    with pytest.raises(InvariantBroken, match="planted"):
        run_history(8)
    with caplog.at_level("CRITICAL"):
        done = run_batch(range(8, 9), 200)
    (broken,) = done.broken
    assert broken.seed == 8
    assert broken.kind == "NothingIsLeft"
    # Who sent what to whom: at once, or as it leaves.
    assert re.search(r"(──[▶┄]|┄─▶) [\w#-]+ +[A-Z]\w+", broken.story)
    assert "planted" in broken.story


def test_the_command_runs_histories_and_one_of_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    """J2: with figures at the end, and the whole story of one."""
    done = subprocess.run(
        [sys.executable, "-m", "actors.testing", "simulate", "--histories", "4", "--jobs", "2"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 histories from seed 0 on" in done.stdout
    assert "broken        0" in done.stdout
    assert main(["simulate", "--histories", "0"]) == 2
    assert "1 or more" in capsys.readouterr().err


def test_a_replay_tells_the_whole_story(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    """J2: as a text and as a picture."""
    assert main(["replay", "3", "--lines", "40", "--picture", f"{tmp_path}/three.svg"]) == 0
    told = capsys.readouterr().out
    assert "digest" in told
    assert "three.svg" in told
    assert logging.root.manager.disable == logging.NOTSET, "the log of the rest of the program is switched off"


def test_a_batch_in_this_process_leaves_the_log_as_it_was() -> None:
    """Kit: what a campaign keeps out of the log is kept out for as long as it lasts."""
    assert run_batch(range(3, 4), 40).histories == 1
    assert run_examples(1, 0) == ""
    assert logging.root.manager.disable == logging.NOTSET
