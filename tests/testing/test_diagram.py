"""A failing case is drawn as a sequence diagram that can be read."""

from __future__ import annotations

import itertools
import os
import stat
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.testing.history import Entry, History
from actors.testing.pictures.diagram import diagram, write_diagram
from actors.testing.pictures.excerpt import DULL_MESSAGES
from actors.testing.pictures.lifelines import lay_out
from actors.testing.pictures.plan import Box, Plan
from tests.testing.stories import Telling, ask_that_times_out, death_and_retry, forty_messages
from tests.testing.test_history import entries

STORIES: list[Callable[[], History]] = [death_and_retry, ask_that_times_out, forty_messages]
SVG = "{http://www.w3.org/2000/svg}"


def parsed(history: History, *, most: int | None = 80) -> ET.Element:
    return ET.fromstring(diagram(history, most=most))


def texts(root: ET.Element) -> list[str]:
    """What can be read in the picture."""
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def tooltips(root: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}title")]


def plan_of(history: History, most: int | None = None) -> Plan:
    return lay_out(history.entries, most, DULL_MESSAGES)


def places_of_texts(plan: Plan) -> list[Box]:
    """Where texts stand, in the picture's own units; a hair less, so that texts may touch."""
    boxes = [words.box for words in [*plan.words, *plan.tasks_moved]]
    boxes += [box for box, _, _ in plan.notes]
    return [(left + 1, top + 1, right - 1, bottom - 1) for left, top, right, bottom in boxes]


def overlapping(boxes: list[Box]) -> list[tuple[Box, Box]]:
    return [
        (one, other)
        for one, other in itertools.combinations(boxes, 2)
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]


@pytest.mark.parametrize("tell", STORIES)
def test_no_text_lies_on_another(tell: Callable[[], History]) -> None:
    """J2: forty messages between eight actors can be read."""
    plan = plan_of(tell())
    assert overlapping(places_of_texts(plan)) == []
    assert all(box[0] >= 0 and box[2] <= plan.width + 14 for box in places_of_texts(plan))


@pytest.mark.parametrize("seed", range(12))
def test_no_text_lies_on_another_whatever_happens(seed: int) -> None:
    """J2: nor with other work, twice as long."""
    assert overlapping(places_of_texts(plan_of(forty_messages(80, seed)))) == []


@given(st.lists(entries, max_size=25), st.sampled_from([5, None]))
def test_any_history_can_be_drawn(some: list[Entry], most: int | None) -> None:
    """J2: names and texts are users' input: whatever they are, the picture is well-formed and the same each time."""
    some.sort(key=lambda entry: entry.time)
    text = diagram(History(some), most=most, title="<&>\x00\ud800")
    assert text == diagram(History(some), most=most, title="<&>\x00\ud800")
    ET.fromstring(text.encode())
    plan = lay_out(some, most, ())
    assert overlapping(places_of_texts(plan)) == []


def test_actors_stand_in_the_order_of_their_appearance() -> None:
    """J2: the story begins at the left."""
    assert [lane.head for lane in plan_of(ask_that_times_out()).lanes] == [
        "program",
        "scheduler",
        "clerk-1#1",
        "hub",
        "vault-1#1",
    ]


def test_the_next_incarnation_begins_a_new_part_of_the_line() -> None:
    """J2: the first ends where it dies, and the second has its name where it begins."""
    plan = plan_of(death_and_retry())
    first, second = (tag for tag in plan.tags if tag.actor.startswith("account-1"))
    cross = plan.crosses[0]
    assert first.bottom == cross.y < second.top
    assert first.x == second.x == cross.x
    assert {"account-1#1", "account-1#2"} <= set(texts(parsed(death_and_retry())))


def test_an_arrow_slopes_by_the_time_on_the_way() -> None:
    """J2: from where it was sent down to where it was handled; level if that was the same moment."""
    arrows = {arrow.title.split()[0]: arrow for arrow in plan_of(death_and_retry()).arrows}
    assert arrows["Submit"].start[1] == arrows["Submit"].end[1]
    assert arrows["Assignment"].start[1] < arrows["Assignment"].end[1]


def test_bars_show_the_states_of_an_agent_one_after_the_other() -> None:
    """J2: without gap or overlap, and the legend names each."""
    bars = [bar for bar in plan_of(death_and_retry()).bars if bar.actor == "account-1#1"]
    assert [bar.state for bar in bars] == ["initializing", "idle", "assigned", "working", "completing"]
    assert all(upper.bottom == lower.top for upper, lower in itertools.pairwise(bars))
    assert {"initializing", "idle", "assigned", "working", "completing"} <= set(texts(parsed(death_and_retry())))


def test_a_long_silence_is_a_break_that_says_how_long_it_was() -> None:
    """J2: thirty seconds of nothing take no more room than a line."""
    plan = plan_of(ask_that_times_out())
    assert [text for _, text in plan.breaks] == ["… 499 ms", "… 30 s", "… 30 s", "… 198 ms"]
    assert plan.bottom < 500


