"""From the reports of files to the report of the tree."""

from __future__ import annotations

import json
import os
import pickle
import random
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.analysis.filereport import FileReport, Finding, FunctionReport, ImportReport
from actors.analysis.lines import LineCounts
from actors.analysis.measure import analyse_file
from actors.review.codereport import CodeReport, Graph
from actors.review.discover import discover
from actors.review.graph import strongly_connected
from actors.review.reduce import BOUNDS, reduce_reports

if TYPE_CHECKING:
    from pathlib import Path


def tree(root: Path, files: dict[str, str]) -> CodeReport:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return reduce_reports(analyse_file(name, str(root)) for name in files)


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.target, edge.when) for edge in graph.edges}


REPORTS = st.lists(
    st.builds(
        FileReport,
        path=st.text("abc/", min_size=1, max_size=5),
        language=st.sampled_from(["python", "c", None]),
        status=st.sampled_from(["analysed", "reported"]),
        bytes=st.integers(0, 10**6),
        lines=st.builds(lambda a, b, c: LineCounts(a + b + c, a, b, c), *[st.integers(0, 500)] * 3),
        functions=st.lists(st.builds(FunctionReport, st.text(max_size=3), *[st.integers(1, 200)] * 5), max_size=4).map(
            tuple
        ),
        findings=st.lists(
            st.builds(
                Finding,
                st.integers(0, 9),
                st.integers(0, 9),
                st.text(max_size=5),
                st.sampled_from(["error", "warning"]),
            ),
            max_size=3,
        ).map(tuple),
        imports=st.lists(
            st.builds(ImportReport, st.sampled_from(["a", "b.c", "x"]), st.integers(1, 9)), max_size=3
        ).map(tuple),
    ),
    max_size=8,
    unique_by=lambda report: report.path,
)


