"""The networks that the paper's tables compare, as changes to one recipe."""

from collections.abc import Mapping
from typing import Any

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "pre": {"post": 0.0, "alpha": 0.0, "beta": 0.0},
    "post": {"pre": 0.0, "alpha": 0.0, "beta": 0.0},
    "shared": {"alpha": 0.0, "beta": 0.0},
    "a2c": {"alpha": 0.0},
    "not-shared": {"shared_classifier": False},
    "agnostic": {"attention": "agnostic"},
    "full": {},
}
"""Settings of each variant that differ from full ECM."""

TITLES = {
    "pre": "pre-classification alone",
    "post": "post-classification alone",
    "shared": "both streams, one classifier",
    "a2c": "+ L_a2c",
    "not-shared": "full, classifiers not shared",
    "agnostic": "full, class-agnostic attention",
    "full": "full ECM",
}
"""Names of the variants in tables."""