@pytest.mark.parametrize("fate", ["lost", "cut", "garbled", "dead letter", "doubled"])
def test_a_message_that_something_befell_says_what(fate: str) -> None:
    """J2: no mishap of a message goes unseen, not even of one that is usually left out."""
    tell = Telling()
    tell.take(tell.send("account-1#1", "hub", "Heartbeat", "task-1"), "hub", fate, at=0.002)
    root = parsed(tell.history)
    assert any(f"Heartbeat ({fate})" in text for text in texts(root))


def test_a_message_without_a_fate_is_still_on_its_way() -> None:
    """J2: what was never handled is seen to hang in the air."""
    tell = Telling()
    tell.send("program", "scheduler", "Submit")
    assert any("Submit (on its way)" in text for text in texts(parsed(tell.history)))


def test_the_broken_promise_stands_in_full_at_the_bottom() -> None:
    """J2: it is never shortened, and below everything else."""
    tell = Telling()
    tell.pass_on("program", "scheduler", "Submit")
    promise = "word " * 300 + "end"
    tell.history.broken(0.0, "D8 exactly one outcome", promise)
    root = parsed(tell.history)
    written = texts(root)
    first = written.index("Broken: D8 exactly one outcome")
    assert " ".join(written[first + 1 :]).split() == promise.split()
    heights = [float(element.attrib["y"]) for element in root.iter(f"{SVG}text")]
    assert heights[first] == sorted(heights)[-len(written[first:])]
    assert heights[-1] < float(root.attrib["height"])


def test_what_is_shortened_can_be_read_in_full_where_the_pointer_rests() -> None:
    """J2: a long text costs no room and is not lost."""
    tell = Telling()
    long = "x" * 400
    tell.pass_on("program", "scheduler", "Submit", long)
    tell.history.fault(0.0, "scheduler", "slow " + long)
    tell.history.note(0.0, "program", "note " + long)
    root = parsed(tell.history)
    assert not any(long in text for text in texts(root))
    for start in (f"Submit {long}", f"0.000 s, fault of scheduler: slow {long}", f"0.000 s, program: note {long}"):
        assert any(title.startswith(start) for title in tooltips(root))


def test_a_long_history_is_cut_around_the_failure_and_says_how_much_is_missing() -> None:
    """J2: the picture stays one that can be printed."""
    history = forty_messages(2000)
    plan = plan_of(history, most=40)
    assert plan.messages <= 60
    steps = len(list(plan_of(history).arrows))
    assert steps > 1500
    assert sum(missing for _, missing in plan.gaps) > 1900
    assert any("steps left out" in text for text in texts(parsed(history, most=40)))


def test_an_agent_keeps_the_state_that_it_got_in_a_part_that_is_left_out() -> None:
    """J2: a bar after a gap shows how the agent stands there."""
    tell = Telling()
    tell.agent("account-1#1", "initializing", "idle")
    for step in range(200):
        tell.at(float(step))
        tell.pass_on("hub", "account-1#1", "Ping", f"{step}")
        if step == 100:
            tell.agent("account-1#1", "idle", "assigned", "working")
    bars = plan_of(tell.history, most=10).bars
    assert bars[-1].state == "working"
    assert "assigned" not in {bar.state for bar in bars}


def test_the_picture_brings_its_background() -> None:
    """J2: it can be read on a light and on a dark page, and leaks no style and no id into it."""
    root = parsed(death_and_retry())
    shapes = [element for element in root if element.tag not in {f"{SVG}title", f"{SVG}desc"}]
    assert shapes[0].attrib == {"width": "100%", "height": "100%", "fill": "#ffffff"}
    assert not list(root.iter(f"{SVG}style"))
    assert not [element for element in root.iter() if "id" in element.attrib or "class" in element.attrib]


def test_an_empty_history_is_an_empty_picture() -> None:
    """J2: nothing to draw is no error."""
    assert "0 messages, 0 actors" in texts(parsed(History()))


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    """J2: into a folder that is made, over what was there, with the rights of any new file and nothing beside it."""
    path = tmp_path / "failures" / "seed-7.svg"
    assert write_diagram(death_and_retry(), str(path)) == path
    path.write_text("an older picture")
    write_diagram(death_and_retry(), path)
    assert path.read_text(encoding="utf-8") == diagram(death_and_retry())
    assert [each.name for each in path.parent.iterdir()] == ["seed-7.svg"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_picture_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """J2: no half file, and no temporary one."""
    (tmp_path / "taken.svg").mkdir()
    with pytest.raises(OSError, match=r"taken\.svg"):
        write_diagram(death_and_retry(), tmp_path / "taken.svg")
    assert [each.name for each in tmp_path.iterdir()] == ["taken.svg"]


def test_a_bound_that_leaves_nothing_to_draw_is_refused() -> None:
    """J2: an error names the setting, the value and what is allowed."""
    with pytest.raises(ConfigError, match=r"most is 5 or more, or None for everything, not 4"):
        diagram(History(), most=4)
