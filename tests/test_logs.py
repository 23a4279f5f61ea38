"""Logging: fields, secrets, and the way of an agent's record into the program's logging."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.logs import (
    REDACTED,
    AgentLogForwarder,
    Redactor,
    bind,
    bound,
    bound_fields,
    get_logger,
    is_secret_name,
    replay,
    unbind,
)
from actors.protocol.events import LogRecorded


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What arrives in the program's logging, for loggers below "actors" and "agentlib"."""
    handler = Kept()
    loggers = [logging.getLogger(name) for name in ("actors", "agentlib")]
    earlier = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield handler
    for logger, level in earlier:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture
def forwarded() -> Iterator[Callable[..., tuple[list[LogRecorded], AgentLogForwarder, logging.Logger]]]:
    """Make a forwarder that listens at a logger of its own, and the list of what it published."""
    made: list[AgentLogForwarder] = []

    def make(**settings: Any) -> tuple[list[LogRecorded], AgentLogForwarder, logging.Logger]:
        events: list[LogRecorded] = []
        logger = logging.getLogger("agentlib")
        settings = {"source": "a-1", "redactor": Redactor({}), "install_on": logger} | settings
        forwarder = AgentLogForwarder(settings.pop("publish", events.append), **settings)
        forwarder.install()
        made.append(forwarder)
        return events, forwarder, logger

    yield make
    for forwarder in made:
        forwarder.remove()


# Structured loggers


def test_a_structured_record_reaches_logging_with_its_fields_and_those_of_the_context(kept: Kept) -> None:
    """H1: ids bound."""
    log = get_logger("actors.scheduler").bind(agent="a-1")
    with bound(task="t-7", attempt=2):
        log.warning("took long", seconds=1.5)
    (record,) = kept.records
    assert record.name == "actors.scheduler"
    assert record.levelno == logging.WARNING
    assert record.__dict__["actors_fields"] == {"task": "t-7", "attempt": 2, "agent": "a-1", "seconds": 1.5}
    assert record.getMessage() == "took long task='t-7' attempt=2 agent='a-1' seconds=1.5"


def test_positional_arguments_per_cent_signs_and_exceptions_work_as_in_logging(kept: Kept) -> None:
    """H1: the standard library's habits."""
    log = get_logger("outside")
    log.info("%d of %d", 1, 2)
    log.info("100 % sure")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    assert [record.getMessage() for record in kept.records] == ["1 of 2", "100 % sure", "failed"]
    assert kept.records[0].name == "actors.outside"
    assert kept.records[2].levelno == logging.ERROR
    assert kept.records[2].exc_info is not None


def test_the_place_in_the_source_is_that_of_the_caller(kept: Kept) -> None:
    """H1: a record tells where it was made."""
    get_logger("x").warning("here")
    assert kept.records[0].filename == "test_logs.py"


def test_a_level_that_is_off_makes_no_record(kept: Kept) -> None:
    """H1: levels."""
    logging.getLogger("actors").setLevel(logging.WARNING)
    get_logger("actors.quiet").info("unheard")
    assert kept.records == []


def test_secrets_do_not_leave_through_structured_records(kept: Kept) -> None:
    """H1: redaction."""
    get_logger("x").warning("login", password="hunter2!", url="https://me:hunter2!@host/")  # pragma: allowlist secret
    assert "hunter2" not in kept.records[0].getMessage()


def test_the_library_uses_its_loggers_without_importing_structlog_or_touching_its_configuration() -> None:
    """H1 J1: structlog comes when first used, and stays as the program has configured it."""
    program = (
        "import sys, actors.logs as logs\n"
        "log = logs.get_logger('x')\n"
        "assert 'structlog' not in sys.modules\n"
        "log.warning('hello', a=1)\n"
        "import structlog\n"
        "assert not structlog.is_configured()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "hello a=1" in done.stderr


def test_bound_fields_belong_to_their_context() -> None:
    """H1: another thread has its own."""
    token = bind(agent="a-1")
    seen: list[Any] = []
    with bound(task="t"):
        assert bound_fields() == {"agent": "a-1", "task": "t"}
        thread = threading.Thread(target=lambda: seen.append(dict(bound_fields())))
        thread.start()
        thread.join()
    unbind(token)
    assert bound_fields() == {}
    assert seen == [{}]


# Secrets


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "apiKey", "api_key", "API-KEY", "AUTHORIZATION", "token", "accessToken", "x.secret"],
)
def test_names_of_secrets_are_known(name: str) -> None:
    """H1: redaction by name."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["tokens_left", "key", "author", "monkey", "task", "cookies_eaten", "tokenizer"])
def test_harmless_names_are_left_alone(name: str) -> None:
    """H1: redaction by name."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:SECRETVALUE@host/db",  # pragma: allowlist secret
        "Authorization: Bearer SECRETVALUE.abc",
        "password=SECRETVALUE",
        "'api_key': 'SECRETVALUE'",
        'token = "SECRETVALUE with spaces"',
        "MY_SECRET: SECRETVALUE, other=1",
    ],
)
def test_secrets_are_known_by_their_shape(text: str) -> None:
    """H1: redaction of texts."""
    redacted = Redactor({}).text(text)
    assert "SECRETVALUE" not in redacted
    assert REDACTED in redacted


