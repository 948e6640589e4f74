"""The removal of a statement, a kind of change that cosmic-ray does not have."""

from collections.abc import Iterator
from typing import Any


class RemoveStatement:
    """Replaces `raise`, `return`, a call and `+=` by `pass`; cosmic-ray has no such operator."""

    @classmethod
    def arguments(cls) -> tuple[()]:
        """The operator has no options."""
        return ()

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yields start and end of a parso node if it is such a statement."""
        if node.type in {"raise_stmt", "return_stmt"} or is_effect(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ARG002 (cosmic-ray's signature)
        """Returns what replaces the node."""
        from parso.python.tree import Keyword

        return Keyword("pass", node.start_pos, node.get_first_leaf().prefix)


def is_effect(node: Any) -> bool:
    """Reports whether a parso node is a statement of a call alone, or an augmented assignment."""
    if node.parent is None or node.parent.type != "simple_stmt":
        return False
    if node.type == "expr_stmt":
        return str(getattr(node.children[1], "value", "=")) not in {"=", ":"}
    return node.type in {"atom_expr", "power"}


def register_removal() -> None:
    """Makes the removal known to cosmic-ray, as `own/RemoveStatement`."""
    from cosmic_ray.plugins import OPERATOR_PROVIDERS

    OPERATOR_PROVIDERS["own"] = {"RemoveStatement": RemoveStatement}
