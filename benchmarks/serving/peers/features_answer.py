"""What every peer does with a request: its features -> the network -> segments -> JSON.

The steps and the libraries are those of our service, so only what carries the request differs. Runs
in the peers' own environment, with the repository on PYTHONPATH.
"""

import os
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from model.arrays import check_features, parse_raw
from model.engine import EngineConfig, OnnxEngine
from model.predict import VideoPrediction, predict_video

MODEL = Path(os.environ.get("PEER_MODEL", "model.onnx"))
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
"""Processes that compute."""
THREADS = int(os.environ.get("PEER_THREADS", "1"))
"""Threads of onnxruntime in each of them."""
PORT = int(os.environ.get("PEER_PORT", "8000"))
TIMEOUT_S = 600
"""No peer gives a request up before that: the load of a benchmark may wait for long."""


class Answerer:
    """A loaded network that answers requests, one at a time or from several threads."""

    def __init__(self) -> None:
        self._engine = OnnxEngine(MODEL.read_bytes(), EngineConfig(device="cpu", threads=THREADS))

    def __call__(self, body: bytes, *, is_json: bool, shape: str | None = None) -> bytes:
        """Returns the answer's JSON.

        Args:
            body: of the request.
            is_json: whether it is `{"features": [[...]]}` and not float32, little-endian.
            shape: header X-Shape; where a server does not pass headers on, the channels that the
                model has say it too.
        """
        spec = self._engine.spec
        features = _from_json(body) if is_json else _from_raw(body, shape, spec.feature_dim)
        features_TD = check_features(features, feature_dim=spec.feature_dim)
        assert spec.snippet_s is not None
        duration_s = len(features_TD) * spec.snippet_s
        found = predict_video(self._engine, features_TD, spec, duration_s=duration_s)
        return _written(found, spec.labels)


def _from_json(body: bytes) -> NDArray[np.float32]:
    return np.array(orjson.loads(body)["features"], dtype=np.float32)


def _from_raw(body: bytes, shape: str | None, channels: int) -> NDArray[np.generic]:
    text = shape or f"{len(body) // (4 * channels)},{channels}"
    snippets, width = (int(part) for part in text.split(","))
    return parse_raw(body, shape=(snippets, width), dtype=np.dtype("<f4"))


def _written(found: VideoPrediction, labels: tuple[str, ...]) -> bytes:
    order = np.argsort(-found.class_scores_C, kind="stable")
    return orjson.dumps(
        {
            "model": {"name": MODEL.parent.parent.name, "version": int(MODEL.parent.name)},
            "duration_s": found.duration_s,
            "snippets": len(found.cas_TC),
            "classes": [
                {"label": labels[index], "score": float(found.class_scores_C[index])}
                for index in order
            ],
            "segments": [
                {"label": s.label, "start_s": s.start_s, "end_s": s.end_s, "score": s.score}
                for s in found.segments
            ],
        }
    )
