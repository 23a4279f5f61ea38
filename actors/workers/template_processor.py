"""The worker that renders templates, generates files from them and checks them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from actors.config import Limits
from actors.errors import ConfigError
from actors.worker import Worker, task
from actors.workers.filetree import checked_path, write_tree
from actors.workers.globs import expand
from actors.workers.templates import Rules, TemplateFailed, Templates, check_names, refuse

if TYPE_CHECKING:
    from types import ModuleType

    from actors.workers.templatecheck import TemplateProblem

__all__ = ["TemplateProcessor", "sandbox_module"]

_MAIN = "<template>"
_SUFFIX = ".j2"
_OPERATIONS = ("render", "generate", "validate")


class TemplateProcessor(Worker):
    """Renders Jinja2 templates in a sandbox, generates files from them, and checks them.

    Templates see the data of the task and nothing else, and write nowhere but below the output folder. A hostile one
    that runs or allocates without end ends at the limits of its task.

    Where templates come from is said in the same way for each task: `template` is the text of one; `templates` are
    texts by name and `folder` a folder of them, of which `name` chooses one, and from which templates include, import
    and extend others. `rules` are the fields of `Rules`, as {"autoescape": False}.

    Work described as data names its operation, and has the arguments of the task of that name:

        TaskSpec(type="template_processing",
                 data={"operation": "render", "template": "Dear {{ name }}", "context": {"name": "Ada"}})
    """

    agent_type = "template_processor"
    role = "processor"
    specialization = "templates and generated files"
    capabilities = frozenset({"template_rendering", "file_generation", "validation"})
    cpu = "high"
    memory = "moderate"
    io = "moderate"
    limits = Limits(memory="1GiB")
    timeout = 120.0

    @task(type="template_processing")
    def process(self, /, operation: Literal["render", "generate", "validate"], **data: Any) -> str | tuple[Any, ...]:
        """One of the other tasks, named by its data.

        Args:
            operation: "render", "generate" or "validate".
            **data: the arguments of the task of that name.

        Raises:
            ConfigError: there is no such operation, or it does not take these data. Else as the task of that name.
        """
        if operation not in _OPERATIONS:
            refuse("operation", operation, '"render", "generate" or "validate"')
        method = type(self).tasks()[operation]
        try:
            method.bind_check((), data)
        except TypeError as error:
            message = f"the data of a template_processing task do not fit its operation: {error}"
            raise ConfigError(message, key="operation", value=operation) from None
        done: str | tuple[Any, ...] = method(self, **data)
        return done

    @task(type="template_processing.render")
    def render(
        self,
        template: str | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        templates: Mapping[str, str] | None = None,
        folder: str | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> str:
        """Render one template.

        Args:
            template: its text; or
            name: its name among `templates` or in `folder`.
            context: the values of its variables: plain data and dataclasses.
            templates: see the class, also for the next.
            folder: see above.
            rules: see above.

        Returns:
            What it gives.

        Raises:
            TemplateFailed: it cannot be compiled or rendered, or gives too much; with its name and line.
            ConfigError: the data of the task are not what is expected, or the extra `review` is missing.
        """
        chosen = _chosen(template, name)
        jinja = sandbox_module()
        environment = jinja.Sandbox(_rules(rules), _templates(template, templates, folder))
        page = jinja.load_template(environment, chosen)
        text: str = jinja.render_bounded(page, _context(context), _rules(rules).max_output)
        return text

    @task(type="template_processing.generate")
    def generate(
        self,
        output: str,
        files: Mapping[str, str] | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        templates: Mapping[str, str] | None = None,
        folder: str | None = None,
        rules: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> tuple[str, ...]:
        """Render templates into files below a folder: all of them, or none (see `write_tree`).

        Args:
            output: the folder, made if it is not there.
            files: names of templates by the paths of the files to write, relative to `output`. None makes the image
                of `folder`: templates (`*.j2`) are rendered to files without that suffix, others are taken as they
                are.
            context: the values of all their variables; the paths are templates, too.
            templates: see the class, also for the next.
            folder: see above.
            rules: see above. Nothing is escaped unless the rules say `autoescape`.
            overwrite: replace files that are there; otherwise they are an error.

        Returns:
            The paths that were written, relative to `output`.

        Raises:
            TemplateFailed: one cannot be rendered; nothing is written.
            ConfigError: a path leads out of `output`, also by a link in it, or two files have one path.
            OSError: the operating system refuses; nothing is written.
        """
        _check_output(output, overwrite)
        source = _templates(None, templates, folder)
        chosen_rules = _rules({"autoescape": False, **(rules or {})})
        values = _context(context)
        jinja = sandbox_module()
        environment = jinja.Sandbox(chosen_rules, source)
        wanted = _wanted(source) if files is None else _named(files)
        contents: dict[str, bytes] = {}
        left = chosen_rules.max_output
        for index, (path, name) in enumerate(wanted.items()):
            self.progress(index / (len(wanted) + 1), path)
            place = jinja.render_text(environment, path, values) if "{" in path else path
            checked_path(place)
            if place in contents:
                refuse("files", place, "one template for each path; two give this one")
            if files is None and not name.endswith(_SUFFIX):
                contents[place] = _copied(source, name)
                continue
            text = jinja.render_bounded(jinja.load_template(environment, name), values, left)
            left -= len(text)
            contents[place] = _encoded(text, name)
        write_tree(output, contents, overwrite=overwrite)
        return tuple(contents)

    @task(type="template_processing.validate")
    def validate(
        self,
        template: str | None = None,
        variables: Sequence[str] | None = None,
        *,
        paths: Sequence[str] | None = None,
        templates: Mapping[str, str] | None = None,
        folder: str | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> tuple[TemplateProblem, ...]:
        """Look for mistakes without rendering: syntax, unknown filters, missing templates, undefined variables.

        Args:
            template: the text of one; or
            paths: names of templates, and patterns such as `mail/**/*.j2` for those of `folder`. None with no
                `template` takes all of `templates` and all `*.j2` of `folder`.
            variables: names of the variables that the templates will be given; None does not look for undefined ones.
            templates: see the class, also for the next.
            folder: see above.
            rules: see above.

        Returns:
            The problems, by template and line; none if all is well.

        Raises:
            ConfigError: the data of the task are not what is expected, or the extra `review` is missing.
        """
        _check_variables(variables)
        source = _templates(template, templates, folder)
        environment = sandbox_module().Sandbox(_rules(rules), source)
        from actors.workers.templatecheck import check_template  # noqa: PLC0415 - needs an extra, found above

        if template is not None:
            names = [_MAIN]
        elif paths is not None:
            names = [name for name in paths if name in source.texts]
            names += expand([path for path in paths if path not in source.texts], folder)
        else:
            names = [name for name in source.names() if name in source.texts or name.endswith(_SUFFIX)]
        problems: list[TemplateProblem] = []
        for index, name in enumerate(names):
            self.progress(index / len(names), name)
            problems += check_template(environment, source, name, variables)
        return tuple(problems)


def sandbox_module() -> ModuleType:
    """The part that imports Jinja2, which a program that only submits does without.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    try:
        from actors.workers import sandbox  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = "templates need jinja2, which is not installed: pip install 'actors-hub[review]'"
        raise ConfigError(message, key="review", allowed="actors-hub[review]") from error
    return sandbox


