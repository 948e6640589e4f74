"""The mutants of a file, and a sample of them."""

import ast
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from removal import register_removal

EQUIVALENT_OPERATORS = {
    "core/ReplaceComparisonOperator_Eq_Is",  # numbers and texts are often the same object
    "core/ReplaceComparisonOperator_NotEq_IsNot",
    "core/ReplaceComparisonOperator_Is_Eq",  # nothing but None equals None
    "core/ReplaceComparisonOperator_IsNot_NotEq",
}
"""Operators whose mutants mostly do what the source does, so that no test can notice them."""

Position = tuple[int, int]
"""A line, from 1, and a column, from 0."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file."""

    operator: str
    """The kind of change, by cosmic-ray's name."""
    occurrence: int
    """The place among all places of the file that the operator can change."""
    start: Position
    """The first character of that place."""
    end: Position
    """The first character after it."""


def mutants(file: Path) -> list[Mutant]:
    """Returns every change of a file, in the order of its places."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    register_removal()
    tree, skipped = get_ast_from_path(file), unmeasured_spans(file.read_text())
    found = []
    for name in operator_names():
        operator: Any = get_operator(name)
        if name in EQUIVALENT_OPERATORS or operator.arguments():
            continue
        places = (
            place for node in ast_nodes(tree) for place in operator().mutation_positions(node)
        )
        found += [Mutant(name, number, *place) for number, place in enumerate(places)]
    kept = (m for m in found if not any(start <= m.start < end for start, end in skipped))
    return sorted(kept, key=lambda mutant: mutant.start)


def unmeasured_spans(source: str) -> list[tuple[Position, Position]]:
    """Returns the spans that no mutant changes, such as annotations and log lines."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        for part in unmeasured_parts(node):
            end = (part.end_lineno or part.lineno, part.end_col_offset or 0)
            spans.append(((part.lineno, part.col_offset), end))
    return spans


def unmeasured_parts(node: ast.AST) -> list[ast.expr | ast.stmt]:
    """Returns the parts of one node that no mutant changes.

    Of decorators, these are the options that forbid what no code does, or only bound the memory.
    """
    match node:
        case ast.Assert() | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="_log")))):
            return [node]
        case ast.Raise(exc=ast.expr() as error):
            return [error]
        case ast.keyword(arg="frozen" | "slots" | "maxsize", value=value):
            return [value]
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return [node]
        case ast.AnnAssign(annotation=annotation):
            return [annotation]
        case ast.arg(annotation=ast.expr() as annotation):
            return [annotation]
        case ast.FunctionDef(returns=ast.expr() as annotation):
            return [annotation]
        case ast.AsyncFunctionDef(returns=ast.expr() as annotation):
            return [annotation]
    return []


def sample(found: Sequence[Mutant], places: int | None, seed: int) -> list[Mutant]:
    """Draws one mutant at each of some places; without a number of places, returns all mutants."""
    if places is None:
        return list(found)
    at: dict[Position, list[Mutant]] = defaultdict(list)
    for mutant in found:
        at[mutant.start].append(mutant)
    rng = random.Random(seed)
    drawn = rng.sample(sorted(at), min(places, len(at)))
    return [rng.choice(at[position]) for position in sorted(drawn)]
