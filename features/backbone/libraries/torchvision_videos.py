"""Video networks of torchvision; their weights were learned from Kinetics-400."""

import re
from importlib.metadata import metadata
from typing import Any

import torch
import torchvision.models.video
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from features.backbone.libraries.request import SEED, Backbone, ClipRequest, Weights, origin
from features.backbone.libraries.weights import load_weights
from features.backbone.spec import BackboneSpec, InputSpec
from model.errors import ModelError, OptionError
from model.whole_file import sha256_of

MAX_FRAMES = 32
"""Longer clips are shortened, because they would blur the borders of actions. Only S3D, whose
accuracy was measured on 128 frames and which takes any number, has such clips."""

_CLASSIFIERS = ("fc", "classifier", "head")
"""Names of the last layer in the networks of torchvision."""


def build(name: str, request: ClipRequest, weights: Weights) -> Backbone:
    """Returns a video network without its classifier.

    The aspect ratio of frames is kept, where torchvision's evaluation of r3d_18 and the like
    squeezes all of them to 4:3, and that of s3d to a square.

    Args:
        name: a network, or network.WEIGHTS where torchvision has several weights.
        request: clock and clip.
        weights: origin of the weights.

    Raises:
        OptionError: there is no such network, or no such weights.
        ModelError: the weights cannot be downloaded, or the file is of another network.
    """
    architecture, _, tag = name.partition(".")
    known = list_models(module=torchvision.models.video)
    if architecture not in known:
        raise OptionError(f"torchvision has no video network {architecture!r}; it has {known}")
    choices = get_model_weights(architecture)
    if tag and tag not in choices.__members__:
        raise OptionError(f"{architecture} has no weights {tag!r}; it has {list(choices)}")
    chosen = choices[tag] if tag else choices.DEFAULT
    network, classifier = _network(architecture, chosen, weights)
    hashes = {}
    if not isinstance(weights, str):
        load_weights(network, weights, unused=[classifier])
        hashes = {architecture: sha256_of(weights)}
    source = (
        f"torchvision {torchvision.__version__} {architecture}, "
        f"{origin(weights, downloaded=chosen.name)}"
    )
    return Backbone(network, _spec(architecture, chosen, request, source, hashes))


def _network(architecture: str, chosen: Any, weights: Weights) -> tuple[nn.Module, str]:
    """Returns the network, and the name of its classifier, which is taken off."""
    torch.manual_seed(SEED)
    try:
        network = get_model(architecture, weights=chosen if weights == "download" else None)
    except (OSError, RuntimeError) as error:  # a failed download, or one with another hash
        raise ModelError(
            f"torchvision cannot download the weights: {error}; download {chosen.url} elsewhere, "
            "and give --weights FILE"
        ) from error
    classifier = next(name for name in _CLASSIFIERS if hasattr(network, name))
    setattr(network, classifier, nn.Identity())
    return network.eval(), classifier


def _spec(
    architecture: str, chosen: Any, request: ClipRequest, source: str, hashes: dict[str, str]
) -> BackboneSpec:
    preset = chosen.transforms()
    frames, clip_s = own_clip(chosen.meta["_docs"])
    clock = request.clock(frames, clip_s)
    clip = InputSpec("clip", "NCTHW", scale=1 / 255, mean=tuple(preset.mean), std=tuple(preset.std))
    return BackboneSpec(
        (clip,),
        "features",
        name=f"torchvision-{architecture}",
        rate_fps=clock.rate_fps,
        snippet_frames=clock.snippet_frames,
        clip_frames=clock.clip_frames,
        frames=clock.frames,
        short_side=min(preset.resize_size),
        size=preset.crop_size[0],
        crop=request.crop,
        weights=hashes,
        source=source,
        licence=chosen.meta.get("license") or _library_licence(),
    )


def own_clip(notes: str) -> tuple[int, float]:
    """Returns frames and seconds of the clips with which torchvision measured its accuracy.

    Its metadata contains them in a sentence only: "... `frame_rate=15`, ..., and `clip_len=16`".
    """
    found = dict(re.findall(r"`(frame_rate|clip_len)=([\d.]+)`", notes))
    if len(found) < 2:
        raise ModelError(
            f"torchvision does not state frame_rate and clip_len, but {notes!r}; give --frames and "
            "--clip-s"
        )
    frames = min(int(found["clip_len"]), MAX_FRAMES)
    return frames, frames / float(found["frame_rate"])


def _library_licence() -> str:
    return f"not stated with the weights; torchvision itself: {metadata('torchvision')['License']}"
