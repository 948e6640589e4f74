"""Class activation sequences of answers, kept for a while to be localized again.

They are files in the data folder, because a request may reach another process than the one before.

Axes: T snippets, C classes.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from model.familiarity import Familiarity
from model.whole_file import whole_file
from service.bounded_folder import BoundedFolder
from service.errors import ActivationGoneError

_log = logging.getLogger(__name__)

_IS_ID: Final = re.compile(r"[0-9a-f-]{32,36}")
_FACTS_BYTES: Final = 4096
"""Size of a file besides its logits, generously."""


@dataclass(frozen=True, slots=True)
class ActivationFacts:
    """The parts of an answer that other options of localization do not change."""

    model: str
    """Name of the model."""
    version: int
    """Version of the model."""
    model_sha256: str | None
    """SHA-256 of the model file."""
    duration_s: float
    """Length of the video in seconds."""
    likeness: Familiarity | None
    """Likeness of the features to those of the training videos."""


@dataclass(frozen=True, slots=True)
class Activation:
    """Output of the network for one video, and what an answer needs besides."""

    cas_TC: NDArray[np.float32]
    """Class activation sequence, logits."""
    facts: ActivationFacts
    """The rest."""


_FACTS: Final = TypeAdapter(ActivationFacts)


class Activations:
    """Stores activations by id, bounded in bytes and in time."""

    def __init__(self, data: Path, max_bytes: int, max_age_s: float) -> None:
        """Takes the folder of the service's data; the first activation creates all folders.

        Args:
            data: folder of the setting `data`.
            max_bytes: most bytes of all activations; 0 keeps none.
            max_age_s: time after its last use at which an activation is gone.
        """
        self._folder = BoundedFolder(data / "activations", max_bytes, max_age_s)

    def keep(self, id_: str, activation: Activation) -> str | None:
        """Stores an activation and returns its id; None if it has no room or no disk."""
        wanted_bytes = activation.cas_TC.nbytes + _FACTS_BYTES
        if wanted_bytes > self._folder.max_bytes:
            return None
        facts = np.frombuffer(_FACTS.dump_json(activation.facts), np.uint8)
        try:
            self._folder.folder.mkdir(parents=True, exist_ok=True)
            with self._folder.room(wanted_bytes), whole_file(self._path(id_)) as file:
                np.savez(file, cas_TC=activation.cas_TC, facts=facts)
        except OSError as error:
            _log.warning("an activation is not kept: %s", error)
            return None
        return id_

    def find(self, id_: str) -> Activation:
        """Returns an activation, and counts that as its use.

        Raises:
            ActivationGoneError: there is none with this id, or no longer.
        """
        path = self._path(id_)
        try:
            if not _IS_ID.fullmatch(id_):
                raise FileNotFoundError(id_)
            self._folder.used(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                facts = _FACTS.validate_json(stored["facts"].tobytes())
                return Activation(stored["cas_TC"], facts)
        except FileNotFoundError:
            pass
        except Exception as error:  # numpy raises many kinds for a damaged file
            _log.warning("activation %s is damaged: %s", path.name, error)
        raise ActivationGoneError(
            "the activation of this video is no longer kept; localize the video again"
        )

    def _path(self, id_: str) -> Path:
        return self._folder.folder / f"{id_}.npz"
