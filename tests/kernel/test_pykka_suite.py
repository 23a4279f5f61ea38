"""pykka's own tests, run over our actors by one more entry in their table of runtimes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
VERSION = importlib.metadata.version("pykka")

TABLE = "RUNTIMES = {\n"
ENTRY = """\
    "actors": pytest.param(
        Runtime(
            name="actors",
            actor_class=__import__("actors").Actor,
            event_class=threading.Event,
            future_class=__import__("actors.kernel.reply", fromlist=["Reply"]).Reply,
            sleep_func=time.sleep,
        ),
        id="actors",
    ),
"""

NAMED = "an actor goes by a name that people can read, and its URN is its address, so that references can travel"
REGISTRY = "no actor of ours is in pykka's global registry, where any stranger could stop it"
LOGGED = "the log says in what the actor failed, not only that it did; what an asker is told is no news to the log"
ANSWERED_ONCE = (
    "whoever answers second is told so by False; queue.Full raised at it would harm one who did nothing wrong"
)
ENDED = "the error names the actor, the message, and what ended the actor"

MENDED = {
    "tests/proxy/test_proxy.py::test_repr_contains_actor_urn[actors]": NAMED,
    "tests/proxy/test_proxy.py::test_str_contains_actor_urn[actors]": NAMED,
    "tests/test_actor.py::test_actor_has_an_uuid4_based_urn[actors]": NAMED,
    "tests/test_actor.py::test_str_on_raw_actor_contains_actor_urn[actors]": NAMED,
    "tests/test_ref.py::test_repr_contains_actor_urn[actors]": NAMED,
    "tests/test_ref.py::test_str_contains_actor_urn[actors]": NAMED,
    "tests/test_actor.py::test_on_start_is_called_after_the_actor_is_registered[actors]": REGISTRY,
    "tests/test_registry.py::test_actor_is_registered_when_started[actors]": REGISTRY,
    "tests/test_registry.py::test_actor_is_unregistered_when_stopped[actors]": REGISTRY,
    "tests/test_registry.py::test_all_actors_can_be_stopped_through_registry[actors]": REGISTRY,
    "tests/test_registry.py::test_actors_may_be_looked_up_by_class[actors]": REGISTRY,
    "tests/test_registry.py::test_actors_may_be_looked_up_by_superclass[actors]": REGISTRY,
    "tests/test_registry.py::test_actors_may_be_looked_up_by_class_name[actors]": REGISTRY,
    "tests/test_registry.py::test_actors_may_be_looked_up_by_urn[actors]": REGISTRY,
    "tests/test_registry.py::test_broadcast_sends_message_to_all_actors_if_no_target[actors]": REGISTRY,
    "tests/test_registry.py::test_broadcast_sends_message_to_all_actors_of_given_class[actors]": REGISTRY,
    "tests/test_registry.py::test_broadcast_sends_message_to_all_actors_of_given_class_name[actors]": REGISTRY,
    "tests/test_actor.py::test_all_actors_are_stopped_on_base_exception[actors]": (
        "a SystemExit in one handler fails that actor, and no other one of the process"
    ),
    "tests/test_logging.py::test_base_exception_is_logged[actors]": (
        "a SystemExit in one handler fails that actor, and no other one of the process"
    ),
    "tests/test_logging.py::test_unexpected_messages_are_logged[actors]": (
        "who asks with a message that nobody takes is refused, and not answered with None"
    ),
    "tests/test_logging.py::test_exception_is_logged_when_returned_to_caller[actors]": LOGGED,
    "tests/test_logging.py::test_exception_is_logged_when_not_reply_requested[actors]": LOGGED,
    "tests/test_logging.py::test_exception_in_on_start_is_logged[actors]": LOGGED,
    "tests/test_logging.py::test_exception_in_on_stop_is_logged[actors]": LOGGED,
    "tests/test_logging.py::test_exception_in_on_failure_is_logged[actors]": LOGGED,
    "tests/test_future.py::test_set_multiple_times_fails[actors]": ANSWERED_ONCE,
    "tests/test_future.py::test_set_is_not_allowed_on_future_with_get_hook[actors]": ANSWERED_ONCE,
    "tests/test_future.py::test_set_exception_is_not_allowed_on_future_with_get_hook[actors]": ANSWERED_ONCE,
    "tests/test_future.py::test_set_hook_is_not_allowed_on_future_with_result[actors]": (
        "it is refused as well, but by an error that says why, and not by queue.Full"
    ),
    "tests/test_ref.py::test_ask_fails_if_actor_is_stopped[actors]": ENDED,
    "tests/test_ref.py::test_ask_nonblocking_fails_future_if_actor_is_stopped[actors]": ENDED,
    "tests/test_ref.py::test_tell_fails_if_actor_is_stopped[actors]": (
        "a message to an actor that has ended is a dead letter, counted and told; its sender could not know of the end"
    ),
}
"""The tests that fail because the kernel does better on purpose, with the reason."""


def source_distribution(folder: Path) -> Path:
    """Pykka's source distribution, fetched by pip unless it is here already."""
    if not list(folder.glob("pykka-*.tar.gz")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pykka"]
        done = subprocess.run(
            [*command, "--dest", str(folder), f"pykka=={VERSION}"],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            pytest.skip(f"the source distribution of pykka {VERSION} cannot be had: {done.stderr.strip()[-300:]}")
    return next(folder.glob("pykka-*.tar.gz"))


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each of pykka's tests ended, by its id: "passed", "failed", "error" or "skipped"."""
    if importlib.util.find_spec("pytest_mock") is None:
        pytest.skip("pykka's tests need pytest-mock, which is among the extra dev")
    archive = source_distribution(Path(request.config.cache.mkdir(f"pykka-{VERSION}")))
    folder = tmp_path_factory.mktemp("pykka")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    conftest = source / "tests" / "conftest.py"
    text = conftest.read_text("utf-8")
    assert text.count(TABLE) == 1, "pykka's table of runtimes has moved"
    conftest.write_text(text.replace(TABLE, TABLE + ENTRY), "utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    env |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # What is not run over the table runs as it is.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_mock", "-p", "pytest_timeout", "--timeout=20"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--junitxml=junit.xml", "-k", "not [threading]", "tests"],
        cwd=source,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    report = source / "junit.xml"
    assert report.exists(), f"pykka's tests did not run:\n{done.stdout}\n{done.stderr}"
    found = {}
    for case in ET.parse(report).iter("testcase"):
        ends = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        place = case.attrib["classname"].replace(".", "/")
        found[f"{place}.py::{case.attrib['name']}"] = ends[0] if ends else "passed"
    return found


def test_all_of_pykkas_tests_ran(outcomes: dict[str, str]) -> None:
    """G, the actors' behaviour: nothing of it is left out by the way it is run."""
    assert len(outcomes) >= 152
    assert sum("[actors" in test for test in outcomes) >= 137
    assert set(outcomes.values()) <= {"passed", "failure"}


def test_what_fails_of_pykkas_tests_is_what_is_mended_on_purpose(outcomes: dict[str, str]) -> None:
    """G, the actors' behaviour: a test that fails without a reason is an error, and so is a reason without one."""
    failed = {test for test, outcome in outcomes.items() if outcome != "passed"}
    assert sorted(failed - MENDED.keys()) == [], "these fail"
    assert sorted(MENDED.keys() - failed) == [], "these have a reason to fail, and pass"
