"""The work that every peer does for a request: features -> network -> segments -> JSON.

The steps and libraries are those of our service, so that only the transport of requests differs.
This module runs in the environment of the peers, with the repository on PYTHONPATH.
"""

import os
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from model.arrays import check_features, parse_raw
from model.inference.engine import EngineConfig, OnnxEngine
from model.predict import VideoPrediction, predict_video

MODEL = Path(os.environ.get("PEER_MODEL", "model.onnx"))
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
"""Number of processes that compute."""
THREADS = int(os.environ.get("PEER_THREADS", "1"))
"""Threads of onnxruntime in each process."""
PORT = int(os.environ.get("PEER_PORT", "8000"))
TIMEOUT_S = 600
"""Timeout of requests in all peers; long, because requests wait for long under heavy load."""


class Answerer:
    """Loaded network that answers requests; several threads may call it."""

    def __init__(self) -> None:
        self._engine = OnnxEngine(MODEL.read_bytes(), EngineConfig(device="cpu", threads=THREADS))

    def __call__(self, body: bytes, *, is_json: bool, shape: str | None = None) -> bytes:
        """Returns the JSON of the response.

        Args:
            body: body of the request.
            is_json: whether the body is `{"features": [[...]]}`; otherwise it is little-endian
                float32.
            shape: header X-Shape. If a server does not pass headers on, the shape follows from
                the length of the body and the channels of the model.
        """
        spec = self._engine.spec
        features = _from_json(body) if is_json else _from_raw(body, shape, spec.feature_dim)
        features_TD = check_features(features, feature_dim=spec.feature_dim)
        assert spec.snippet_s is not None
        duration_s = len(features_TD) * spec.snippet_s
        result = predict_video(self._engine, features_TD, spec, duration_s=duration_s)
        return _to_json(result, spec.labels)


def _from_json(body: bytes) -> NDArray[np.float32]:
    return np.array(orjson.loads(body)["features"], dtype=np.float32)


def _from_raw(body: bytes, shape: str | None, channels: int) -> NDArray[np.generic]:
    text = shape or f"{len(body) // (4 * channels)},{channels}"
    snippets, width = (int(part) for part in text.split(","))
    return parse_raw(body, shape=(snippets, width), dtype=np.dtype("<f4"))


def _to_json(result: VideoPrediction, labels: tuple[str, ...]) -> bytes:
    order = np.argsort(-result.class_scores_C, kind="stable")
    return orjson.dumps(
        {
            "model": {"name": MODEL.parent.parent.name, "version": int(MODEL.parent.name)},
            "duration_s": result.duration_s,
            "snippets": len(result.cas_TC),
            "classes": [
                {"label": labels[index], "score": float(result.class_scores_C[index])}
                for index in order
            ],
            "segments": [
                {"label": s.label, "start_s": s.start_s, "end_s": s.end_s, "score": s.score}
                for s in result.segments
            ],
        }
    )
