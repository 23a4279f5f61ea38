"""What can be set, from where, and what is said about what is wrong."""

from __future__ import annotations

import json
import os
import pickle
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import LIMIT_NAMES, AgentConfig, Limits, SystemConfig
from actors.errors import ConfigError
from actors.settings import parse_size

# Sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (1, 1),
        (512, 512),
        ("512", 512),
        ("512M", 512 * 2**20),
        ("512 MiB", 512 * 2**20),
        ("1GiB", 2**30),
        ("1gib", 2**30),
        ("1GB", 10**9),
        ("1.5k", 1536),
        ("2T", 2 * 2**40),
        ("10B", 10),
        (" 7 KB ", 7000),
    ],
)
def test_sizes_are_read_with_their_units(text: object, size: int) -> None:
    """A4: memory as a number of bytes or as text."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [0, -1, True, 1.5, None, "", "M", "5X", "5 M B", "5IB", "-5M", "1e3", "nan", "inf", "0.1", "1..2", "٣M", b"5M"],
)
def test_what_is_no_size_is_refused(text: object) -> None:
    """A4: bad values."""
    with pytest.raises(ValueError, match=r"^"):
        parse_size(text)
    if text is not None:
        with pytest.raises(ConfigError, match='"512M"'):
            Limits(memory=text)  # type: ignore[arg-type]


@given(st.integers(1, 10**6), st.sampled_from(["", "K", "M", "G", "T"]))
def test_any_whole_number_with_any_unit_is_a_size(number: int, unit: str) -> None:
    """A4: sizes."""
    assert parse_size(f"{number}{unit}") == number * 1024 ** " KMGT".index(unit or " ")


# Defaults


def test_the_defaults_are_those_of_the_table() -> None:
    """A4: every row."""
    config = SystemConfig()
    assert [config.agents_at_most(cpus, asked) for cpus, asked in ((2, 3), (16, 3), (2, 40))] == [5, 16, 40]
    assert SystemConfig(max_agents=2).agents_at_most(16, 40) == 2
    assert config.assigned_at_once == 5
    assert (config.agent.timeout, config.task_timeout, config.callable_timeout) == (300, 600, None)
    assert (config.retries, config.callable_retries) == (3, 0)
    assert (config.heartbeat_every, config.heartbeat_missed) == (30, 60)
    limits = config.agent.limits
    assert (limits.memory, limits.open_files, limits.processes, limits.cpu, limits.soft) == (2**30, 1000, 10, 80, 0.8)
    assert [config.callable_agent.limits.hard_limit(name) for name in LIMIT_NAMES] == [None] * 4
    assert config.callable_agent.timeout is None
    assert config.resource_sample_every == 10
    assert config.memory_sample_every <= 1 / 20
    assert config.idle_timeout == config.agent.idle_timeout == 60
    assert config.ageing == 16
    assert (config.restart_intensity, config.restart_period, config.backoff_first, config.backoff_limit) == (
        3,
        5,
        0.1,
        30,
    )
    assert config.grace == config.agent.grace == 5
    assert (config.mailbox_bound, config.frame_limit) == (10_000, 64 * 2**20)
    assert (config.kept_tasks, config.kept_seconds) == (10_000, 24 * 3600)
    assert config.log_level == "warning"
    assert config.workspaces() == Path(tempfile.gettempdir(), f"actors-{os.getuid()}").absolute()
    assert SystemConfig(workspace_root="/x/y").workspaces() == Path("/x/y")


# Limits


def test_limits_have_a_hard_and_a_soft_figure_each() -> None:
    """A4: the soft limit is a share of the hard one."""
    limits = Limits(memory="1000", soft=0.5)
    assert (limits.hard_limit("memory"), limits.soft_limit("memory")) == (1000, 500)
    assert (limits.hard_limit("cpu"), limits.soft_limit("cpu")) == (None, None)


def test_limits_laid_over_others_change_only_what_they_name() -> None:
    """C1: a worker names its memory and keeps the rest; None lifts a limit."""
    base = AgentConfig().limits
    over = base.merged(Limits(memory="2GiB"))
    assert (over.memory, over.open_files, over.soft) == (2**31, 1000, 0.8)
    assert base.merged(Limits(memory=None)).memory is None
    assert base.merged(None) == base.merged(Limits()) == base
    twice = Limits(memory=5).merged(Limits(cpu=7.0))
    assert twice.named == {"memory", "cpu"}


def test_limits_travel_as_plain_values() -> None:
    """A3: limits stand in the registration."""
    limits = Limits(memory="1M", processes=3)
    assert limits.to_wire() == {"memory": 2**20, "processes": 3, "soft": 0.8}
    back = Limits.from_wire(limits.to_wire())
    assert back == limits
    # What comes over the wire is all that is in force, so it also lifts.
    assert Limits(open_files=100).merged(back) == limits
    with pytest.raises(ConfigError, match="memry"):
        Limits.from_wire({"memry": 1})


LIMITS = st.builds(
    Limits,
    memory=st.none() | st.integers(1, 2**50),
    open_files=st.none() | st.integers(16, 10**6),
    processes=st.none() | st.integers(0, 10**4),
    cpu=st.none() | st.floats(0.1, 1e4),
    soft=st.floats(0.01, 1),
)


@given(LIMITS, LIMITS)
def test_any_limits_survive_wire_pickle_and_merging(first: Limits, second: Limits) -> None:
    """A4: limits."""
    assert Limits.from_wire(first.to_wire()) == pickle.loads(pickle.dumps(first)) == first
    assert pickle.loads(pickle.dumps(first)).named == first.named
    assert first.merged(second) == second
    assert first.merged(Limits()) == first


# Agents


def test_configurations_of_an_agent_are_laid_over_each_other() -> None:
    """C1: defaults < worker < spawn."""
    worker = AgentConfig(limits=Limits(memory="512M"), timeout=60, concurrency=4)
    spawn = AgentConfig(limits=Limits(cpu=None), concurrency=1, environment={"A": "1"})
    config = AgentConfig().merged(worker).merged(spawn)
    assert (config.limits.memory, config.limits.open_files, config.limits.cpu) == (512 * 2**20, 1000, None)
    assert (config.timeout, config.concurrency, config.environment) == (60, 1, {"A": "1"})
    assert config.start_timeout == 60


def test_what_is_configured_cannot_be_changed_behind_its_back() -> None:
    """C1: values are frozen, mappings are copies."""
    environment = {"A": "1"}
    config = AgentConfig(environment=environment, arguments={"quality": 60})
    environment["A"] = "2"
    assert config.environment == {"A": "1"}
    with pytest.raises(TypeError):
        config.arguments["quality"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        config.timeout = 3  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(config))
    assert copy == config
    assert copy.named == {"environment", "arguments"}


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Limits, {"open_files": 3}),
        (Limits, {"processes": -1}),
        (Limits, {"cpu": 0}),
        (Limits, {"cpu": float("nan")}),
        (Limits, {"cpu": 10**400}),
        (Limits, {"soft": 0}),
        (Limits, {"soft": 1.1}),
        (AgentConfig, {"timeout": 0}),
        (AgentConfig, {"timeout": "60"}),
        (AgentConfig, {"timeout": float("inf")}),
        (AgentConfig, {"concurrency": True}),
        (AgentConfig, {"concurrency": 0}),
        (AgentConfig, {"concurrency": 1.0}),
        (AgentConfig, {"capabilities": "imaging"}),
        (AgentConfig, {"capabilities": [1]}),
        (AgentConfig, {"environment": {"A": 1}}),
        (AgentConfig, {"environment": {"": "x"}}),
        (AgentConfig, {"environment": "A=1"}),
        (AgentConfig, {"start_method": "forkserver"}),
        (AgentConfig, {"working_directory": ""}),
        (AgentConfig, {"limits": 5}),
        (AgentConfig, {"start_timeout": None}),
        (SystemConfig, {"max_agents": 0}),
        (SystemConfig, {"log_level": "loud"}),
        (SystemConfig, {"admit_by": ["gpu"]}),
        (SystemConfig, {"frame_limit": 2**20}),
        (SystemConfig, {"ceilings": {"a": 3}}),
        (SystemConfig, {"memory_low": 2}),
        (SystemConfig, {"heartbeat_missed": 3}),
        (SystemConfig, {"backoff_limit": 0.01}),
        (SystemConfig, {"memory_enough": 0.01}),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(make: Any, values: dict[str, Any]) -> None:
    """A4: an error that names key, value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        make(**values)
    ((key, value),) = values.items()
    error = caught.value
    assert error.key is not None
    assert error.key.split(".")[-1] == key
    assert error.value == value or value != value  # noqa: PLR0124 - not a number is not equal to itself
    assert error.allowed
    assert error.allowed in str(error)
    assert repr(value)[:50] in str(error)


