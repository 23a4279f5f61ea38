"""Jinja2 templates of strangers: what they may see, do and use up."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

import jinja2
import jinja2.sandbox

from actors.workers.general_purpose import resolve_callable
from actors.workers.templates import Rules, TemplateFailed, Templates

__all__ = ["Sandbox", "failed", "load_template", "render_bounded", "render_text"]

_MAX_PATH = 4096
_MARK = "template:"
_MAX_VALUE = 8 * 1024 * 1024
_MAX_BITS = 64 * 1024
_PLAIN: tuple[type[Any], ...] = (str, int, float, complex, bool, type(None), list, tuple, dict, set, frozenset, range)
_PLAIN += (dt.date, dt.datetime, dt.time, dt.timedelta)
# Methods of text that make a result of a width that the template names.
_WIDENING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The environment in which templates are rendered.

    Templates see the data that they are given, Jinja2's own filters and tests, and the filters of the rules; of
    objects no attribute but the public values of dataclasses and the methods of plain data that change nothing. They
    cannot reach modules, functions or classes, and operations that would make a huge value out of a small text raise.
    What is left, an endless loop or a heap of small values, is the business of the task's time and memory limits.

    Args:
        rules: how templates are rendered.
        templates: where they come from.

    Raises:
        ConfigError: a filter cannot be found.
    """

    # Not folded when the template is compiled, but judged when it runs.
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, rules: Rules, templates: Templates) -> None:
        super().__init__(
            loader=_Loader(templates),
            autoescape=rules.autoescape,
            undefined=jinja2.StrictUndefined if rules.undefined == "error" else jinja2.Undefined,
            trim_blocks=rules.trim,
            lstrip_blocks=rules.trim,
            keep_trailing_newline=True,
        )
        del self.globals["lipsum"]
        for name in ("center", "indent", "format"):
            self.filters[name] = _bounded_filter(self.filters[name])
        for name, reference in rules.filters.items():
            self.filters[name] = resolve_callable(reference)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may see an attribute."""
        return super().is_safe_attribute(obj, attr, value) and _may_see(obj, value)

    def is_safe_callable(self, obj: Any) -> bool:
        """Whether a template may call it."""
        return not isinstance(obj, type) and super().is_safe_callable(obj)

    def wrap_str_format(self, value: Any) -> Any:
        """The method `format` of a text, with a bound on the widths that it is given."""
        own = super().wrap_str_format(value)
        if own is None:
            return None

        @functools.wraps(own)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            _check_format(value.__self__, (*args, *kwargs.values()))
            return own(*args, **kwargs)

        return bounded

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Do one of the operations that may make a huge value."""
        _check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call something for a template."""
        if getattr(obj, "__name__", "") in _WIDENING and isinstance(getattr(obj, "__self__", None), str | bytes):
            _check_widths((*args, *kwargs.values()))
        return super().call(context, obj, *args, **kwargs)


class _Loader(jinja2.BaseLoader):
    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        text = self._templates.source(template)
        if text is None:
            raise jinja2.TemplateNotFound(template)
        # The file's name marks the template's own frames in a traceback.
        return text, f"{_MARK}{template}", lambda: True

    def list_templates(self) -> list[str]:
        return list(self._templates.names())


def _may_see(owner: Any, value: Any) -> bool:
    """Whether a template may see an attribute. What is not named here is not seen."""
    if isinstance(owner, type | ModuleType):
        return False
    module = type(owner).__module__
    if module.partition(".")[0] in {"jinja2", "markupsafe"}:
        return True
    if isinstance(owner, _PLAIN):
        return type(owner) in _PLAIN or not callable(value)
    if dataclasses.is_dataclass(owner) or (isinstance(owner, tuple) and hasattr(owner, "_fields")):
        return not callable(value)
    return False


def _check_operation(operator: str, left: Any, right: Any) -> None:
    sized = (str, bytes, list, tuple)
    if operator == "*":
        for value, times in ((left, right), (right, left)):
            if isinstance(value, sized) and isinstance(times, int) and len(value) * times > _MAX_VALUE:
                _too_large(f"a value repeated {times:,} times")
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_BITS:
            _too_large("a product")
    elif operator == "**":
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * max(right, 0) > _MAX_BITS:
            _too_large("a power")
    elif operator == "+":
        if isinstance(left, sized) and isinstance(right, sized) and len(left) + len(right) > _MAX_VALUE:
            _too_large("a concatenation")
    elif operator == "%" and isinstance(left, str | bytes):
        _check_format(left, right)


def _check_format(text: str | bytes, values: Any) -> None:
    """A format such as %999999999d, or %*d with the width among the values."""
    digits = 0
    for char in text if isinstance(text, str) else text.decode("latin-1"):
        digits = digits * 10 + int(char) if char in "0123456789" else 0
        if digits > _MAX_VALUE:
            _too_large("a format")
    _check_widths(values if isinstance(values, tuple) else (values,))


def _check_widths(values: tuple[Any, ...]) -> None:
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_VALUE:
            _too_large(f"a text of width {value:,}")


def _bounded_filter(own: Callable[..., Any]) -> Callable[..., Any]:
    """One of Jinja2's filters that takes a width or a format, with a bound."""

    @functools.wraps(own)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        values = (*args, *kwargs.values())
        _check_widths(values)
        for value in values:
            if isinstance(value, str) and "%" in value and own.__name__ == "do_format":
                _check_format(value, ())
        return own(*args, **kwargs)

    return bounded


