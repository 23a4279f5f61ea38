"""The examples run, and say what they should; the quick start of the README is one of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
LIMIT = 50.0

# What each prints, line by line, as patterns; where agents race for the order, the lines are sorted.
EXPECTED = {
    "thumbnailer": [
        "a.png at 64 pixels and quality 80",
        "b.png at 128 pixels and quality 80",
        "c.png at 128 pixels and quality 80",
        "1024",
        "d.png at 128 pixels and quality 80",
    ],
    "crash_proof": [
        r"clumsy\.crash: AgentDied \(signal SIGSEGV, pid \d+, attempt 1\)",
        r"clumsy\.be_killed: AgentDied \(signal SIGKILL, pid \d+, attempt 1\)",
        r"clumsy\.hang: TaskTimeout \(limit 0\.5 s\)",
        r"clumsy\.eat_memory: LimitExceeded \(memory, allowed 268435456 bytes\)",
        r"clumsy\.leave: TaskExited \(code 3\)",
        r"clumsy\.give_back_a_lock: NotSerializable",
        r"clumsy\.divide: ZeroDivisionError",
        "the others: 2470",
    ],
    "pipeline": [
        r"words by length: \{1: 2, 2: 6, 3: 5, 4: 6, 5: 7, 6: 5, 7: 3, 8: 2, 9: 1\}",
        "printed by an agent, after the merge",
        r"(retried: library\.fetch \(.*ConnectionError: no answer for \w+\)|progress: counting\.count 50% 1[016] words)",
    ],
    "double_booking": [
        r"found: these payments are booked: \[1, 1\]",
        r"As a picture: .*/\.actors-failures/ShopMachine-[0-9a-f]{8}\.svg",
        r" *machine\.pays\(amount=1\)",
        r" *machine\.kills\(place=0, steps=\d+\)",
        r" *machine\.rests\(\)",
        "mended: found nothing",
    ],
    "crawler": ["visited 100 pages with 998 words", "index: 300 links seen, 100 pages known"],
    "chat": [
        r"(ada|emmy|grace): I am here",
        r"(ada|emmy|grace): I am here",
        r"(ada|emmy|grace): I am here",
        "grace knows about compilers",
        "emmy knows about rings",
        "None",
    ],
    "bank_saga": [
        "ann to bob: done",
        r"ann to eve: pay in failed \(no account eve\); undone: \['take out'\]",
        r"ann to bob: take out failed \(ann has too little\); undone: \[\]",
        "bob to ann: done",
        r"\{'ann': 75, 'bob': 125\} in all 200",
    ],
    "word_count": ["more text than memory: True", r"frequent: \['\w+'(, '\w+'){4}\]"],
    "recursive": ["sorted: True", "tasks: 15"],
    "async_crawl": [
        "4 pages known, 3 to read",
        "13 pages known, 9 to read",
        "40 pages known, 27 to read",
        "40 pages known, 0 to read",
        "all found: True",
    ],
    "live_events": [
        r"bought: \{'elm': 89, 'oak': 88\}",
        "the slow reader missed 3 of 6 prices",
        "it has 3 left",
    ],
    "typed_agents": [
        "rates known: 2",
        r"euros: 750\.0",
        r"event: LargeOrder 750\.0",
        r"by capability: 2\.72",
        r"audit: 99\.50 signed",
        r"nobody: NoSuitableAgent \('cooking',\)",
        r"agents: \['accountant', 'auditor'\] of at most \d+",
    ],
    "philosophers": [
        r"left fork first: 5 ate 3 meals each, and a deadlock was told [1-9]\d* times",
        r"one was killed with forks in hand, and all 5 ate; attempts: \[2, 1, 1, 1, 1\]",
    ],
}


def run(name: str, folder: Path) -> list[str]:
    """What an example prints, run as a reader would, from some other folder."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_example_has_its_output_here() -> None:
    """A new example is not left untested."""
    assert sorted(EXPECTED) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


# Hypothesis looks for a long while; tests/testing runs the machine of that example as well.
_LONG = "double_booking"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name == _LONG else name for name in EXPECTED if name != "pipeline"],
)
def test_an_example_prints_what_it_should(name: str, tmp_path: Path) -> None:
    """J1: programs with classes of their own in `__main__`."""
    lines = run(name, tmp_path)
    assert len(lines) == len(EXPECTED[name]), lines
    for line, pattern in zip(lines, EXPECTED[name], strict=True):
        assert re.fullmatch(pattern, line), line


def test_the_pipeline_tells_of_each_retry_and_each_progress(tmp_path: Path) -> None:
    """D3, D4, D7: what depends on the merge comes after it; each text is fetched twice and counted once."""
    lines = run("pipeline", tmp_path)
    result, printed, event = EXPECTED["pipeline"]
    # The agent prints by itself, so its line may come before or after those of the program.
    assert lines.count(printed) == 1
    lines.remove(printed)
    assert re.fullmatch(result, lines[0]), lines
    assert all(re.fullmatch(event, line) for line in lines[1:]), lines
    assert sum("retried" in line for line in lines) == sum("progress" in line for line in lines) == 3


def test_the_quick_start_of_the_readme_is_an_example_word_for_word() -> None:
    """What people copy is what is tested."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert blocks == [(EXAMPLES / "thumbnailer.py").read_text(encoding="utf-8")]
