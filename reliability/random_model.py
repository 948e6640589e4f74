"""Models with random weights for servers under test; their segments mean nothing."""

from pathlib import Path

import torch

from features.extractors import MOTION, open_extractor, snippet_clock
from model.export import write_onnx
from model.localization.localize import LocalizationConfig
from model.network import Ecm, EcmConfig
from model.repository import publish
from model.spec import ExtractorIdentity, ModelSpec

_SPREAD = 20
"""Factor on the last layer that makes the logits differ, so that there are segments."""


def publish_random(
    repository: Path, name: str, *, feature_dim: int, classes: int = 3, hidden_width: int = 16
) -> None:
    """Publishes a version of a model that takes features."""
    spec = ModelSpec(
        labels=tuple(f"class {number}" for number in range(classes)),
        feature_dim=feature_dim,
        snippets=16,
        topk_ratio=0.25,
        snippet_s=0.5,
        localization=LocalizationConfig(class_threshold=0.2),
    )
    _publish(repository, name, spec, hidden_width)


def publish_random_of_videos(repository: Path, name: str) -> None:
    """Publishes a version of a model that takes videos, with the extractor `motion`."""
    motion = open_extractor(MOTION)
    spec = ModelSpec(
        labels=("jump", "run"),
        feature_dim=motion.feature_dim,
        snippets=16,
        topk_ratio=0.25,
        snippet_s=snippet_clock(motion).snippet_s,
        extractor=ExtractorIdentity(motion.id),
        localization=LocalizationConfig(class_threshold=0.2),
    )
    _publish(repository, name, spec, hidden_width=16)


def _publish(repository: Path, name: str, spec: ModelSpec, hidden_width: int) -> None:
    torch.manual_seed(0)
    network = Ecm(EcmConfig(spec.feature_dim, len(spec.labels), hidden_width)).eval()
    with torch.no_grad():
        network.classifier.conv_3.weight *= _SPREAD
    publish(repository, name, lambda path: write_onnx(network, spec, path))