@settings(deadline=None)
@given(REPORTS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter_and_the_parts_sum_up(reports: list[FileReport], dice: random.Random) -> None:
    """A1: the reduction is deterministic, and totals are the sums of languages, buckets and files."""
    code = reduce_reports(reports)
    shuffled = list(reports)
    dice.shuffle(shuffled)
    assert reduce_reports(shuffled) == code
    totals = code.totals
    assert totals.files == totals.analysed + totals.reported == len(reports) == len(code.files)
    assert (
        totals.lines.total == sum(one.lines.total for _, one in code.languages) == sum(one.lines for one in code.files)
    )
    assert totals.functions == sum(bucket.functions for bucket in code.distribution)
    assert totals.complexity == sum(bucket.complexity for bucket in code.distribution)
    assert [one.complexity for one in code.complex_functions] == sorted(
        (one.complexity for one in code.complex_functions), reverse=True
    )
    assert {one.path for one in code.troubles} == {one.path for one in reports if one.problem or one.findings}


def test_a_report_travels_and_prints(tmp_path: Path) -> None:
    """A1: a code report pickles and is JSON."""
    code = tree(tmp_path, {"a.py": "import b\n", "b.py": "x = (\n"})
    assert pickle.loads(pickle.dumps(code)) == code
    plain = json.loads(json.dumps(code.to_dict()))
    assert plain["totals"]["errors"] == 1
    assert plain["languages"]["python"]["files"] == 2


def test_buckets_reach_from_one_to_beyond_all() -> None:
    """A1: each complexity is in exactly one bucket."""
    ends = [bucket.most for bucket in reduce_reports([]).distribution]
    assert ends == [*(least - 1 for least in BOUNDS[1:]), None]


def test_less_than_one_hot_spot_is_refused() -> None:
    """A1: a bad argument is told."""
    with pytest.raises(ValueError, match="top: expected 1 or more, got 0"):
        reduce_reports([], top=0)


def test_python_imports_lead_to_files_of_the_tree(tmp_path: Path) -> None:
    """A1: the import graph, with relative imports, packages, names that are modules, and when it happens."""
    code = tree(
        tmp_path,
        {
            "pkg/__init__.py": "from . import near\n",
            "pkg/near.py": "from .deep import leaf, thing\nimport json, pkg.other\n",
            "pkg/other.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg import near\n",
            "pkg/deep/__init__.py": "",
            "pkg/deep/leaf.py": "def f():\n    from ... import near, above\n    from .. import near\n",
            "tests/test_it.py": "import pkg.deep.leaf as leaf\nfrom pkg.near import name\n",
            "tools/run.py": "import helper\nif __name__ == '__main__':\n    import pkg\n",
            "tools/helper.py": "import os.path\n",
            "src/lib/__init__.py": "",
            "src/lib/part.py": "from lib import *\nimport lib.part\n",
        },
    )
    assert edges(code.graph) == {
        ("pkg/__init__.py", "pkg/near.py", "load"),
        ("pkg/near.py", "pkg/deep/__init__.py", "load"),
        ("pkg/near.py", "pkg/deep/leaf.py", "load"),
        ("pkg/near.py", "pkg/other.py", "load"),
        ("pkg/other.py", "pkg/near.py", "typing"),
        ("pkg/deep/leaf.py", "pkg/near.py", "call"),
        ("tests/test_it.py", "pkg/deep/leaf.py", "load"),
        ("tests/test_it.py", "pkg/near.py", "load"),
        ("tools/run.py", "tools/helper.py", "load"),
        ("tools/run.py", "pkg/__init__.py", "call"),
        ("src/lib/part.py", "src/lib/__init__.py", "load"),
    }
    assert dict(code.graph.outside)["json"] == 1
    assert "os" in dict(code.graph.outside)


def test_an_import_that_could_mean_two_places_means_none(tmp_path: Path) -> None:
    """A1: no guess makes an edge."""
    code = tree(tmp_path, {"one/util.py": "", "two/util.py": "", "app/main.py": "import util\n"})
    assert code.graph.edges == ()


def test_other_languages_are_resolved_where_the_text_tells(tmp_path: Path) -> None:
    """A1: includes, relative modules, packages, required files."""
    code = tree(
        tmp_path,
        {
            "src/a.c": '#include "a.h"\n#include <lib/b.h>\n#include <stdio.h>\n#include "../../outside.h"\n',
            "src/a.h": "int a;\n",
            "include/lib/b.h": "int b;\n",
            "web/app.ts": 'import x from "./part.js"; import y from "./folder"; import z from "@org/lib/deep";\n',
            "web/part.ts": "export default 1;\n",
            "web/folder/index.tsx": "export default 1;\n",
            "java/org/app/Main.java": "package org.app;\nimport org.app.util.Tool;\nimport static org.app.util.Tool.run;\n",
            "java/org/app/util/Tool.java": "package org.app.util;\nclass Tool {}\n",
            "lib/main.rb": "require_relative 'near'\nrequire 'far'\nrequire 'json'\n",
            "lib/near.rb": "",
            "lib/far.rb": "",
            "crate/src/main.rs": "mod part;\nuse serde::de;\n",
            "crate/src/part.rs": "mod deep;\n",
            "crate/src/part/deep.rs": "",
            "bin/run.sh": ". ./common.sh\n",
            "bin/common.sh": "",
        },
    )
    assert edges(code.graph) == {
        ("src/a.c", "src/a.h", "load"),
        ("src/a.c", "include/lib/b.h", "load"),
        ("web/app.ts", "web/part.ts", "load"),
        ("web/app.ts", "web/folder/index.tsx", "load"),
        ("java/org/app/Main.java", "java/org/app/util/Tool.java", "load"),
        ("lib/main.rb", "lib/near.rb", "load"),
        ("lib/main.rb", "lib/far.rb", "load"),
        ("crate/src/main.rs", "crate/src/part.rs", "load"),
        ("crate/src/part.rs", "crate/src/part/deep.rs", "load"),
        ("bin/run.sh", "bin/common.sh", "load"),
    }
    assert {"<stdio.h>", "@org/lib", "serde", "json"} <= {name for name, _ in code.graph.outside}


def test_cycles_tell_whether_they_are_there_at_load_time(tmp_path: Path) -> None:
    """A1: dependency cycles; what only type checkers follow is none."""
    code = tree(
        tmp_path,
        {
            "a.py": "import b\n",
            "b.py": "import c\nimport d\n",
            "c.py": "import a\n",
            "d.py": "def f():\n    import b\n",
            "x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import y\n",
            "y.py": "import x\n",
            "z.py": "import z\n",
        },
    )
    first, second = code.graph.cycles
    assert (first.files, first.path, first.at_load) == (
        ("a.py", "b.py", "c.py"),
        ("a.py", "b.py", "c.py", "a.py"),
        True,
    )
    assert (second.files, second.at_load) == (("a.py", "b.py", "c.py", "d.py"), False)
    assert second.path == ("b.py", "d.py", "b.py")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), unique=True), max_size=6))
