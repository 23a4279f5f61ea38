"""Pinned dependencies with known vulnerabilities, from a dump of OSV."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from actors.quality.check import check_pins
from actors.quality.osv import DumpError, read_dump, vulnerable_pins
from actors.quality.pins import Pin, pins_in
from actors.quality.target import Target


def record(name: str, events: list[dict[str, str]], *, ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": "GHSA-1", "summary": "it is bad", "affected": [affected], **more}


def pins(path: str, text: str) -> list[tuple[str, str, int | None]]:
    return [(one.name, one.version, one.line) for one in pins_in(Target(path, path, None, text))]


def test_pins_of_requirements() -> None:
    """A1: what is pinned, and only that, with its line."""
    text = (
        "# comment\nDjango==4.2.1\nrequests[socks]==2.31.0 ; python_version > '3'  # why\nflask>=2\n-r other.txt\n"
        "a.b-c===1.0 --hash=sha256:00 \\\n  --hash=sha256:11\nx==1.*\nhttps://host/y==1\n"
    )
    expected = [("Django", "4.2.1", 2), ("requests", "2.31.0", 3), ("a.b-c", "1.0", 6)]
    assert pins("requirements.txt", text) == expected
    assert pins("requirements/dev.txt", text) == pins("dev-requirements.txt", text) == expected
    assert pins("notes.txt", text) == []


def test_pins_of_lock_files() -> None:
    """A1: Poetry, uv, PDM, pip's own, Pipenv and npm."""
    toml = '[[package]]\nname = "django"\nversion = "4.2.1"\n\n[[package]]\nname = "x"\nversion = "1"\n'
    for name in ("poetry.lock", "uv.lock", "pdm.lock"):
        assert pins(f"sub/{name}", toml) == [("django", "4.2.1", 2), ("x", "1", 6)]
    assert pins("pylock.dev.toml", toml.replace("[[package]]", "[[packages]]"))[0] == ("django", "4.2.1", 2)
    pipfile = {"default": {"django": {"version": "==4.2.1"}}, "develop": {"y": {"git": "u"}}}
    assert pins("Pipfile.lock", json.dumps(pipfile)) == [("django", "4.2.1", 1)]
    new = {"packages": {"": {"version": "1"}, "node_modules/a/node_modules/@s/b": {"version": "2.0.0"}}}
    assert pins("package-lock.json", json.dumps(new)) == [("@s/b", "2.0.0", 1)]
    old = {"dependencies": {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}}}}
    assert [one[:2] for one in pins("package-lock.json", json.dumps(old))] == [("a", "1.0.0"), ("b", "2.0.0")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "package = 3"),
        ("poetry.lock", "package = [[["),
        ("package-lock.json", "[]"),
        ("package-lock.json", "{"),
        ("Pipfile.lock", '{"default": 3}'),
    ],
)
def test_lock_files_that_are_none_are_refused(name: str, text: str) -> None:
    """Bad input: the error says what it is."""
    with pytest.raises(ValueError, match=r"."):
        pins(name, text)


@pytest.mark.parametrize(
    ("version", "hit"),
    [
        ("1.0", True),
        ("1.9.9", True),
        ("2.0rc1", True),
        ("2.0", False),
        ("2.0.0", False),
        ("2.5", False),
        ("3.0", True),
        ("3.1", True),
        ("3.1.post1", False),
        ("3.2", False),
        ("not a version", False),
    ],
)
def test_ranges_are_read_as_osv_says(version: str, *, hit: bool) -> None:
    """A1: introduced, fixed, introduced again, last affected."""
    events = [{"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "3.0"}, {"last_affected": "3.1"}]
    found = list(vulnerable_pins([Pin("PyPI", "Some_Thing", version, "r.txt", 1)], [record("some-thing", events)]))
    assert bool(found) is hit


def test_the_finding_says_which_version_mends_it() -> None:
    """One format: severity of the database, CVE, the nearest fix above."""
    events = [{"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"fixed": "2.4"}]
    more: dict[str, Any] = {"aliases": ["CVE-2024-1", "PYSEC-1"], "database_specific": {"severity": "CRITICAL"}}
    (found,) = vulnerable_pins([Pin("PyPI", "x", "2.1", "r.txt", 4)], [record("x", events, **more)])
    assert (found.tool, found.rule, found.severity, found.path, found.line) == ("osv", "GHSA-1", "error", "r.txt", 4)
    assert found.message == "x 2.1 (CVE-2024-1): it is bad" and found.mend == "take x 2.4 or later"
    assert found.url == "https://osv.dev/vulnerability/GHSA-1"


def test_versions_of_npm_and_lists_of_versions() -> None:
    """Semantic versions: before a release come its candidates; a list of versions counts beside ranges."""
    one = record("x", [{"introduced": "1.0.0-beta.2"}, {"fixed": "1.2.0"}], ecosystem="npm")
    own = [
        Pin("npm", "x", version, "p", 1)
        for version in ("1.0.0-beta.1", "1.0.0-beta.11", "1.0.0", "1.2.0-rc.1", "1.2.0")
    ]
    assert [pin.split()[1].rstrip(":") for pin in (found.message for found in vulnerable_pins(own, [one]))] == [
        "1.0.0-beta.11",
        "1.0.0",
        "1.2.0-rc.1",
    ]
    listed = {"id": "A", "affected": [{"package": {"ecosystem": "PyPI", "name": "y"}, "versions": ["1.0"]}]}
    assert len(list(vulnerable_pins([Pin("PyPI", "y", "1.0.0", "p", 1)], [listed]))) == 1
    withdrawn = {**listed, "withdrawn": "2024-01-01T00:00:00Z"}
    assert list(vulnerable_pins([Pin("PyPI", "y", "1.0", "p", 1)], [withdrawn])) == []


def test_a_dump_may_be_a_folder_a_zip_or_a_file(tmp_path: Path) -> None:
    """A1: as OSV publishes it, or what its API answers."""
    (tmp_path / "requirements.txt").write_text("x==1.0\n")
    one = record("x", [{"introduced": "0"}, {"fixed": "2"}])
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "GHSA-1.json").write_text(json.dumps(one))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(folder / "GHSA-1.json", "GHSA-1.json")
    (tmp_path / "list.json").write_text(json.dumps([one]))
    (tmp_path / "vulns.json").write_text(json.dumps({"vulns": [one]}))
    for name in ("dump", "all.zip", "list.json", "vulns.json", "dump/GHSA-1.json"):
        found = check_pins(["requirements.txt"], str(tmp_path), str(tmp_path / name)).findings
        assert [(each.rule, each.path, each.line) for each in found] == [("GHSA-1", "requirements.txt", 1)], name


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """Bad input: in its place, and the rest goes on."""
    (tmp_path / "requirements.txt").write_text("x==1.0\n")
    (tmp_path / "uv.lock").write_text("[[[")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.zip").write_text("no zip")
    (tmp_path / "no.json").write_text("[1]")
    for name in ("bad.json", "bad.zip", "no.json"):
        with pytest.raises(DumpError):
            list(read_dump(str(tmp_path / name)))
        found = check_pins(["requirements.txt", "uv.lock"], str(tmp_path), str(tmp_path / name)).findings
        assert [(one.rule, one.path) for one in found] == [("not-checked", "uv.lock"), ("tool-failed", ".")]
