"""Logging: structured loggers, ids bound to records, secrets kept out, and agents' records in the program's logging.

    agent:    logging, structlog, warnings ── AgentLogForwarder ── publish(LogRecorded) ──▶ control plane
    program:  control plane ── replay(LogRecorded) ──▶ logging, under the same logger's name

Nothing here touches the program's own configuration of logging or of structlog. Records of the library go to
loggers below "actors"; the program decides what becomes of them.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, cast

from actors.protocol.events import LogRecorded

if TYPE_CHECKING:
    import structlog

__all__ = [
    "REDACTED",
    "AgentLogForwarder",
    "Redactor",
    "bind",
    "bound",
    "bound_fields",
    "get_logger",
    "replay",
    "unbind",
]

REDACTED = "***"

_SECRET_NAME = re.compile(
    r"password|passwd|passphrase|secret|credential|authorization|(api|access|private|auth)[_-]?key"
    r"|(^|[^a-z0-9])(token|cookie|pwd|auth)($|[^a-z0-9])"
)
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_SECRET_TEXT = (
    # user:password@ in an address
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        re.compile(
            r"""\b([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key))(['"]?\s*[=:]\s*)('[^']*'|"[^"]*"|[^\s,;&'"]+)""",
            re.IGNORECASE,
        ),
        rf"\1\2{REDACTED}",
    ),
)
# The shells' names for the working directory, which stands in every path below it.
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})
# A value of the environment shorter than this would take harmless text away with it.
_LEAST_SECRET = 8
_LONGEST_TEXT = 8192
_LONGEST_STORY = 32_768
_MOST_FIELDS = 64
_DEEPEST = 4
_MOST_LOGGERS = 1000
_VIA = "_via"

_bound: ContextVar[Mapping[str, Any]] = ContextVar("actors_log_fields", default={})  # noqa: B039 - never changed in place
_ordinary = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


# Fields that go with every record.


def bind(**fields: Any) -> Token[Mapping[str, Any]]:
    """Have these fields go with every record of the present context (thread or async task), until `unbind`."""
    return _bound.set({**_bound.get(), **fields})


def unbind(token: Token[Mapping[str, Any]]) -> None:
    """Take back what the `bind` that gave this token did."""
    _bound.reset(token)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Have these fields go with every record inside the block.

    Example:
        >>> with bound(agent="thumbnailer-1", task="t-7", attempt=1):
        ...     log.info("decoded")
    """
    token = bind(**fields)
    try:
        yield
    finally:
        unbind(token)


def bound_fields() -> Mapping[str, Any]:
    """The fields that go with a record made here and now."""
    return _bound.get()


# Secrets.


class Redactor:
    """Takes secrets out of texts and fields: by the name of a field, by shape, and by value.

    Args:
        environ: values of variables whose names look like those of secrets are taken out wherever they appear; the
            process's own environment if None.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        values = {
            value
            for name, value in (os.environ if environ is None else environ).items()
            if len(value) >= _LEAST_SECRET and is_secret_name(name) and name not in _NO_SECRETS
        }
        # The longer first, for one may hold another.
        longest_first = sorted(values, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if values else None

    def text(self, text: str) -> str:
        """A text without secrets."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        for pattern, instead in _SECRET_TEXT:
            text = pattern.sub(instead, text)
        return text

    def fields(self, fields: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """Fields as plain values (text, numbers, None, lists and dicts of these) without secrets, bounded in size."""
        plain = {}
        for number, (key, value) in enumerate(fields.items()):
            if number == _MOST_FIELDS:
                plain["…"] = f"{len(fields) - number} more"
                break
            name = str(key)
            plain[name] = REDACTED if value is not None and is_secret_name(name) else self._plain(value, depth)
        return plain

    def _plain(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping) and depth < _DEEPEST:
            return self.fields(value, depth + 1)
        if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
            return [self._plain(item, depth + 1) for item in list(value)[:_MOST_FIELDS]]
        return self.text(_cut(value if type(value) is str else _show(value), _LONGEST_TEXT))


def is_secret_name(name: str) -> bool:
    """Whether a field or variable of this name holds a secret, as far as one can tell."""
    return _SECRET_NAME.search(_CAMEL.sub(r"\1_\2", name).lower()) is not None


def _show(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's __str__ raises, the record goes on
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} characters more)"


