"""Findings as SARIF, held against the official schema."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.quality.check import check_files
from actors.quality.finding import Coverage, Finding, QualityReport, Skip, TestOutcome, fingerprinted
from actors.quality.sarif import to_sarif
from actors.worker import Worker

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-schema-2.1.0.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["\udcff", "a\nb", ""])
PATHS = st.one_of(
    st.just("."),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
    st.sampled_from(["/abs/a b.py", "a:b.py", "\udcff.py", "line\nend.py", "ü/%41.py"]),
)
FINDINGS = st.builds(
    Finding,
    tool=st.sampled_from(["ruff", "bandit", "pytest"]),
    rule=st.sampled_from(["F401", "B101", "test-failed"]),
    severity=st.sampled_from(["error", "warning", "note"]),
    path=PATHS,
    line=st.none() | st.integers(1, 9),
    column=st.none() | st.integers(1, 9),
    end_line=st.none() | st.integers(1, 9),
    message=TEXTS,
    mend=TEXTS,
    kind=st.sampled_from(["lint", "test", "security"]),
    url=st.sampled_from(["", "https://example.org/rule"]),
)


def problems(log: dict[str, Any]) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(json.dumps(log)))]


def test_the_check_of_the_schema_finds_what_is_wrong() -> None:
    """A check that never fails proves nothing."""
    assert problems({"version": "2.1.0"})
    assert problems({"version": "2.0.0", "runs": []})


@given(findings=st.lists(FINDINGS, max_size=8), rooted=st.booleans())
def test_any_report_is_valid_sarif(findings: list[Finding], *, rooted: bool) -> None:
    """Done 1: SARIF 2.1.0, validated against its schema."""
    report = QualityReport.joined([QualityReport(tuple(findings), skipped=(Skip("eslint", "not installed", "npm …"),))])
    log = to_sarif(report, "/srv/a b" if rooted else None)
    assert problems(log) == []
    json.dumps(log, ensure_ascii=False).encode()
    assert sum(len(run["results"]) for run in log["runs"]) == len(findings)
    for run in log["runs"]:
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_real_report_keeps_places_rules_and_what_did_not_run(tmp_path: Path) -> None:
    """One format for all tools, and bytes of names that are no UTF-8 keep their values."""
    name = os.fsdecode(b"a \xff.py")
    (tmp_path / name).write_text("import os\n")
    (tmp_path / "a.js").write_text("var a\n")
    report = check_files([name, "a.js"], str(tmp_path), ["ruff", "bandit", "eslint"], Worker().run)
    log = to_sarif(report, str(tmp_path))
    assert problems(log) == []
    runs = {run["tool"]["driver"]["name"]: run for run in log["runs"]}
    (result,) = runs["ruff"]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "a%20%FF.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 1, "startColumn": 8, "endLine": 1},
    }
    assert (result["ruleId"], result["level"]) == ("F401", "warning")
    assert runs["ruff"]["tool"]["driver"]["rules"][0]["helpUri"].startswith("https://")
    assert runs["ruff"]["originalUriBaseIds"]["SRCROOT"]["uri"].endswith("/")
    (told,) = runs["eslint"]["invocations"][0]["toolConfigurationNotifications"]
    assert "not configured" in told["message"]["text"]


def test_fingerprints_stay_when_lines_move() -> None:
    """For a comparison with an earlier report: equal findings are counted, others told apart."""
    one = Finding("ruff", "F811", "warning", "a.py", 7, 1, 7, "redefinition of `x` from line 3")
    moved = dataclasses.replace(one, line=9, message="redefinition of `x` from line 5")
    assert fingerprinted([one])[0].fingerprint == fingerprinted([moved])[0].fingerprint
    both = fingerprinted([one, moved])
    assert len({each.fingerprint for each in both}) == 2
    other = dataclasses.replace(one, path="b.py")
    assert fingerprinted([other])[0].fingerprint != fingerprinted([one])[0].fingerprint


def test_a_report_comes_back_from_json_and_joins() -> None:
    """Plain values; each skipped tool once, findings by place."""
    first = QualityReport(
        (Finding("ruff", "F401", "warning", "b.py", 2, 1, 2, "m"),),
        (TestOutcome("t.py::t", "failed", 0.1, "t.py", 1, "text"),),
        (Skip("eslint", "not installed", "npm"),),
        Coverage(50.0, 2, 1, {"a.py": 50.0}),
    )
    second = QualityReport(
        (Finding("ruff", "F401", "warning", "a.py", 2, 1, 2, "m"),), skipped=(Skip("eslint", "not installed", "npm"),)
    )
    joined = QualityReport.joined([first, second])
    assert [one.path for one in joined.findings] == ["a.py", "b.py"]
    assert len(joined.skipped) == 1 and joined.coverage == first.coverage and joined.tests == first.tests
    assert QualityReport.from_dict(json.loads(json.dumps(joined.to_dict()))) == joined


@pytest.mark.parametrize(
    ("outcome", "bad"), [("passed", False), ("skipped", False), ("crashed", True), ("error", True)]
)
def test_which_outcomes_keep_a_suite_from_passing(outcome: Any, *, bad: bool) -> None:
    """For exit codes and scores."""
    assert TestOutcome("t", outcome, 0.0, "t.py").is_bad is bad
