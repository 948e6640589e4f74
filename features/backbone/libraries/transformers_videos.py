"""Video networks of transformers: VideoMAE, TimeSformer and others that take clips of pixels."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import cached_file

from features.backbone.libraries.request import SEED, Backbone, ClipRequest, Weights, origin
from features.backbone.libraries.weights import check_finite, read_state
from features.backbone.spec import BackboneSpec, InputSpec
from model.errors import ModelError, OptionError
from model.whole_file import sha256_of


class MeanOfTokens(nn.Module):
    """A transformer whose last hidden states are averaged over space and time."""

    def __init__(self, encoder: nn.Module) -> None:
        """Wraps a network of transformers."""
        super().__init__()
        self.encoder = encoder

    def forward(self, clip_NTCHW: Tensor) -> Tensor:
        """Returns the features of clips, (N, D)."""
        hidden_NLD: Tensor = self.encoder(pixel_values=clip_NTCHW).last_hidden_state
        return hidden_NLD.mean(dim=1)


def build(name: str, request: ClipRequest, weights: Weights) -> Backbone:
    """Returns a video network without its classifier.

    Args:
        name: ORG/NAME, or a folder with the same files.
        request: clock and clip. The configuration has no duration of clips, so a clip covers the
            snippet unless `clip_s` is given.
        weights: origin of the weights.

    Raises:
        OptionError: it is no video network, or it takes another number of frames.
        ModelError: its files cannot be read or downloaded, or the weights are of another network.
    """
    config, processor, licence = _metadata(name)
    frames = getattr(config, "num_frames", None)
    if frames is None:
        raise OptionError(
            f"{name} is a network of type {config.model_type!r}, whose configuration has no "
            "num_frames; expected a video network such as VideoMAE, or timm:NAME for images"
        )
    if request.frames not in (None, frames):
        raise OptionError(f"{name} takes clips of {frames} frames, not {request.frames}")
    encoder = _encoder(name, config, weights)
    hashes = {} if isinstance(weights, str) else {"weights": sha256_of(weights)}
    named = origin(weights, downloaded="its own weights")
    source = f"transformers {transformers.__version__} {name}, {named}"
    spec = _spec(config, processor, request, (source, licence, hashes))
    return Backbone(MeanOfTokens(encoder).eval(), spec)


def _metadata(name: str) -> tuple[Any, dict[str, Any], str | None]:
    """Returns configuration, configuration of the processor, and licence."""
    try:
        processor = json.loads(Path(cached_file(name, "preprocessor_config.json")).read_text())
        return AutoConfig.from_pretrained(name), processor, _licence(name)
    except (OSError, ValueError) as error:  # absent, offline, or not JSON
        raise ModelError(f"transformers cannot read {name}: {error}") from error


def _licence(name: str) -> str | None:
    """Returns the licence in the head of the model card; None without one."""
    card = cached_file(name, "README.md", _raise_exceptions_for_missing_entries=False)
    if card is None:
        return None
    from huggingface_hub import ModelCard

    data = ModelCard.load(card, ignore_metadata_errors=True).data
    return data.get("license_name") or data.get("license")


def _encoder(name: str, config: Any, weights: Weights) -> Any:
    torch.manual_seed(SEED)
    try:
        if weights == "download":
            return AutoModel.from_pretrained(name)
        encoder = AutoModel.from_config(config)
    except (OSError, ValueError) as error:
        raise ModelError(f"transformers cannot build {name}: {error}") from error
    return encoder if isinstance(weights, str) else _loaded(type(encoder), config, weights)


def _loaded(kind: Any, config: Any, path: Path) -> Any:
    """Returns a network with the tensors of a file, which transformers may rename.

    Tensors that the network has not, such as those of a classifier, are ignored.

    Raises:
        ModelError: tensors are missing, of another shape or not finite.
    """
    state = read_state(path)
    try:
        encoder, report = kind.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True
        )
    except RuntimeError as error:
        raise ModelError(f"{path}: not the weights of this network: {error}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{path}: not the weights of this network; {len(missing)} tensors are missing, such as "
            f"{missing[:3]}"
        )
    check_finite(encoder.state_dict(), path)
    return encoder


def _spec(
    config: Any,
    processor: dict[str, Any],
    request: ClipRequest,
    facts: tuple[str, str | None, dict[str, str]],
) -> BackboneSpec:
    if processor.get("offset"):
        raise OptionError(f"processors with `offset`, as of {config.model_type}, are not supported")
    source, licence, hashes = facts
    size = _pixels(processor.get("crop_size") or config.image_size)
    clip = InputSpec(
        "clip",
        "NTCHW",
        scale=processor.get("rescale_factor", 1 / 255),
        mean=tuple(processor["image_mean"]),
        std=tuple(processor["image_std"]),
    )
    clock = request.clock(config.num_frames, None)
    return BackboneSpec(
        (clip,),
        "features",
        name=f"transformers-{config.model_type}",
        rate_fps=clock.rate_fps,
        snippet_frames=clock.snippet_frames,
        clip_frames=clock.clip_frames,
        frames=clock.frames,
        short_side=max(size, _pixels(processor.get("size", size))),
        size=size,
        crop=request.crop,
        weights=hashes,
        source=source,
        licence=licence,
    )


def _pixels(size: int | dict[str, int]) -> int:
    """Returns the shorter side in any of the ways in which processors write it.

    Raises:
        ModelError: the size is written in another way.
    """
    if isinstance(size, dict):
        sides = [size[key] for key in ("shortest_edge", "height", "width") if key in size]
        if not sides:
            raise ModelError(f"expected a size with shortest_edge, or height and width, got {size}")
        return min(sides)
    return int(size)
