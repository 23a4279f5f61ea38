"""Known-bad changes of the shipped files: the simulation must find each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sabotage.mutation import ROOT, Mutation
from tests.sabotage.mutations import MUTATIONS, PEERING_MUTATIONS, named
from tests.sabotage.runner import BASES, hunt, hunt_all, rerun, table

# Rooms that are to be represented, and how many mutations there are to be at least.
_ROOMS = ("core", "protocol", "kernel", "hosts", "runtime", "coordination")
_AT_LEAST = 34


@pytest.mark.parametrize("mutation", [*MUTATIONS, *PEERING_MUTATIONS], ids=lambda mutation: mutation.name)
def test_each_mutation_changes_one_place_of_a_shipped_file_and_still_compiles(mutation: Mutation) -> None:
    """J2: a mutation that fits nowhere, or is no Python, would prove nothing."""
    source = mutation.path.read_text(encoding="utf-8")
    changed = mutation.apply(source)
    assert changed != source
    compile(changed, str(mutation.path), "exec")
    assert mutation.breaks
    assert mutation.story


def test_mutations_are_many_differ_and_are_spread_over_the_rooms() -> None:
    """J2: twenty-five are promised; some more, because files change."""
    assert len(MUTATIONS) >= _AT_LEAST
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
    assert len({(mutation.module, mutation.old) for mutation in MUTATIONS}) == len(MUTATIONS)
    assert {mutation.module.split(".")[1] for mutation in MUTATIONS} == set(_ROOMS)
    assert len({mutation.module for mutation in MUTATIONS}) >= 25


def test_a_text_that_is_not_there_once_is_refused() -> None:
    """J2: when a file changes, its mutations are to be written anew and not to go astray."""
    mutation = MUTATIONS[0]
    with pytest.raises(ValueError, match="0 times"):
        mutation.apply("nothing of the kind")
    with pytest.raises(ValueError, match="2 times"):
        mutation.apply(mutation.old * 2)


def test_the_loader_changes_one_module_in_memory_and_writes_nothing() -> None:
    """J2: the mutated module behaves otherwise in its process, the package directory stays as it was."""
    mutation = named("messages in the wrong order")
    program = f"""
import sys
from tests.sabotage.loader import install
from tests.sabotage.mutations import named
finder = install(named({mutation.name!r}))
from actors.core.order import MailboxOrder
order = MailboxOrder()
order.put(1)
order.put(2)
print(order.take(), finder.loaded, sys.modules["actors.core.order"].__file__)
"""
    folder = mutation.path.parent
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["[2,", "1]", "True", str(mutation.path)]
    after = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.suffix != ".pyc"}
    assert after == {file: stamp for file, stamp in before.items() if file.suffix != ".pyc"}
    from actors.core.order import MailboxOrder

    order: MailboxOrder[int] = MailboxOrder()
    order.put(1)
    order.put(2)
    assert order.take() == [1, 2]


def test_a_mutation_that_comes_too_late_is_an_error() -> None:
    """J2: a module that was imported before its mutation would run as it is shipped, and prove nothing."""
    program = """
import actors.core.order
from tests.sabotage.loader import install
from tests.sabotage.mutations import named
install(named("messages in the wrong order"))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode
    assert "was imported before its mutation" in done.stderr


@pytest.mark.parametrize("mutation", PEERING_MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_machine_of_two_ends_finds_a_mutation(mutation: Mutation) -> None:
    """J2: of the books of a connection, which no simulation reaches."""
    assert hunt(mutation, 1, histories=20, entry=_TWO_ENDS).found


def test_the_machine_of_two_ends_finds_nothing_in_what_is_shipped() -> None:
    """J2: without that, finding would prove nothing."""
    assert not rerun([1_000_000, 1_000_001], entry=_TWO_ENDS).failed


_TWO_ENDS = "tests.sabotage.peering:run_two_ends"
_QUICK = (
    "a requeue is forgotten",
    "messages in the wrong order",
    "a second task gets lost",
    "the resource manager keeps the dead",
)


@pytest.mark.parametrize("name", _QUICK)
def test_the_simulation_finds_a_mutation(name: str) -> None:
    """J2: what is broken is found, and by the mutation alone: the same seed passes on what is shipped."""
    found = hunt(named(name), 1)
    sys.stdout.write(table([found]) + "\n")
    assert found.found, f"{found.verdict.histories} histories overlooked {name!r}"
    assert not rerun([found.seed]).failed


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_simulation_finds_every_mutation_from_three_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """J2: none is found by the luck of one seed; the table says what each took."""
    hunts = hunt_all(MUTATIONS, BASES)
    with capsys.disabled():
        sys.stdout.write("\n" + table(hunts) + "\n")
    missed = [(each.mutation.name, each.base) for each in hunts if not each.found]
    assert not missed
    sound = rerun(sorted({each.seed for each in hunts}))
    assert not sound.failed
    assert sound.histories == len({each.seed for each in hunts})
