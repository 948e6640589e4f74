"""Examples in the OpenAPI description."""

from typing import Any, Final

OF_VIDEO: Final[dict[str, Any]] = {
    "video": {
        "summary": "A video for the service to fetch",
        "value": {"video": {"uri": "https://media.example.org/match.mp4"}, "min_score": 0.2},
    }
}
OF_FEATURES: Final[dict[str, Any]] = {
    "features": {
        "summary": "Features as lists, one for each snippet",
        "value": {"features": [[0.12, 0.5, 0.0], [0.1, 0.25, 1.5]], "snippet_s": 0.64},
    },
    "features_b64": {
        "summary": "Features as base64 of little-endian values",
        "value": {
            "features_b64": "AAAAAAAAgD8AAABAAABAQA==",
            "shape": [2, 2],
            "dtype": "float32",
            "min_score": 0.2,
        },
    },
}
OF_SEGMENTS: Final[dict[str, Any]] = {
    "segments": {
        "summary": "Segments in seconds, the best first",
        "value": {
            "model": {"name": "mine", "version": 1},
            "duration_s": 93.4,
            "snippets": 146,
            "classes": [{"label": "Jump", "score": 0.93}, {"label": "Run", "score": 0.07}],
            "segments": [{"label": "Jump", "start_s": 3.1, "end_s": 5.0, "score": 0.81}],
            "timing_ms": {"parse": 0.5, "inference": 24.1, "localization": 0.9, "total": 25.6},
        },
    }
}