def test_the_working_directory_is_no_secret() -> None:
    """H1: PWD is a directory and not a password: paths below it stay readable."""
    redactor = Redactor({"PWD": "/home/ada/project", "OLDPWD": "/home/ada/elsewhere", "DB_PWD": "open sesame"})
    text = "/home/ada/project/main.py:3: as in /home/ada/elsewhere, with open sesame"
    assert redactor.text(text) == text.replace("open sesame", REDACTED)


def test_values_of_secret_variables_are_taken_out_wherever_they_stand() -> None:
    """H1: redaction by value."""
    redactor = Redactor({"DB_PASSWORD": "correct horse", "SHORT_TOKEN": "1", "HOME": "/home/me"})
    assert redactor.text("say correct horse in /home/me 1") == f"say {REDACTED} in /home/me 1"
    assert redactor.fields({"a": ["correct horse"], "b": {"c": "correct horse"}}) == {
        "a": [REDACTED],
        "b": {"c": REDACTED},
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), ANYTHING, max_size=5))
def test_fields_become_plain_values_whatever_they_are(fields: dict[str, Any]) -> None:
    """H1: what leaves an agent can be written without naming a class."""

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                assert type(key) is str
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert value is None or type(value) in {str, int, float, bool}

    check(Redactor({}).fields(fields))


def test_fields_are_bounded_in_number_depth_and_length() -> None:
    """H1: a log line cannot fill a mailbox."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    fields = Redactor({}).fields(
        {"deep": deep, "long": "x" * 100_000, "bad": Hostile()} | {str(n): n for n in range(1000)}
    )
    assert len(fields) == 65
    assert len(fields["long"]) < 10_000
    assert "cannot be shown" in fields["bad"]
    assert len(str(fields)) < 20_000


# From an agent to the program


def test_a_record_of_an_agent_becomes_an_event_with_text_fields_and_traceback(forwarded: Any) -> None:
    """H1: workers' log records."""
    events, _, logger = forwarded()
    try:
        raise ValueError("broken")
    except ValueError:
        with bound(task="t-1"):
            logger.exception("failed %s", "badly", extra={"size": 3})
    (event,) = events
    assert (event.source, event.logger, event.level, event.message) == ("a-1", "agentlib", 40, "failed badly")
    assert event.fields["task"] == "t-1"
    assert event.fields["size"] == 3
    assert event.exception.endswith("ValueError: broken")
    assert event.time > 1e9
    assert pickle.loads(pickle.dumps(event)) == event


def test_structured_records_keep_their_fields_on_the_way(forwarded: Any) -> None:
    """H1: text and fields stay apart."""
    events, _, _ = forwarded(install_on=logging.getLogger("actors"))
    get_logger("actors.worker").warning("decoded", size=3)
    (event,) = events
    assert event.message == "decoded"
    assert event.fields["size"] == 3


def test_only_records_of_the_level_and_above_are_forwarded(forwarded: Any) -> None:
    """A4: log level."""
    events, forwarder, logger = forwarded(level="info")
    logger.debug("no")
    logger.info("yes")
    assert [event.message for event in events] == ["yes"]
    forwarder.remove()
    forwarder.remove()
    assert logger.level == logging.NOTSET
    logger.error("gone")
    assert len(events) == 1


