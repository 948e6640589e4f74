"""From a network in torch to one ONNX file with its spec inside."""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch

from model.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.errors import ModelError
from model.network import Ecm
from model.spec import METADATA_KEY, ModelSpec

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference between torch and onnxruntime that an export may show, relative to the
largest logit."""


def write_onnx(network: Ecm, spec: ModelSpec, path: Path) -> None:
    """Writes the network's forward, features and lengths to CAS, and checks it in onnxruntime.

    Batch and snippets stay free.

    Raises:
        ModelError: onnxruntime computes something else than torch.
    """
    network = network.cpu().eval()
    example = torch.zeros(2, 8, spec.feature_dim), torch.tensor([8, 5])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network,
            example,
            input_names=[FEATURES, LENGTHS],
            output_names=[CAS],
            dynamic_shapes=({0: "batch", 1: "snippets"}, {0: "batch"}),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[METADATA_KEY] = spec.to_json()
    program.save(str(path), external_data=False)
    _compare(network, path)


def _compare(network: Ecm, path: Path) -> None:
    """Runs a padded batch of random videos through both."""
    engine = OnnxEngine(path.read_bytes(), EngineConfig(device="cpu"))
    rng = np.random.default_rng(0)
    features_BTD = rng.standard_normal((2, 37, engine.spec.feature_dim), dtype=np.float32)
    lengths_B = np.array([37, 11])
    got_BTC = engine.cas_batch(features_BTD, lengths_B)
    with torch.inference_mode():
        expected_BTC = network(torch.from_numpy(features_BTD), torch.from_numpy(lengths_B)).numpy()
    difference = float(np.abs(got_BTC - expected_BTC).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected_BTC).max())):
        raise ModelError(f"{path}: onnxruntime and torch differ by {difference:.2g}")
