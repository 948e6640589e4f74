"""The network in onnxruntime, on the CPU or a CUDA GPU; needs no torch.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import logging
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.cores import cores
from model.errors import DeviceError, EngineError, ModelError, SpecError
from model.sessions import Instances, Sessions, Shared, WideOrNarrow
from model.spec import METADATA_KEY, ModelSpec

_log = logging.getLogger(__name__)

onnxruntime.disable_telemetry_events()  # some of its builds would report to their maker

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

FEATURES, LENGTHS, CAS = "features", "lengths", "cas"
"""Names of the network's inputs and output."""

_CUDA_REMEDY = (
    "an NVIDIA GPU with its driver, and `pip install -c constraints.txt '.[gpu]'` without the "
    "extra `service`"
)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How onnxruntime runs."""

    device: Device = "auto"
    """`cuda`, `cpu`, or `auto`: CUDA when present, the CPU otherwise."""
    require_cuda: bool = False
    """Whether to fail instead of falling back to the CPU."""
    threads: int = 0
    """Threads of one run on the CPU; 0 gives all cores to a run that is alone, one to each of
    several."""
    instances: int = 1
    """Runs at the same time where a run has several threads, or the GPU; each has its own."""


class OnnxEngine:
    """A network loaded from the bytes of its ONNX file, with the spec that lies inside."""

    def __init__(self, content: bytes, config: EngineConfig | None = None) -> None:
        """Loads the network.

        Raises:
            ModelError: the bytes are no ONNX network of this kind.
            SpecError: it carries no spec, or one that contradicts it.
            DeviceError: CUDA is required and not available.
        """
        config = config or EngineConfig()
        first = open_session(content, config)
        self.spec = _spec(first)
        self.device: Literal["cpu", "cuda"] = _device(first)
        self._sessions = _sessions(first, content, config)

    def cas(
        self, features_TD: NDArray[np.float32], run_options: onnxruntime.RunOptions | None = None
    ) -> NDArray[np.float32]:
        """Returns the class activation sequence of one video, logits (T, C); see `cas_batch`."""
        return self.cas_batch(features_TD[None], np.array([len(features_TD)]), run_options)[0]

    def cas_batch(
        self,
        features_BTD: NDArray[np.float32],
        lengths_B: NDArray[np.int64],
        run_options: onnxruntime.RunOptions | None = None,
    ) -> NDArray[np.float32]:
        """Returns the class activation sequences, logits (B, T, C), of videos padded to one length.

        What lies beyond a video's length changes nothing and comes out as 0. Several threads may
        call it at once.

        Args:
            features_BTD: the videos' features.
            lengths_B: how many snippets each has.
            run_options: whoever sets their `terminate` ends the run, which fails then.

        Raises:
            EngineError: the network failed; the cause may name places on this machine.
        """
        inputs = {FEATURES: features_BTD, LENGTHS: lengths_B}
        try:
            with self._sessions.taken() as session:
                (cas_BTC,) = session.run([CAS], inputs, run_options)
        except Exception as error:  # onnxruntime raises its own family, without a common root
            raise EngineError(
                f"the network failed on features of shape {features_BTD.shape}; the log says why"
            ) from error
        return np.asarray(cas_BTC)


def open_session(content: bytes, config: EngineConfig) -> onnxruntime.InferenceSession:
    """Returns any network, loaded from the bytes of its ONNX file.

    Raises:
        ModelError: the bytes are no ONNX network.
        DeviceError: CUDA is required and not available.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads or cores()
    # Spinning threads of one session take the cores from the others and from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = _providers(config)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime raises its own family, without a common root
        raise ModelError(f"not a readable ONNX network: {str(error).splitlines()[0]}") from error
    if _device(session) == "cpu":
        wanted = config.require_cuda or config.device == "cuda"
        absent = DeviceError.no_cuda("onnxruntime", _CUDA_REMEDY)
        if config.require_cuda:
            raise absent
        if wanted:
            _log.warning("%s; the CPU is used", absent)
    return session


def _sessions(
    first: onnxruntime.InferenceSession, content: bytes, config: EngineConfig
) -> Sessions:
    """Returns the sessions of a network, the first of which is open."""
    if _device(first) == "cpu":
        if config.threads == 1 or cores() == 1:
            return Shared(first)
        if config.threads == 0:
            return WideOrNarrow(first, open_session(content, replace(config, threads=1)))
    others = [open_session(content, config) for _ in range(config.instances - 1)]
    return Instances([first, *others])


def _providers(config: EngineConfig) -> list[str | tuple[str, dict[str, str]]]:
    wants_cuda = config.require_cuda or config.device != "cpu"
    if not wants_cuda or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    # An exhaustive search would run again for every new length of video.
    cuda = {"cudnn_conv_algo_search": "HEURISTIC"}
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


def _device(session: onnxruntime.InferenceSession) -> Literal["cpu", "cuda"]:
    # What the session runs on, not what the wheel could: that lists CUDA without any GPU.
    return "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"


def _spec(session: onnxruntime.InferenceSession) -> ModelSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise SpecError(f"the ONNX file has no metadata {METADATA_KEY!r}: it was not exported here")
    spec = ModelSpec.from_json(metadata[METADATA_KEY])
    inputs = {node.name: node.shape for node in session.get_inputs()}
    outputs = {node.name: node.shape for node in session.get_outputs()}
    if set(inputs) != {FEATURES, LENGTHS} or set(outputs) != {CAS}:
        raise SpecError(
            f"expected inputs {FEATURES}, {LENGTHS} and output {CAS}, "
            f"got {sorted(inputs)} and {sorted(outputs)}"
        )
    channels, classes = inputs[FEATURES][-1], outputs[CAS][-1]
    if (channels, classes) != (spec.feature_dim, len(spec.labels)):
        raise SpecError(
            f"the network takes {channels} channels and gives {classes} classes, "
            f"its spec says {spec.feature_dim} and {len(spec.labels)}"
        )
    return spec