# Sources


def test_code_goes_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    """A4: defaults < file < environment < code."""
    file = tmp_path / "actors.toml"
    file.write_text(
        "retries = 7\nageing = 7\nmailbox_bound = 7\n[agent]\ngrace = 7\nconcurrency = 7\n"
        '[agent.limits]\nmemory = "7M"\nopen_files = 77\n',
        "utf-8",
    )
    environ = {
        "ACTORS_RETRIES": "8",
        "ACTORS_AGEING": "8",
        "ACTORS_AGENT__GRACE": "8",
        "ACTORS_AGENT__LIMITS__MEMORY": "8M",
    }
    config = SystemConfig.load(file, environ, retries=9, agent=AgentConfig(limits=Limits(memory="9M")))
    assert (config.retries, config.ageing, config.mailbox_bound, config.kept_tasks) == (9, 8, 7, 10_000)
    assert (config.agent.grace, config.agent.concurrency, config.agent.start_timeout) == (8, 7, 60)
    limits = config.agent.limits
    assert (limits.memory, limits.open_files, limits.processes) == (9 * 2**20, 77, 10)


def test_the_environment_is_read_as_the_type_of_each_setting() -> None:
    """A4: numbers, names, pairs, none."""
    config = SystemConfig.load(
        environ={
            "ACTORS_MAX_AGENTS": "4",
            "ACTORS_TASK_TIMEOUT": "none",
            "ACTORS_HEARTBEAT_EVERY": "0.5",
            "ACTORS_ADMIT_BY": "cpu, io",
            "ACTORS_FRAME_LIMIT": "8MiB",
            "ACTORS_LOG_LEVEL": "info",
            "ACTORS_AGENT__ENVIRONMENT": "PATH=/bin,LANG=C",
            "ACTORS_AGENT__TIMEOUT": "Unlimited",
            "HOME": "/home/me",
        }
    )
    assert (config.max_agents, config.task_timeout, config.heartbeat_every) == (4, None, 0.5)
    assert config.admit_by == {"cpu", "io"}
    assert (config.frame_limit, config.log_level) == (2**23, "info")
    assert config.agent.environment == {"PATH": "/bin", "LANG": "C"}
    assert config.agent.timeout is None


