"""The languages beside Python: for each its tree-sitter grammar and the query that finds what is measured.

Captures: `function`, `scope` (gives its name to what stands in it), `class` (is also a scope), `decision` (one more
path through the function), `comment`, `import` (a string, a path or a name, as written), `relative` (the same, told
to be relative), `module` (a Rust module in a file of its own).

Counted as decisions, as lizard counts them on the whole: `if`, loops with a condition, each `case` but the default,
`catch`, the conditional operator, and each `&&` and `||` (and `??` in JavaScript); in Rust each arm but `_` and each
`?`, in Ruby also `unless`, `until`, `rescue` and the modifiers, in shell also each pattern of a `case` but `*`.
Not counted: `else`, `finally`, `ensure`, `loop`, jumps. Closures of C++, Go, Java, Rust and blocks of Ruby belong to
the function that they stand in; in JavaScript and TypeScript every function expression is a function of its own.
"""

from __future__ import annotations

import functools
import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from actors.errors import ConfigError

if TYPE_CHECKING:
    from tree_sitter import Language, Query

__all__ = ["GRAMMARS", "load_grammar"]

_JAVASCRIPT = """
(comment) @comment
[(function_declaration) (generator_function_declaration) (function_expression) (generator_function)
 (arrow_function) (method_definition)] @function
[(class_declaration) (class)] @class
[(if_statement) (for_statement) (for_in_statement) (while_statement) (do_statement) (switch_case) (catch_clause)
 (ternary_expression) "&&" "||" "??"] @decision
(import_statement source: (string) @import)
(export_statement source: (string) @import)
((call_expression function: (identifier) @_name arguments: (arguments . (string) @import)) (#eq? @_name "require"))
(call_expression function: (import) arguments: (arguments . (string) @import))
"""

_TYPESCRIPT = (
    _JAVASCRIPT
    + """
[(abstract_class_declaration) (interface_declaration) (enum_declaration)] @class
(internal_module) @scope
(module) @scope
(import_require_clause source: (string) @import)
"""
)

_C = """
(comment) @comment
(function_definition body: (_)) @function
(struct_specifier body: (_)) @class
(union_specifier body: (_)) @class
(enum_specifier body: (_)) @class
[(if_statement) (for_statement) (while_statement) (do_statement) (conditional_expression) "&&" "||"] @decision
(case_statement value: (_)) @decision
(preproc_include path: (_) @import)
"""

_CPP = (
    _C
    + """
(class_specifier body: (_)) @class
(namespace_definition) @scope
[(for_range_loop) (catch_clause) "and" "or"] @decision
"""
)

_JAVA = """
[(line_comment) (block_comment)] @comment
(method_declaration body: (_)) @function
[(constructor_declaration) (compact_constructor_declaration)] @function
[(class_declaration) (interface_declaration) (enum_declaration) (record_declaration)
 (annotation_type_declaration)] @class
[(if_statement) (for_statement) (enhanced_for_statement) (while_statement) (do_statement) (catch_clause)
 (ternary_expression) "&&" "||"] @decision
(switch_label . (_)) @decision
(import_declaration) @import
"""

_GO = """
(comment) @comment
[(function_declaration) (method_declaration)] @function
(type_spec type: [(struct_type) (interface_type)]) @class
[(if_statement) (for_statement) (expression_case) (type_case) (communication_case) "&&" "||"] @decision
(import_spec path: (_) @import)
"""

_RUST = """
[(line_comment) (block_comment)] @comment
(function_item) @function
[(struct_item) (enum_item) (union_item)] @class
[(impl_item) (trait_item) (mod_item body: (_))] @scope
[(if_expression) (while_expression) (for_expression) (try_expression) "&&" "||"] @decision
(match_arm pattern: (match_pattern (_))) @decision
(use_declaration argument: (_) @import)
(extern_crate_declaration name: (_) @import)
(mod_item !body name: (_) @module)
"""

_RUBY = """
(comment) @comment
[(method) (singleton_method)] @function
(class) @class
(module) @scope
[(if) (unless) (elsif) (while) (until) (for) (when) (in_clause) (rescue) (conditional) (if_modifier)
 (unless_modifier) (while_modifier) (until_modifier) (rescue_modifier) "&&" "||" "and" "or"] @decision
((call !receiver method: (identifier) @_name arguments: (argument_list . (string) @import)) (#eq? @_name "require"))
((call !receiver method: (identifier) @_name arguments: (argument_list . (string) @relative))
 (#eq? @_name "require_relative"))
"""

_BASH = """
(comment) @comment
(function_definition) @function
[(if_statement) (elif_clause) (for_statement) (c_style_for_statement) (while_statement) (ternary_expression)
 "&&" "||"] @decision
((case_item . value: (_) @_pattern) @decision (#not-eq? @_pattern "*"))
((command name: (command_name) @_name . argument: [(word) (string) (raw_string)] @import)
 (#any-of? @_name "source" "."))
"""

GRAMMARS = MappingProxyType(
    {
        "bash": ("tree_sitter_bash", "language", _BASH),
        "c": ("tree_sitter_c", "language", _C),
        "cpp": ("tree_sitter_cpp", "language", _CPP),
        "go": ("tree_sitter_go", "language", _GO),
        "java": ("tree_sitter_java", "language", _JAVA),
        "javascript": ("tree_sitter_javascript", "language", _JAVASCRIPT),
        "ruby": ("tree_sitter_ruby", "language", _RUBY),
        "rust": ("tree_sitter_rust", "language", _RUST),
        "tsx": ("tree_sitter_typescript", "language_tsx", _TYPESCRIPT),
        "typescript": ("tree_sitter_typescript", "language_typescript", _TYPESCRIPT),
    },
)
"""For each language the module of its grammar, the function in it, and the query."""


@functools.cache
def load_grammar(language: str) -> tuple[Language, Query, Query]:
    """The grammar of a language, its query, and the query for what did not parse.

    Raises:
        ConfigError: the extra `review` is not installed.
        KeyError: there is no grammar of that name.
    """
    module_name, function, query = GRAMMARS[language]
    try:
        # Parsers of ten languages cost time and memory to load, so each comes when its first file does.
        tree_sitter = importlib.import_module("tree_sitter")
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"analysing {language} needs {error.name}, which is not installed: pip install 'actors-hub[review]'"
        raise ConfigError(message, key="review", allowed="actors-hub[review]") from error
    grammar = tree_sitter.Language(getattr(module, function)())
    return grammar, tree_sitter.Query(grammar, query), tree_sitter.Query(grammar, "(ERROR) @error (MISSING) @missing")
