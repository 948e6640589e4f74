"""Choice of a library by the name of a backbone."""

import torch

from features.backbone.libraries.request import Backbone, ClipRequest, Weights
from model.errors import ModelError, OptionError

LIBRARIES = ("torchvision", "timm", "transformers")
"""Libraries of backbones, each also an extra of this software."""


def build_backbone(name: str, request: ClipRequest, weights: Weights) -> Backbone:
    """Returns a backbone by its name, LIBRARY:NAME.

    Raises:
        OptionError: there is no such library or network, the library is not installed, or the
            network does not take such clips.
        ModelError: the library does not work, or the weights cannot be had or do not fit.
    """
    library, _, network = name.partition(":")
    if library not in LIBRARIES or not network:
        raise OptionError(
            f"no backbone {name!r}; expected i3d, torchvision:NAME, timm:NAME or "
            "transformers:ORG/NAME"
        )
    backbone = _build(library, network, request, weights)
    _check_clip(backbone, name)
    return backbone


def _build(library: str, network: str, request: ClipRequest, weights: Weights) -> Backbone:
    try:
        if library == "torchvision":
            from features.backbone.libraries.torchvision_videos import build
        elif library == "timm":
            from features.backbone.libraries.timm_images import build
        else:
            from features.backbone.libraries.transformers_videos import build
    except ModuleNotFoundError as error:
        raise OptionError(
            f"{library}:{network} needs the library {library}, but there is no module "
            f"{error.name}; install it with `pip install 'ecm-localizer[{library}]'`"
        ) from error
    except (ImportError, RuntimeError) as error:
        raise ModelError(
            f"the library {library} does not load: {error}; install a version for torch "
            f"{torch.__version__}"
        ) from error
    return build(network, request, weights)


def _check_clip(backbone: Backbone, name: str) -> None:
    """Checks that the network takes clips of the spec's shape.

    Raises:
        OptionError: it does not.
    """
    spec = backbone.spec
    clip = torch.zeros(spec.shape(spec.inputs[0]))
    try:
        with torch.inference_mode():
            features_ND = backbone.network(clip)
    except (RuntimeError, ValueError) as error:
        raise OptionError(
            f"{name} does not take inputs of shape {tuple(clip.shape)}: {error}; change --frames"
        ) from error
    if features_ND.ndim != 2:
        raise OptionError(f"{name}: expected features (N, D), got {tuple(features_ND.shape)}")