def load_template(environment: jinja2.Environment, name: str) -> jinja2.Template:
    """Read and compile a template.

    Raises:
        TemplateFailed: there is none of that name, or it cannot be compiled; it says where and why.
    """
    try:
        return environment.get_template(name)
    except TemplateFailed:
        raise
    except RecursionError as error:
        raise TemplateFailed(f"{name} is nested too deeply", template=name) from error
    except Exception as error:
        raise failed(error, name) from error


def render_bounded(template: jinja2.Template, context: Mapping[str, Any], most: int) -> str:
    """Render a template, and stop as soon as it has given more than it may.

    Args:
        template: as from `load_template`.
        context: the values of its variables.
        most: characters.

    Raises:
        TemplateFailed: it gave more than `most` characters, or fails; the cause is chained.
    """
    name = str(template.name)
    pieces: list[str] = []
    total = 0
    try:
        for piece in template.generate(context):
            total += len(piece)
            if total > most:
                message = f"{name} gives more than {most:,} characters; raise max_output, or give it less to print"
                raise TemplateFailed(message, template=name)
            pieces.append(piece)
    except TemplateFailed:
        raise
    except RecursionError as error:
        raise TemplateFailed(f"{name} calls itself without end", template=name) from error
    except Exception as error:
        raise failed(error, name) from error
    return "".join(pieces)


def render_text(environment: jinja2.Environment, text: str, context: Mapping[str, Any]) -> str:
    """Render a short text that is a template by itself, such as the path of a file.

    Raises:
        TemplateFailed: it cannot be compiled or rendered, or gives more than a path could be.
    """
    try:
        template = environment.from_string(text)
    except Exception as error:
        raise failed(error, text) from error
    template.name = text
    return render_bounded(template, context, _MAX_PATH)


def failed(error: Exception, name: str) -> TemplateFailed:
    """What a template failed with, and the place in it."""
    line: int | None = None
    if isinstance(error, jinja2.TemplateNotFound):
        missing = ", ".join(dict.fromkeys(str(one) for one in getattr(error, "templates", None) or [error.name]))
        text = f"there is no template {missing}"
    elif isinstance(error, jinja2.TemplateSyntaxError):
        name, line = error.name or name, error.lineno
        text = error.message or "a syntax error"
    else:
        detail = getattr(error, "message", None) or str(error)
        text = f"{type(error).__name__}: {detail}" if detail else type(error).__name__
    step = error.__traceback__
    while step is not None and not isinstance(error, jinja2.TemplateSyntaxError):
        file = step.tb_frame.f_code.co_filename
        if file.startswith(_MARK):
            name, line = file.removeprefix(_MARK), step.tb_lineno
        step = step.tb_next
    place = f"{name}, line {line}" if line else name
    return TemplateFailed(f"{place}: {text}", template=name, line=line)


def _too_large(what: str) -> NoReturn:
    raise OverflowError(f"{what} would be larger than a template may make")
