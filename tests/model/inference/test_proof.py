"""The proof of an int8 network: what it keeps, and which differences it allows."""

import base64
import json

import numpy as np
import pytest

from model.errors import ModelError
from model.inference.proof import PROOF_KEY, TOLERANCE, Proof

FEATURES_TD = np.arange(6, dtype=np.float32).reshape(3, 2) / 7
CAS_TC = np.float32([[1, -10], [2, 0.5], [0, 1 / 3]])
PROOF = Proof(FEATURES_TD, CAS_TC)


class Off:
    """An engine whose logits are off by an amount, once."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def cas(self, features_TD: np.ndarray) -> np.ndarray:
        """Returns the logits of the proof, one of them off."""
        np.testing.assert_array_equal(features_TD, FEATURES_TD)
        cas_TC = CAS_TC.copy()
        cas_TC[2, 0] += self.amount
        return cas_TC


def test_metadata_keep_every_bit() -> None:
    """Both arrays with their shapes, as float32."""
    read = Proof.read(PROOF.metadata())
    for one, other in ((read.features_TD, FEATURES_TD), (read.cas_TC, CAS_TC)):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("amount", [0, 0.95 * TOLERANCE * 10, -0.95 * TOLERANCE * 10])
def test_rounding_is_allowed(amount: float) -> None:
    """Relative to the largest logit, which may be negative."""
    PROOF.check(Off(amount))


@pytest.mark.parametrize("amount", [1.05 * TOLERANCE * 10, -1.0, np.nan, np.inf])
def test_another_arithmetic_is_refused(amount: float) -> None:
    """The message has the difference and the remedies."""
    with pytest.raises(ModelError, match=r"wrongly, by .* no VNNI .* --int8-weights 7"):
        PROOF.check(Off(amount))


PACKED = [[1, 2], base64.b64encode(np.zeros(2, "<f4").tobytes()).decode()]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "null",
        json.dumps([PACKED]),
        json.dumps([PACKED, PACKED, PACKED]),
        json.dumps([PACKED, [[1, 3], PACKED[1]]]),
        json.dumps([PACKED, [None, PACKED[1]]]),
        json.dumps([PACKED, [["a", 2], PACKED[1]]]),
        json.dumps([PACKED, [[1, 2], "*" + str(PACKED[1])]]),
        json.dumps([PACKED, [[1, 2], None]]),
    ],
)
def test_a_damaged_proof_is_none(text: str | None) -> None:
    """Absent, of another form, of another size, or not base64."""
    metadata = {} if text is None else {PROOF_KEY: text}
    with pytest.raises(ModelError, match="no proof of its arithmetic; export it again"):
        Proof.read(metadata)
    assert Proof.read({PROOF_KEY: json.dumps([PACKED, PACKED])}).cas_TC.shape == (1, 2)
