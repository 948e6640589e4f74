"""Image networks of timm; the features of a snippet are the mean over its images."""

import difflib
import math
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg

from features.backbone.libraries.request import SEED, Backbone, ClipRequest, Weights, origin
from features.backbone.libraries.weights import load_weights
from features.backbone.spec import BackboneSpec, InputSpec
from model.errors import ModelError, OptionError
from model.whole_file import sha256_of


def build(name: str, request: ClipRequest, weights: Weights) -> Backbone:
    """Returns an image network without its classifier.

    Args:
        name: a network of timm, or network.tag where timm has several weights.
        request: clock and clip; one image of each snippet, unless it contains `frames`.
        weights: origin of the weights.

    Raises:
        OptionError: there is no such network.
        ModelError: the weights cannot be downloaded, or the file is of another network.
    """
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError:  # the network is known, its tag is not
        config = None
    if config is None or not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=5)
        raise OptionError(f"timm has no network {name!r} with weights; close names: {close}")
    network = _network(name, weights)
    hashes = {}
    if not isinstance(weights, str):
        load_weights(network, weights, unused=_names(config.classifier))
        hashes = {name: sha256_of(weights)}
    named = origin(weights, downloaded=config.tag or "its own weights")
    source = f"timm {timm.__version__} {name}, {named}"
    return Backbone(network, _spec(name, config, request, source, hashes))


def _network(name: str, weights: Weights) -> torch.nn.Module:
    torch.manual_seed(SEED)
    try:
        return timm.create_model(name, pretrained=weights == "download", num_classes=0).eval()
    except Exception as error:  # the errors of its downloads have no base class of their own
        raise ModelError(
            f"timm cannot build {name}: {error}; without access to its weights, give --weights FILE"
        ) from error


def _spec(
    name: str, config: Any, request: ClipRequest, source: str, hashes: dict[str, str]
) -> BackboneSpec:
    own = resolve_data_config(pretrained_cfg=config.to_dict())
    _, height, width = own["input_size"]
    if height != width:
        raise OptionError(f"{name} takes images of {width} x {height}; expected square ones")
    image = InputSpec(
        "image", "NCHW", scale=1 / 255, mean=tuple(own["mean"]), std=tuple(own["std"])
    )
    clock = request.clock(1, None)
    return BackboneSpec(
        (image,),
        "features",
        name=f"timm-{name}",
        rate_fps=clock.rate_fps,
        snippet_frames=clock.snippet_frames,
        clip_frames=clock.clip_frames,
        frames=clock.frames,
        short_side=max(height, math.floor(height / own["crop_pct"])),
        size=height,
        crop=request.crop,
        weights=hashes,
        source=source,
        licence=config.license,
    )


def _names(classifier: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