# Structured loggers.


class _LazyLogger:
    """Stands for a structlog logger and becomes it when first used: importing structlog takes time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        # The copies of two threads that come here at once are equal.
        real = self.__dict__.setdefault("_real", _make_logger(self._name)) if attribute != "_real" else None
        found = getattr(real, attribute)
        self.__dict__[attribute] = found
        return found

    def __repr__(self) -> str:
        return f"<logger {self._name}>"


def get_logger(name: str = "actors") -> structlog.stdlib.BoundLogger:
    """A structlog logger of the library, over the logger of that name in the standard library's logging.

    What is bound to it or to the context becomes part of the text (`event key=value`) and stands as a dict in the
    attribute `actors_fields` of the record. The program's configuration of structlog has no influence on it.

    Args:
        name: a dotted name; one outside of "actors" is put below it.
    """
    inside = name == "actors" or name.startswith("actors.")
    return cast("structlog.stdlib.BoundLogger", _LazyLogger(name if inside else f"actors.{name}"))


def _make_logger(name: str) -> Any:
    import structlog  # noqa: PLC0415 - takes longer to import than the rest of the library

    redactor = Redactor()

    def drop_unwanted(logger: Any, method: str, event: Any) -> Any:
        level = logging.ERROR if method == "exception" else logging.getLevelNamesMapping().get(method.upper(), 0)
        if not logger.isEnabledFor(level):
            raise structlog.DropEvent
        return event

    def hand_over(_logger: Any, method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
        exc_info = event.pop("exc_info", method == "exception")
        stack_info = event.pop("stack_info", False)
        text = redactor.text(str(event.pop("event", "")))
        fields = redactor.fields({**_bound.get(), **event})
        told = " ".join([text, *(f"{key}={value!r}" for key, value in fields.items())])
        extra = {"actors_fields": fields, "actors_event": text}
        # Without arguments logging leaves a per cent sign in the text alone.
        return (told,), {"extra": extra, "exc_info": exc_info, "stack_info": stack_info, "stacklevel": 4}

    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[drop_unwanted, structlog.stdlib.PositionalArgumentsFormatter(), hand_over],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    ).bind()


# From an agent to the program.


class AgentLogForwarder(logging.Handler):
    """Turns an agent's log records and warnings into events.

    Args:
        publish: takes each event; may be slow or raise, and may log: what is logged inside it is not forwarded.
        source: the agent's id.
        level: records below it are left alone.
        per_second: records beyond this rate (after a burst of as many) are dropped; how many is told later.
        redactor: takes secrets out.
        clock: monotonic seconds.
        install_on: the logger to listen at; the root's if None.

    Between `install` and `remove` it also captures warnings of the `warnings` module. An event that came through
    this very forwarder before, and was replayed in this process, is not sent round again.
    """

    def __init__(
        self,
        publish: Callable[[LogRecorded], object],
        *,
        source: str,
        level: int | str = logging.WARNING,
        per_second: int = 1000,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.monotonic,
        install_on: logging.Logger | None = None,
    ) -> None:
        super().__init__(level.upper() if isinstance(level, str) else level)
        self.dropped = 0
        self._publish = publish
        self._source = source
        self._per_second = per_second
        self._redactor = redactor or Redactor()
        self._clock = clock
        self._logger = install_on or logging.getLogger()
        self._earlier: tuple[int, bool] | None = None
        self._mark = f"{os.getpid()}.{id(self)}"
        self._inside = threading.local()
        self._credit, self._credited = float(per_second), clock()
        self._untold = 0

    def install(self) -> None:
        """Begin to listen. The logger's level is lowered if it would hold back what is to be forwarded."""
        if self._earlier is not None:
            return
        self._earlier = (self._logger.level, _captures_warnings())
        self._logger.addHandler(self)
        if self._logger.getEffectiveLevel() > self.level:
            self._logger.setLevel(self.level)
        logging.captureWarnings(capture=True)

    def remove(self) -> None:
        """Stop listening, and put back what `install` changed."""
        if self._earlier is None:
            return
        level, captured = self._earlier
        self._earlier = None
        self._logger.removeHandler(self)
        self._logger.setLevel(level)
        if not captured:
            logging.captureWarnings(capture=False)

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record. Never raises: a log line must not fail a task."""
        via = getattr(record, "actors_via", ())
        if getattr(self._inside, "busy", False) or self._mark in via:
            return
        self._inside.busy = True
        try:
            if not self._may_send():
                self.dropped += 1
                self._untold += 1
                return
            if self._untold:
                untold, self._untold = self._untold, 0
                self._publish(self._notice(untold))
            self._publish(self._event(record, via))
        except Exception:  # noqa: BLE001 - there is nobody to tell but the log itself
            self.dropped += 1
        finally:
            self._inside.busy = False

    def _may_send(self) -> bool:
        now = self._clock()
        self._credit = min(float(self._per_second), self._credit + (now - self._credited) * self._per_second)
        self._credited = now
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def _notice(self, untold: int) -> LogRecorded:
        return LogRecorded(
            source=self._source,
            time=time.time(),
            logger="actors.logs",
            level=logging.WARNING,
            message=f"{untold} log records were dropped: more than {self._per_second} in a second",
            fields={_VIA: [self._mark]},
        )

    def _event(self, record: logging.LogRecord, via: tuple[str, ...]) -> LogRecorded:
        fields = {key: value for key, value in record.__dict__.items() if key not in _ordinary}
        own = fields.pop("actors_fields", {})
        text = fields.pop("actors_event", None)
        fields.pop("actors_via", None)
        plain = self._redactor.fields({**_bound.get(), **own, **fields})
        plain[_VIA] = [*via, self._mark]
        return LogRecorded(
            source=getattr(record, "agent", None) or self._source,
            time=record.created,
            logger=record.name,
            level=record.levelno,
            message=self._redactor.text(_cut(_message(record) if text is None else text, _LONGEST_TEXT)),
            fields=plain,
            exception=self._story(record),
        )

    def _story(self, record: logging.LogRecord) -> str | None:
        story = record.exc_text or ""
        if not story and record.exc_info:
            story = logging.Formatter().formatException(record.exc_info)
        if record.stack_info:
            story = f"{story}\n{record.stack_info}".strip()
        if len(story) > _LONGEST_STORY:
            # The end of a traceback says more than its beginning.
            story = f"({len(story) - _LONGEST_STORY} characters before) …{story[-_LONGEST_STORY:]}"
        return self._redactor.text(story) if story else None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit the text: it is worth more than nothing
        return f"{_show(record.msg)} (its arguments do not fit: {type(error).__name__})"


def _captures_warnings() -> bool:
    import warnings  # noqa: PLC0415 - used here alone

    return warnings.showwarning is getattr(logging, "_showwarning", None)


# In the program.

_names: set[str] = set()


def replay(event: LogRecorded) -> None:
    """Put an agent's record into the program's logging, under the name of the logger that made it there.

    The record has the agent's id as `processName` and `agent`, its bound values as `actors_fields`, the time at
    which it was made, and the traceback as text. Whether and where it appears is the program's configuration's choice.
    """
    # What an agent sends may be of any type, whatever the event's class says.
    name, level, fields = (getattr(event, each, None) for each in ("logger", "level", "fields"))
    name = name if isinstance(name, str) else ""
    if name not in _names:
        # Loggers live for ever: an agent must not be able to make any number of them.
        if len(_names) >= _MOST_LOGGERS:
            name = "actors.agents"
        _names.add(name)
    logger = logging.getLogger(None if name in {"", "root"} else name)
    level = level if isinstance(level, int) else logging.WARNING
    if not logger.isEnabledFor(level):
        return
    fields = dict(fields) if isinstance(fields, Mapping) else {}
    via = fields.pop(_VIA, ())
    told = " ".join([str(event.message), *(f"{key}={value!r}" for key, value in fields.items())])
    record = logger.makeRecord(logger.name, level, "(agent)", 0, told, (), None, None, None)
    record.__dict__.update(
        actors_fields=fields,
        actors_event=str(event.message),
        actors_via=tuple(via) if isinstance(via, list | tuple) else (),
        agent=event.source,
        processName=event.source,
        process=None,
        thread=None,
        threadName=None,
    )
    if isinstance(getattr(event, "time", None), float):
        record.relativeCreated += (event.time - record.created) * 1000
        record.created, record.msecs = event.time, (event.time % 1) * 1000
    if event.exception:
        record.exc_text = str(event.exception)
    logger.handle(record)