def _check_output(output: Any, overwrite: Any) -> None:
    if not isinstance(output, str) or not output:
        refuse("output", output, "a folder")
    if not isinstance(overwrite, bool):
        refuse("overwrite", overwrite, "True or False")


def _check_variables(variables: Any) -> None:
    if variables is None:
        return
    if isinstance(variables, str) or not all(isinstance(one, str) for one in variables):
        refuse("variables", variables, "a list of names")


def _chosen(template: Any, name: Any) -> str:
    if (template is None) == (name is None):
        refuse("template", template, "its text, or left out where name says which one it is; one of them, not both")
    if name is None and not isinstance(template, str):
        refuse("template", template, "a text")
    if template is None and not isinstance(name, str):
        refuse("name", name, "a text")
    return _MAIN if name is None else str(name)


def _templates(template: str | None, templates: Mapping[str, str] | None, folder: str | None) -> Templates:
    source = Templates({} if templates is None else templates, folder)
    return source if template is None else Templates({**source.texts, _MAIN: template}, folder)


def _rules(rules: Any) -> Rules:
    known = Rules.__dataclass_fields__
    if rules is None:
        return Rules()
    if not isinstance(rules, Mapping) or not set(rules) <= set(known):
        refuse("rules", rules, f"a mapping with some of {', '.join(known)}")
    return Rules(**rules)


def _context(context: Any) -> Mapping[str, Any]:
    if context is None:
        return {}
    if not isinstance(context, Mapping) or not all(isinstance(name, str) for name in context):
        refuse("context", context, "a mapping of names to values")
    return context


def _named(files: Any) -> dict[str, str]:
    check_names("files", files, "a mapping of paths to names of templates")
    return dict(files)


def _wanted(source: Templates) -> dict[str, str]:
    """The files that the image of a folder has, with the names of their templates."""
    if source.folder is None:
        refuse("files", None, "a mapping of paths to names of templates, unless folder gives a tree of them")
    names = [name for name in source.names() if name not in source.texts]
    return {name.removesuffix(_SUFFIX): name for name in names}


def _copied(source: Templates, name: str) -> bytes:
    root = os.path.realpath(str(source.folder))
    path = os.path.realpath(os.path.join(root, name))
    if not path.startswith(os.path.join(root, "")) or not os.path.isfile(path):
        refuse("folder", name, "a folder of files, and this one is a link out of it or no file")
    with open(path, "rb") as file:
        return file.read()


def _encoded(text: str, name: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TemplateFailed(f"{name} gives text that is no Unicode: {error}", template=name) from None
