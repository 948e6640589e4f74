"""Proof that a CPU computes an int8 network as it was exported.

A CPU without VNNI adds pairs of 8-bit products in 16 bits, which saturate without an error. The
ONNX file therefore contains features of extreme values, and their logits.

Axes: T snippets, D feature channels, C classes.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError

PROOF_KEY: Final = "ecm.proof"
"""Key of the proof in the ONNX metadata."""
TOLERANCE: Final = 2e-3
"""Largest difference relative to the largest logit. One activation that is rounded the other way
changes the logits by about 1e-4 of it, saturation by 1e-2 and more."""


class _Engine(Protocol):
    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """Features and the logits that exact integer sums give for them."""

    features_TD: NDArray[np.float32]
    cas_TC: NDArray[np.float32]

    def metadata(self) -> dict[str, str]:
        """Returns the proof as metadata of an ONNX file."""
        return {PROOF_KEY: json.dumps([_packed(self.features_TD), _packed(self.cas_TC)])}

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> "Proof":
        """Returns the proof in the metadata of an ONNX file.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        try:
            features, cas = json.loads(metadata[PROOF_KEY])
            return cls(_unpacked(features), _unpacked(cas))
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(
                "the int8 file has no proof of its arithmetic; export it again with `ecm export`"
            ) from error

    def check(self, engine: _Engine) -> None:
        """Checks that an engine computes the logits.

        Raises:
            ModelError: it computes others.
        """
        got_TC = engine.cas(self.features_TD)
        difference = float(np.abs(got_TC - self.cas_TC).max())
        if not difference <= TOLERANCE * float(np.abs(self.cas_TC).max()):
            raise ModelError(
                f"this CPU computes the int8 network wrongly, by {difference:.2g} in the logits, "
                "because it has no VNNI instructions; export with --int8-weights 7, or serve "
                "precision fp32"
            )


def _packed(array: NDArray[np.float32]) -> list[object]:
    return [array.shape, base64.b64encode(array.astype("<f4").tobytes()).decode()]


def _unpacked(packed: list[str]) -> NDArray[np.float32]:
    shape, text = packed
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    return values.reshape([int(size) for size in shape])
