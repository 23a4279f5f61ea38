"""Known vulnerabilities of pinned dependencies, from a dump of the OSV database that the user supplies."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from actors.quality.finding import Finding, Severity
from actors.quality.pins import Pin, canonical

__all__ = ["DumpError", "read_dump", "vulnerable_pins"]

_SEVERITIES: Final[dict[str, Severity]] = {
    "CRITICAL": "error",
    "HIGH": "error",
    "MODERATE": "warning",
    "MEDIUM": "warning",
    "LOW": "note",
}
_LARGEST = 64 * 1024 * 1024
_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$")


class DumpError(ValueError):
    """What should be a dump of OSV is none."""


def read_dump(path: str) -> Iterator[Mapping[str, Any]]:
    """The records of a dump, one after the other.

    Args:
        path: a folder of `*.json`, a zip of them as OSV publishes for each ecosystem, or one file with a record, a
            list of records, or an object whose `vulns` are such a list.

    Raises:
        OSError: it cannot be read.
        DumpError: a record of it is no JSON object, or it is no zip although its name says so.
    """
    if os.path.isdir(path):
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".json"):
                    place = os.path.join(folder, name)
                    with open(place, "rb") as file:
                        yield from _records(file.read(_LARGEST), place)
    elif path.endswith(".zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.filename.endswith(".json") and entry.file_size <= _LARGEST:
                        yield from _records(archive.read(entry), f"{path}: {entry.filename}")
        except zipfile.BadZipFile as error:
            raise DumpError(f"{path}: {error}") from None
    else:
        with open(path, "rb") as file:
            yield from _records(file.read(), path)


def _records(data: bytes, place: str) -> Iterator[Mapping[str, Any]]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DumpError(f"{place} is no JSON: {error}") from None
    if isinstance(value, dict) and isinstance(value.get("vulns"), list):
        value = value["vulns"]
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise DumpError(f"{place}: a record of OSV is a JSON object, not {type(one).__name__}")
        yield one


def vulnerable_pins(pins: Iterable[Pin], records: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """A finding for each pin and each vulnerability that it has.

    Args:
        pins: the dependencies of a tree; they alone are kept in memory.
        records: of OSV, of any ecosystems; withdrawn ones are passed over.
    """
    wanted: dict[tuple[str, str], list[Pin]] = {}
    for pin in pins:
        wanted.setdefault((pin.ecosystem, canonical(pin.ecosystem, pin.name)), []).append(pin)
    if not wanted:
        return
    for record in records:
        if record.get("withdrawn"):
            continue
        for pin, fixed in _hit(wanted, record):
            yield _finding(pin, record, fixed)


def _hit(wanted: Mapping[tuple[str, str], list[Pin]], record: Mapping[str, Any]) -> Iterator[tuple[Pin, list[str]]]:
    """The pins that a record is about, each once, with the versions that mend it."""
    told: set[Pin] = set()
    for affected in _dicts(record.get("affected")):
        package = affected.get("package")
        if not isinstance(package, dict):
            continue
        ecosystem = str(package.get("ecosystem", "")).partition(":")[0]
        for pin in wanted.get((ecosystem, canonical(ecosystem, str(package.get("name", "")))), ()):
            if pin not in told and _is_affected(pin, affected):
                told.add(pin)
                yield pin, _fixes(pin, affected)


def _is_affected(pin: Pin, affected: Mapping[str, Any]) -> bool:
    order = _ORDERS[pin.ecosystem]
    own = order(pin.version)
    versions = [str(one) for one in affected.get("versions") or ()]
    if pin.version in versions or (own is not None and any(order(one) == own for one in versions)):
        return True
    return own is not None and any(
        _in_range(own, _dicts(one.get("events")), order)
        for one in _dicts(affected.get("ranges"))
        if one.get("type") in {"ECOSYSTEM", "SEMVER"}
    )


def _in_range(own: Any, events: list[dict[str, Any]], order: Callable[[str], Any]) -> bool:
    """Whether a version lies in a range: the last event at or before it tells."""
    steps = []
    for event in events:
        for kind, version in event.items():
            place = order("0") if version == "0" else order(str(version))
            if place is not None:
                # A version that comes in and one that goes out at the same place: it is out.
                steps.append((place, kind in {"fixed", "limit"}, kind, version))
    inside = False
    for place, _, kind, version in sorted(steps, key=lambda step: step[:2]):
        if kind == "introduced" and (version == "0" or place <= own):
            inside = True
        elif (kind in {"fixed", "limit"} and place <= own) or (kind == "last_affected" and place < own):
            inside = False
    return inside


def _fixes(pin: Pin, affected: Mapping[str, Any]) -> list[str]:
    """The versions above a pin that mend it, the nearest first."""
    order = _ORDERS[pin.ecosystem]
    own = order(pin.version)
    found = {
        str(event["fixed"])
        for one in _dicts(affected.get("ranges"))
        if one.get("type") in {"ECOSYSTEM", "SEMVER"}
        for event in _dicts(one.get("events"))
        if "fixed" in event
    }
    ordered = sorted((place, version) for version in found if (place := order(version)) is not None)
    return [version for place, version in ordered if own is None or place > own]


def _finding(pin: Pin, record: Mapping[str, Any], fixed: list[str]) -> Finding:
    name = str(record.get("id", "OSV"))
    aliases = [str(one) for one in record.get("aliases") or () if str(one).startswith("CVE-")]
    also = f" ({', '.join(aliases)})" if aliases else ""
    details = str(record.get("details", "")).strip().partition("\n")[0][:200]
    summary = str(record.get("summary") or details or "a known vulnerability")
    specific = record.get("database_specific")
    level = str(specific.get("severity", "")).upper() if isinstance(specific, dict) else ""
    return Finding(
        "osv",
        name,
        _SEVERITIES.get(level, "warning"),
        pin.path,
        pin.line,
        None,
        pin.line,
        f"{pin.name} {pin.version}{also}: {summary}",
        mend=f"take {pin.name} {fixed[0]} or later" if fixed else "",
        kind="security",
        url=f"https://osv.dev/vulnerability/{name}",
    )


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _pypi_order(version: str) -> Any:
    """What sorts as PEP 440 says; None for what is no version."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - an extra

    try:
        return Version(version)
    except InvalidVersion:
        return None


def _npm_order(version: str) -> Any:
    """What sorts as semantic versioning says; None for what is no version."""
    match = _SEMVER.match(version)
    if match is None:
        return None
    numbers = tuple(int(part or 0) for part in match.groups()[:3])
    if match[4] is None:
        return (*numbers, 1, ())
    # Numbers come before words, and a number is compared as one.
    parts = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in match[4].split("."))
    return (*numbers, 0, parts)


_ORDERS: Final[dict[str, Callable[[str], Any]]] = {"PyPI": _pypi_order, "npm": _npm_order}