def test_what_stands_in_an_agents_environment_is_no_setting() -> None:
    """A3: a system inside an agent is not confused by the agent's own variables."""
    environ = {"ACTORS_AGENT_ID": "a-1", "ACTORS_AGENT_TYPE": "a", "ACTORS_AGENT_WORKSPACE": "/x"}
    environ |= {"ACTORS_SYSTEM_ID": "s", "ACTORS_LAUNCHER_ID": "l"}
    assert SystemConfig.load(environ=environ) == SystemConfig()


def test_without_arguments_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: `ACTORS_…`."""
    monkeypatch.setenv("ACTORS_KEPT_TASKS", "11")
    assert SystemConfig.load().kept_tasks == 11


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ACTORS_RETRIES": "many"}, ["retries takes a whole number of 0 or more", "'many' from ACTORS_RETRIES"]),
        ({"ACTORS_RETRIES": "-1"}, ["'-1' from ACTORS_RETRIES"]),
        ({"ACTORS_RETRY": "1"}, ["there is no setting retry (from ACTORS_RETRY)", "did you mean retries?"]),
        ({"ACTORS_AGENT__LIMITS__MEM": "1"}, ["agent.limits.mem ", "did you mean agent.limits.memory?"]),
        ({"ACTORS_AGENT": "x"}, ["agent takes AgentConfig(…)", "from ACTORS_AGENT"]),
        ({"ACTORS_AGENT": "x", "ACTORS_AGENT__GRACE": "1"}, ["agent takes a table", "from ACTORS_AGENT"]),
        ({"ACTORS_LOG_LEVEL": ""}, ["log_level takes one of"]),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], words: list[str]) -> None:
    """A4: the error says which variable."""
    with pytest.raises(ConfigError) as caught:
        SystemConfig.load(environ=environ)
    for word in words:
        assert word in str(caught.value)
    assert type(caught.value.value) is str


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.toml", "retries = 'x'", "retries takes a whole number"),
        ("a.toml", "retrys = 1", "did you mean retries?"),
        ("a.toml", "retries = = 1", "cannot be read"),
        ("a.toml", "agent = 3", "agent takes AgentConfig"),
        ("a.toml", "[retries]\na = 1", "retries takes a whole number"),
        ("a.yaml", "retries: x", "retries takes a whole number"),
        ("a.yaml", "- 1", "a table of settings"),
        ("a.yaml", "a: [", "cannot be read"),
        ("a.yaml", "retries: !!python/object/apply:os.getpid []", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, content: str, word: str) -> None:
    """A4 I4: files, and YAML is data only."""
    if name.endswith("yaml"):
        pytest.importorskip("yaml")
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=re.escape(word)):
        SystemConfig.load(tmp_path / name, {})


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    """A4: files."""
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read"):
        SystemConfig.load(tmp_path / "missing.toml", {})
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"b\.toml cannot be read"):
        SystemConfig.load(tmp_path / "b.toml", {})


def test_yaml_says_the_same_as_toml(tmp_path: Path) -> None:
    """A4: YAML with its extra."""
    pytest.importorskip("yaml")
    file = tmp_path / "actors.yaml"
    file.write_text("retries: 7\ntask_timeout: null\nagent:\n  limits: {memory: 7M, cpu: none}\n", "utf-8")
    config = SystemConfig.load(file, {})
    assert (config.retries, config.task_timeout, config.agent.limits.memory) == (7, None, 7 * 2**20)
    assert config.agent.limits.cpu is None
    file.write_text("", "utf-8")
    assert SystemConfig.load(file, {}) == SystemConfig()


def test_unknown_settings_in_code_are_refused_too() -> None:
    """A4: an unknown key."""
    with pytest.raises(ConfigError, match=r"did you mean agent\.grace\?"):
        SystemConfig.load(environ={}, agent={"grase": 1})


def test_a_configuration_prints_as_json_and_pickles() -> None:
    """C5: typed values that print."""
    config = SystemConfig.load(environ={}, ceilings={"a": {"memory": "1M"}}, admit_by={"io"})
    printed = json.loads(json.dumps(config.to_dict()))
    assert printed["ceilings"]["a"]["memory"] == 2**20
    assert printed["agent"]["limits"]["open_files"] == 1000
    assert printed["admit_by"] == ["io"]
    assert pickle.loads(pickle.dumps(config)) == config


def test_what_a_part_does_not_name_stays_at_the_defaults_of_the_whole() -> None:
    """A4: `SystemConfig(agent=AgentConfig(limits=Limits(memory=…)))` keeps the other limits."""
    config = SystemConfig(agent=AgentConfig(limits=Limits(memory="2G")), callable_agent=AgentConfig(grace=1))
    assert (config.agent.limits.memory, config.agent.limits.open_files) == (2**31, 1000)
    assert (config.callable_agent.grace, config.callable_agent.timeout) == (1, None)
    assert config.callable_agent.limits.memory is None