def test_components_are_those_that_reach_each_other(graph: dict[str, list[str]]) -> None:
    """A1: agrees with reachability both ways, node by node."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        pending = list(graph.get(start, ()))
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending += graph.get(node, ())
        return seen

    expected = {
        tuple(sorted({a, *(b for b in reach(a) if a in reach(b))}))
        for a in graph
        if any(a in reach(b) for b in reach(a) if b != a)
    }
    assert strongly_connected(graph) == sorted(expected)


def test_a_chain_longer_than_recursion_allows_is_one_cycle() -> None:
    """A1: big trees have long chains."""
    graph = {f"{n:06}": [f"{(n + 1) % 30_000:06}"] for n in range(30_000)}
    assert [len(component) for component in strongly_connected(graph)] == [30_000]


def test_reports_of_a_real_package_reduce_without_loss() -> None:
    """A1: on code of others; `json` imports within itself alone and has no cycle."""
    root = os.path.dirname(json.__file__)
    names = [name for name in os.listdir(root) if name.endswith(".py")]
    code = reduce_reports(analyse_file(name, root) for name in names)
    assert ("__init__.py", "decoder.py", "load") in edges(code.graph)
    assert not any(cycle.at_load for cycle in code.graph.cycles)


# A tree that is itself a package, and names that the standard library has


def test_absolute_imports_of_a_package_are_resolved_where_it_is_the_whole_tree(tmp_path: Path) -> None:
    """A1: `actors review site-packages/django`: the files of django import `django.…`."""
    root = tmp_path / "outer" / "mine"
    files = {
        "__init__.py": "",
        "types.py": "",
        "a.py": "import types\nimport b\nfrom mine import b, types\nfrom outer.mine.sub import x",
        "b.py": "import mine.sub.x\nimport mine.sub.compiled\nimport mine.gone",
        "sub/__init__.py": "",
        "sub/x.py": "from ..a import f\nfrom .. import b",
    }
    code = tree(root, files)
    assert {edge[:2] for edge in edges(code.graph)} == {
        ("a.py", "types.py"),
        ("a.py", "b.py"),
        ("sub/x.py", "a.py"),
        ("sub/x.py", "b.py"),
    }, "without a word on what the root is"
    found = discover(str(root))
    assert found.package == "mine"
    code = reduce_reports((analyse_file(name, found.root) for name in found.files), package=found.package)
    assert {edge[:2] for edge in edges(code.graph)} == {
        ("a.py", "b.py"),
        ("a.py", "types.py"),
        ("b.py", "sub/x.py"),
        ("b.py", "sub/__init__.py"),
        ("sub/x.py", "a.py"),
        ("sub/x.py", "b.py"),
    }
    # `import b` means another one than that of the package, as does `import types`.
    assert dict(code.graph.outside) == {"types": 1, "b": 1, "outer": 1}
    (tmp_path / "outer" / "__init__.py").write_text("")
    assert (discover(str(root)).package, discover(str(root / "sub")).package) == ("outer.mine", "outer.mine.sub")


def test_a_module_named_as_one_of_the_standard_library_is_taken_only_where_it_lies_beside(tmp_path: Path) -> None:
    """A1: `import random` in one package does not mean the module of that name in another."""
    code = tree(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/a.py": "import random",
            "tools/random.py": "",
            "tools/run.py": "import random",
        },
    )
    assert edges(code.graph) == {("tools/run.py", "tools/random.py", "load")}