def test_warnings_are_forwarded_while_it_is_installed(forwarded: Any) -> None:
    """H1: workers' warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        earlier = warnings.showwarning
        events, forwarder, _ = forwarded(install_on=logging.getLogger())
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        forwarder.remove()
        assert warnings.showwarning is earlier
    assert "old ways" in events[0].message
    assert events[0].logger == "py.warnings"


def test_secrets_stay_in_the_agent(forwarded: Any) -> None:
    """H1: redaction of messages, fields and tracebacks."""
    events, _, logger = forwarded(redactor=Redactor({"MY_TOKEN": "abcdefghijk"}))
    try:
        raise ValueError("abcdefghijk")
    except ValueError:
        logger.exception("abcdefghijk", extra={"note": "abcdefghijk", "password": "x"})
    assert "abcdefghijk" not in str(events)
    assert events[0].fields["password"] == REDACTED


def test_a_flood_of_records_is_bounded_and_told(forwarded: Any) -> None:
    """H1: a task that logs without end does not fill the program's memory."""
    now = 0.0
    events, forwarder, logger = forwarded(per_second=10, clock=lambda: now)
    for number in range(1000):
        logger.warning("%d", number)
    assert [event.message for event in events] == [str(number) for number in range(10)]
    assert forwarder.dropped == 990
    now = 0.5
    logger.warning("after")
    assert [event.message for event in events[10:]] == [
        "990 log records were dropped: more than 10 in a second",
        "after",
    ]


def test_a_publisher_that_fails_or_logs_harms_nobody(forwarded: Any) -> None:
    """H1: no loop, and a log line never fails a task."""

    def publish(_: LogRecorded) -> None:
        logging.getLogger("agentlib").warning("I log too")
        raise OSError("gone")

    _, forwarder, logger = forwarded(publish=publish)
    logger.warning("one")
    assert forwarder.dropped == 1


def test_a_record_whose_arguments_do_not_fit_is_forwarded_all_the_same(forwarded: Any) -> None:
    """H1: a bad log call does not fail the task, and is seen."""
    events, forwarder, logger = forwarded()
    forwarder.handle(logger.makeRecord("agentlib", 30, "f.py", 1, "%d files", ("text",), None))
    assert events[0].message == "%d files (its arguments do not fit: TypeError)"


# In the program


def test_a_replayed_record_arrives_under_its_name_with_level_time_source_and_traceback(kept: Kept) -> None:
    """H1: agents' records arrive in the program's logging."""
    event = LogRecorded(
        source="a-1",
        time=1_700_000_000.25,
        logger="agentlib.decode",
        level=40,
        message="100 % failed",
        fields={"task": "t-1"},
        exception="Traceback …\nValueError: broken",
    )
    replay(event)
    (record,) = kept.records
    assert (record.name, record.levelno, record.processName) == ("agentlib.decode", 40, "a-1")
    assert record.created == 1_700_000_000.25
    assert record.__dict__["actors_fields"] == {"task": "t-1"}
    text = logging.Formatter("%(processName)s %(name)s %(message)s").format(record)
    assert text == "a-1 agentlib.decode 100 % failed task='t-1'\nTraceback …\nValueError: broken"


def test_the_program_decides_by_level_what_it_hears(kept: Kept) -> None:
    """J1: the program's own configuration holds."""
    logging.getLogger("agentlib").setLevel(logging.ERROR)
    replay(LogRecorded(source="a-1", logger="agentlib", level=30, message="unheard"))
    assert kept.records == []


def test_a_record_does_not_go_round_in_circles(forwarded: Any, kept: Kept) -> None:
    """H1: agent and program in one process, both listening."""
    events, _, logger = forwarded(publish=lambda event: (seen.append(event), replay(event)))
    seen: list[LogRecorded] = []
    assert events == []
    logger.warning("once")
    assert len(seen) == 1
    replay(seen[0])
    assert len(seen) == 1
    assert len(kept.records) == 3


def test_a_record_of_an_agent_of_an_agent_reaches_the_program(forwarded: Any) -> None:
    """H1: nested systems."""
    inner, inner_forwarder, logger = forwarded(source="inner-1")
    logger.warning("deep", extra={"size": 1})
    inner_forwarder.remove()
    outer, _, _ = forwarded(source="outer-1")
    replay(inner[0])
    (event,) = outer
    assert (event.source, event.message, event.fields["size"]) == ("inner-1", "deep", 1)


def test_what_is_replayed_may_be_nonsense(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """I3: a hostile agent makes no endless number of loggers, and no error."""
    # Other tests of this process want names of their own afterwards.
    monkeypatch.setattr("actors.logs._names", set())
    nonsense: Any = {"logger": 7, "level": "high", "message": None, "fields": [1], "exception": 5}
    replay(LogRecorded(source="a-1", **nonsense))
    before = len(logging.Logger.manager.loggerDict)
    for number in range(3000):
        replay(LogRecorded(source="a-1", logger=f"agentlib.x{number}", level=10, message="m"))
    assert len(logging.Logger.manager.loggerDict) - before <= 1010
    assert len(kept.records) == 3000
