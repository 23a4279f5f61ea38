"""Measuring the languages that tree-sitter parses."""

from __future__ import annotations

import textwrap

import lizard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.analysis.generic import measure_generic
from actors.analysis.grammars import GRAMMARS
from actors.analysis.languages import SUPPORTED

C = """
#include <stdio.h>
#include "near.h"
/* a comment
   of two lines */
struct point { int x; };
int *find(int a, void (*call)(int), char *name) { // not a comment line
    if (a && name) return 0;
    for (int i = 0; i < a; i++) { while (a || i) a--; }
    do { a--; } while (a);
    switch (a) { case 1: break; case 2: break; default: break; }

    return a ? 0 : 1;
}
static void nothing(void) {}
"""
CPP = """
#include "near.hpp"
namespace outer {
class Box : public Base {
  Box() = default;
  int size() const { return 1; }
  template <class T> void put(T one, int two) { for (auto &x : one) { if (x) {} } }
};
}
int outer::Box::far(int x) {
    try { return x ? 1 : 2; } catch (...) { return 3; }
}
"""
JAVA = """
package a.b;
import java.util.List;
import static a.b.C.d;
class A {
    A(int x) { }
    int f(int a, String... b) {
        for (int i : b) { if (i > 1 && a < 2) { } }
        switch (a) { case 1: break; default: }
        try { } catch (Exception e) { }
        return a > 1 ? 1 : 2;
    }
}
interface I { void nothing(); }
"""
JAVASCRIPT = """
import a from "./near";
export * from "far";
const late = () => require("late");
class A {
  run(x, y) { for (const q of x) { if (q || y) {} } switch (x) { case 1: break; default: } }
}
function named(a) { try { return a ? 1 : 2 } catch (e) { while (a) {} } }
"""
TYPESCRIPT = """
import { A } from "./near";
abstract class Q { m(a: number, b?: string): void { if (a && b) { } } }
namespace N { export function z(): void { for (let i = 0; i < 1; i++) { } } }
"""
GO = """
package m
import ("fmt"; far "a/b")
type T struct{}
func (r *T) Method(a, b int, c string) int {
    for i := 0; i < a; i++ { if a > 1 && b > 2 { return 1 } }
    switch a { case 1: return 2
    case 2: return 3
    default: return 4 }
}
"""
RUST = """
mod near;
use crate::far::{one, two};
struct S;
impl S {
    fn method(&self, a: i32) -> i32 {
        if a > 1 && a < 9 { return 1; }
        while a > 2 { }
        for i in 0..a { }
        a
    }
}
"""
RUBY = """
require "far"
require_relative "near"
module M
  class A
    def method(a, b = 1)
      if a && b
        1
      end
      while a do b end
      case a
      when 1 then 2
      when 2 then 3
      end
    end
  end
end
"""
BASH = """
source ./near.sh
. far.sh
run() {
    if a && b; then c; elif d; then e; fi
    for i in x; do :; done
    case x in a) ;; *) ;; esac
}
"""
SAMPLES = {
    "bash": BASH,
    "c": C,
    "cpp": CPP,
    "go": GO,
    "java": JAVA,
    "javascript": JAVASCRIPT,
    "ruby": RUBY,
    "rust": RUST,
    "tsx": TYPESCRIPT,
    "typescript": TYPESCRIPT,
}
SUFFIX = {"c": "c", "cpp": "cpp", "go": "go", "java": "java", "javascript": "js", "rust": "rs", "typescript": "ts"}

# For each language: functions with complexity and parameters, classes, imports.
EXPECTED = {
    "bash": ({"run": (6, 0)}, 0, ["./near.sh", "far.sh"]),
    "c": ({"find": (10, 3), "nothing": (1, 0)}, 1, ["<stdio.h>", "near.h"]),
    "cpp": ({"outer.Box.size": (1, 0), "outer.Box.put": (3, 2), "outer.Box.far": (3, 1)}, 1, ["near.hpp"]),
    "go": ({"T.Method": (6, 3)}, 1, ["a/b", "fmt"]),
    "java": ({"A.A": (1, 1), "A.f": (7, 2)}, 2, ["java.util.List", "a.b.C.d"]),
    "javascript": ({"late": (1, 0), "A.run": (5, 2), "named": (4, 1)}, 1, ["./near", "far", "late"]),
    "ruby": ({"M.A.method": (6, 2)}, 1, ["far", "near"]),
    "rust": ({"S.method": (5, 2)}, 1, ["mod near", "crate::far::{one, two}"]),
    "tsx": ({"Q.m": (3, 2), "N.z": (2, 0)}, 1, ["./near"]),
    "typescript": ({"Q.m": (3, 2), "N.z": (2, 0)}, 1, ["./near"]),
}


