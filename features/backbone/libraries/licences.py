"""Licences of weights, in the words of the libraries."""

import re

_NON_COMMERCIAL = re.compile(
    r"(^|\W)nc(\W|$)|non-?\s?commercial|research[- ]only|amlr|/SWAG/", re.IGNORECASE
)
"""`cc-by-nc-4.0` and the like; Apple's `apple-amlr` and Meta's SWAG are for research alone."""


def forbids_commercial_use(licence: str | None) -> bool:
    """Returns whether a licence is known to forbid commercial use."""
    return licence is not None and _NON_COMMERCIAL.search(licence) is not None


def licence_notice(licence: str | None) -> str:
    """Returns a line about a licence for the person who exports the weights."""
    if licence is None:
        return "licence: not stated; ask the authors of the weights"
    if forbids_commercial_use(licence):
        return f"licence: {licence}, which FORBIDS COMMERCIAL USE of these weights"
    return f"licence: {licence}"
