"""I3D, compared with the public implementation."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from features.backbone.i3d import I3d, TwoStreamI3d, i3d_from_state, pad_same
from model.errors import ModelError


def drawn(name: str, shape: list[int], rng: np.random.Generator) -> Tensor:
    """A parameter of the golden network, drawn as described in its README."""
    z = rng.standard_normal(shape).astype(np.float32)
    if len(shape) > 1:
        z = z * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    elif name.endswith("running_var"):
        z = 1 + np.float32(0.1) * np.abs(z)
    elif name.endswith("bn.weight"):
        z = 1 + np.float32(0.1) * z
    else:
        z = np.float32(0.1) * z
    return torch.from_numpy(z)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Weights with the public names."""
    torch.manual_seed(0)
    state = I3d(3).state_dict()
    return {name: value for name, value in state.items() if "num_batches" not in name}


@pytest.mark.parametrize(("stream", "channels"), [("rgb", 3), ("flow", 2)])
def test_equals_the_public_implementation(
    shared: Callable[[str], Path], stream: str, channels: int
) -> None:
    """Features and logits agree to 1e-5 of the largest; all names of the checkpoints are used."""
    golden = json.loads(shared(f"golden/i3d_{stream}.json").read_text())
    expected = np.load(shared(f"golden/i3d_{stream}.npz"))
    rng = np.random.default_rng(golden["seed"])
    weights = {name: drawn(name, shape, rng) for name, shape in golden["parameters"]}
    shape = (1, channels, golden["frames"], golden["height"], golden["width"])
    clips = torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32))
    network = i3d_from_state(weights, channels=channels)
    with torch.inference_mode():
        features_NDT = network(clips)
        logits = network.logits(features_NDT).numpy()
    for got, want in ((features_NDT.numpy(), "features"), (logits, "logits")):
        np.testing.assert_allclose(got, expected[want].reshape(got.shape), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [7, 8, 9, 16])
@pytest.mark.parametrize("window", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_that_of_tensorflow(size: int, window: int, stride: int) -> None:
    """ceil(size / stride) positions remain, and an odd zero is last."""
    values = torch.ones(1, 1, size, 1, 1)
    padded = pad_same(values, (window, 1, 1), (stride, 1, 1))[0, 0, :, 0, 0]
    positions = (len(padded) - window) // stride + 1
    assert positions == -(-size // stride) or window < stride
    zeros = len(padded) - size
    before = int((padded[:window] == 0).long().cumprod(0).sum())
    assert before == zeros // 2


def test_clips_of_a_batch_do_not_see_each_other(state: dict[str, Tensor]) -> None:
    """A clip of any size has the same features alone and in a batch."""
    network = i3d_from_state(state, channels=3)
    clips = torch.rand(3, 3, 16, 40, 56)
    with torch.inference_mode():
        together, alone = network(clips), network(clips[1:2])
    assert together.shape == (3, 1024, 1)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=1e-7)


def test_two_streams_are_concatenated(state: dict[str, Tensor]) -> None:
    """RGB is first, then flow, from clips with channels last."""
    rgb, flow = i3d_from_state(state, channels=3), I3d(2).eval()
    clips = torch.rand(2, 16, 32, 32, 5)
    with torch.inference_mode():
        features_ND = TwoStreamI3d(rgb, flow)(clips[..., :3], clips[..., 3:])
        own_NDT = flow(clips[..., 3:].permute(0, 4, 1, 2, 3))
    assert features_ND.shape == (2, 2048)
    torch.testing.assert_close(features_ND[:, 1024:], own_NDT[..., 0])


def test_weights_for_other_classes_are_accepted(state: dict[str, Tensor]) -> None:
    """The classifier is not needed, so fine-tuned weights work too."""
    other = {"logits.conv3d.weight": torch.zeros(157, 1024, 1, 1, 1)}
    network = i3d_from_state(state | other | {"logits.conv3d.bias": torch.zeros(157)}, channels=3)
    assert network.logits(torch.zeros(1, 1024, 1)).shape == (1, 157, 1)


def test_other_weights_are_refused(state: dict[str, Tensor]) -> None:
    """Each message names the problem."""
    name = "Mixed_4f.b2b.conv3d.weight"
    first = "Conv3d_1a_7x7.conv3d.weight"
    lacking = {key: value for key, value in state.items() if key != name}
    cases = {
        name: lacking,
        "Unexpected": state | {"head.weight": torch.zeros(1)},
        "size mismatch": state | {name: torch.zeros(1, 1, 1, 1, 1)},
        "NaN": state | {name: torch.full_like(state[name], torch.nan)},
        "rgb_imagenet": {f"module.{key}": value for key, value in state.items()},
        "5 axes": state | {first: torch.zeros(3)},
        "no weights": {"epoch": 3},
    }
    for message, weights in cases.items():
        with pytest.raises(ModelError, match=message):
            i3d_from_state(weights, channels=3)


def test_swapped_streams_are_an_error(state: dict[str, Tensor]) -> None:
    """RGB weights have three channels, flow weights two."""
    with pytest.raises(ModelError, match="for 2 channels, got 3"):
        i3d_from_state(state, channels=2)
