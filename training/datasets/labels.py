"""Labels as files spell them, and the spellings that are worth a remark."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from model.errors import DataError
from model.segments import Segment

AMBIGUOUS = "Ambiguous"
"""THUMOS14's mark for times that its annotators could not decide on."""
_SEPARATORS = re.compile(r"[,;|]")


def read_labels(value: Any) -> tuple[tuple[str, ...], list[str]]:
    """Returns the labels that a value names, and remarks on it.

    Example: `" Jump"` names Jump, with a remark on white space; `["Jump", "Run"]` names both, with
    a remark that it is a list; `""` and None name none, with a remark.

    Raises:
        DataError: The value is neither text nor a number nor a list of them.
    """
    if isinstance(value, list | tuple):
        read = [read_labels(one) for one in value]
        labels = tuple(label for own, _ in read for label in own)
        return labels, [f"label {list(value)} is a list"] + [r for _, own in read for r in own]
    if value is None:
        return (), ["label is null"]
    spelt = text(value, name="a label")
    label = " ".join(spelt.split())
    if not label:
        return (), ["label is empty"]
    spaced = [] if label == spelt else [f"label {spelt!r} is read as {label!r}"]
    return (label,), spaced


def text(value: Any, *, name: str) -> str:
    """Returns a value as text; bytes are UTF-8, and whole numbers are as they are written.

    Args:
        value: Value of a file.
        name: Meaning of the value, for the message.

    Raises:
        DataError: The value is neither text nor a whole number, or the bytes are not UTF-8.
    """
    if isinstance(value, bool) or not isinstance(value, str | bytes | int | np.integer):
        raise DataError(f"expected {name} as text, got {value!r}")
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise DataError(f"expected {name} as text in UTF-8, got {value!r}") from error


def without_repeats(instances: Sequence[Segment]) -> tuple[tuple[Segment, ...], list[str]]:
    """Returns each segment once, in their order, and a remark on each that occurs again."""
    uses = Counter(instances)
    return tuple(uses), [
        f"segment {one.label} [{one.start_s:g}, {one.end_s:g}] occurs {count} times, counted once"
        for one, count in uses.items()
        if count > 1
    ]


def class_remarks(classes: Iterable[str]) -> list[str]:
    """Returns remarks on classes whose names suggest a slip: twins, joined labels, `Ambiguous`."""
    names = sorted(classes)
    twins = defaultdict(list)
    for name in names:
        twins[folded(name)].append(name)
    remarks = [
        f"classes {' and '.join(map(repr, same))} differ in spelling only, and are learned as "
        f"{len(same)} classes"
        for same in twins.values()
        if len(same) > 1
    ]
    remarks += [
        f"class {name!r} looks like several labels in one; each label needs an entry of its own"
        for name in names
        if _SEPARATORS.search(name)
    ]
    if AMBIGUOUS in names:
        remarks.append(
            f"class {AMBIGUOUS!r} marks undecided times; --exclude-labels {AMBIGUOUS} leaves it out"
        )
    return remarks


def folded(name: str) -> str:
    """Returns the form of a name that spellings in other case or with `_` for spaces share."""
    return " ".join(re.split(r"[\s_-]+", unicodedata.normalize("NFKC", name).casefold()))