def test_every_language_but_python_has_a_grammar_and_a_sample() -> None:
    """A1: several languages, each of them proved here."""
    assert set(GRAMMARS) == set(SUPPORTED) - {"python"} == set(SAMPLES)


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_functions_classes_and_imports_are_found(language: str) -> None:
    """A1: metrics and dependencies in each language."""
    measured = measure_generic(SAMPLES[language], language)
    functions, classes, imports = EXPECTED[language]
    assert {f.name: (f.complexity, f.parameters) for f in measured.functions} == functions
    assert measured.classes == classes
    assert [one.module for one in measured.imports] == imports
    assert measured.findings == ()
    assert measured.lines.total == SAMPLES[language].count("\n")


@pytest.mark.parametrize("language", sorted(SUFFIX))
def test_complexity_agrees_with_lizard(language: str) -> None:
    """A1: the counts of a library of long standing on the same text."""
    text = SAMPLES[language]
    if language == "javascript":
        # lizard loses its way in arrow functions without braces and in one-line classes.
        text = text[text.index("function") :]
    theirs = lizard.analyze_file.analyze_source_code(f"a.{SUFFIX[language]}", text).function_list
    ours = measure_generic(text, language).functions
    assert {(f.start_line, f.cyclomatic_complexity) for f in theirs} == {(f.line, f.complexity) for f in ours}


def test_a_ruby_method_is_as_complex_as_lizard_says() -> None:
    """A1: lizard reads Ruby too, but names the functions of `require` lines along."""
    theirs = lizard.analyze_file.analyze_source_code("a.rb", RUBY).function_list
    assert [f.cyclomatic_complexity for f in theirs if f.name == "method"] == [6]


def test_comment_lines_hold_nothing_but_comment() -> None:
    """A1: a comment behind code makes no comment line; a block of two lines makes two."""
    lines = measure_generic(C, "c").lines
    assert (lines.comment, lines.blank) == (2, 2)
    assert lines.code == lines.total - 4
    assert measure_generic("/* a */ /* b */\nint x; /* c */\n", "c").lines.comment == 1
    assert measure_generic("/// told\nfn f() {}\n", "rust").lines.comment == 1


@pytest.mark.parametrize(
    ("language", "text", "line"),
    [
        ("javascript", "let a = 1;\nfunction (\n", 2),
        ("go", "package a\nfunc {\n", 2),
        ("java", "class A {\n  int f( { }\n}\n", 2),
        ("ruby", "def f\n  1\n", 1),
        ("rust", "fn f() {\n  let = ;\n}\n", 2),
        ("bash", "if true; then\n", 1),
        ("c", "int f(void) {\n  return (1;\n}\n", 2),
        ("typescript", "let a: = 1;\n", 1),
    ],
)
def test_syntax_errors_are_findings_with_a_line(language: str, text: str, line: int) -> None:
    """A1: what does not parse is told where it stands, and the rest is measured."""
    findings = measure_generic(text, language).findings
    assert findings
    assert line <= findings[0].line <= text.count("\n") + 1
    assert findings[0].column >= 1
    # Macros may look like faults in C, so there it is only a warning.
    assert findings[0].severity == ("warning" if language == "c" else "error")


def test_a_text_full_of_faults_has_a_bounded_list() -> None:
    """A1: a report of a broken file stays small."""
    findings = measure_generic("function f( { ]\n" * 500, "javascript").findings
    assert 1 <= len(findings) <= 21


@pytest.mark.parametrize("language", sorted(SAMPLES))
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_text_makes_it_raise(language: str, data: st.DataObject) -> None:
    """A1: cut and mixed sources are measured, and their lines sum up."""
    text = SAMPLES[language]
    cut = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.text(max_size=20)).replace("\r", "\n")
    measured = measure_generic(text[:cut] + noise + text[cut // 2 :], language)
    lines = measured.lines
    assert lines.total == lines.code + lines.comment + lines.blank
    assert all(1 <= f.line <= f.end_line <= lines.total and f.complexity >= 1 for f in measured.functions)


def test_deep_nesting_is_no_crash() -> None:
    """A1: the parser is iterative, and so is what reads its tree."""
    text = "int x = " + "(" * 20_000 + "1" + ")" * 20_000 + ";\n"
    assert measure_generic(text, "c").lines.total == 1
    assert measure_generic(textwrap.dedent("x = " + "[" * 20_000), "javascript").lines.total == 1
