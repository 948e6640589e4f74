"""The network in onnxruntime, on the CPU or a CUDA GPU, without torch.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.errors import DeviceError, EngineError, EngineMemoryError, ModelError, SpecError
from model.inference.cores import cores
from model.inference.proof import Proof
from model.inference.sessions import Instances, Sessions, Shared, WideOrNarrow
from model.spec import METADATA_KEY, ModelSpec
from model.validation import check_ranges

_log = logging.getLogger(__name__)

onnxruntime.disable_telemetry_events()  # some builds would report to Microsoft

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

FEATURES, LENGTHS, CAS = "features", "lengths", "cas"
"""Names of the inputs and the output of the network."""

_CUDA_REMEDY = (
    "an NVIDIA GPU with its driver, and `pip install -c constraints.txt '.[gpu]'` without the "
    "extra `service`"
)

_NO_FOLDER = "/dev/null/no-external-data"
"""Path that cannot exist. Without it, a file could name weights in the working directory."""
_EXTERNAL_DATA = "external"
"""Part of all messages about weights outside the file."""

_OUT_OF_MEMORY = (
    "failed to allocate memory",  # the arena cannot grow
    "is smaller than requested bytes",  # the arena has a limit
    "out of memory",  # CUDA failure 2
    "alloc_failed",  # cuBLAS, cuDNN
    "allocation_failed",  # cuDNN 9
    "bad_alloc",
)
"""Parts of the messages of failed allocations."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Options of onnxruntime."""

    device: Device = "auto"
    """`cuda`, `cpu`, or `auto`: CUDA if available, otherwise the CPU."""
    require_cuda: bool = False
    """Whether the absence of CUDA is an error; otherwise the CPU is used with a warning."""
    threads: int = 0
    """Threads of one run on the CPU. 0 uses all cores for a single run, and one core for each of
    several concurrent runs."""
    instances: int = 1
    """Concurrent runs on a GPU or with several threads each; every one has a session of its own."""
    tf32: bool = False
    """Whether a GPU may round the inputs of float32 convolutions to TF32, with 10 fraction bits.

    The default is off, because the GPU then agrees with the CPU to 1e-4 of the largest logit. The
    default of onnxruntime is on."""

    def __post_init__(self) -> None:
        check_ranges(self, threads="[0, inf)", instances="[1, inf)")


class OnnxEngine:
    """A network loaded from the bytes of its ONNX file, with the spec in its metadata."""

    def __init__(self, content: bytes, config: EngineConfig | None = None) -> None:
        """Loads the network.

        Raises:
            ModelError: the bytes are not an ONNX network, or this CPU computes int8 otherwise.
            SpecError: the file has no spec, or the spec contradicts the network.
            DeviceError: CUDA is required and not available.
        """
        config = config or EngineConfig()
        first = open_session(content, config)
        self.spec = _spec(first)
        self.device: Literal["cpu", "cuda"] = _device(first)
        self._sessions = _sessions(first, content, config)
        if self.spec.precision == "int8":
            Proof.read(first.get_modelmeta().custom_metadata_map).check(self)

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

        Padding has no influence, and the output there is 0. The method is thread-safe.

        Args:
            features_BTD: features, padded with any finite values.
            lengths_B: number of snippets of each video.
            run_options: setting `terminate` on them aborts the run, which then fails.

        Raises:
            EngineMemoryError: there is not enough memory for features of this shape.
            EngineError: the network failed. The cause may contain paths of this machine.
        """
        inputs = {FEATURES: features_BTD, LENGTHS: lengths_B}
        try:
            with self._sessions.lend() as session:
                (cas_BTC,) = session.run([CAS], inputs, run_options)
        except Exception as error:  # the errors of onnxruntime have no base class of their own
            shape = features_BTD.shape
            if _is_out_of_memory(error):
                raise EngineMemoryError(f"no memory for features of shape {shape}") from error
            raise EngineError(
                f"the network failed on features of shape {shape}; see the log"
            ) from error
        return np.asarray(cas_BTC)


def open_session(
    content: bytes, config: EngineConfig, *, profile: Path | None = None
) -> onnxruntime.InferenceSession:
    """Returns a session of any network, loaded from the bytes of its ONNX file.

    Args:
        content: bytes of the file.
        config: options of onnxruntime.
        profile: path prefix of a JSON file with the provider and the time of each node.
            `end_profiling` writes the file and returns its path.

    Raises:
        EngineMemoryError: there is not enough memory for the weights.
        ModelError: the bytes are not an ONNX network, or its weights are in another file.
        DeviceError: CUDA is required and not available.
    """
    options, providers = _session_options(config, profile), _providers(config)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # the errors of onnxruntime have no base class of their own
        raise _unusable(error) from error
    # After a failure of the GPU, onnxruntime would continue on the CPU and only print that.
    session.disable_fallback()
    if _device(session) == "cpu":
        wanted = config.require_cuda or config.device == "cuda"
        absent = DeviceError.no_cuda("onnxruntime", _CUDA_REMEDY)
        if config.require_cuda:
            raise absent
        if wanted:
            _log.warning("%s; the CPU is used", absent)
    return session


def _session_options(config: EngineConfig, profile: Path | None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads or cores()
    # Spinning threads of one session would take cores from other sessions and the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", _NO_FOLDER
    )
    options.log_severity_level = 4  # fatal only, because exceptions carry the errors
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return options


def _unusable(error: Exception) -> EngineMemoryError | ModelError:
    """Returns our error for that of onnxruntime, which could not load a network."""
    if _is_out_of_memory(error):
        return EngineMemoryError("no memory to load the network; see the log")
    if _EXTERNAL_DATA in str(error).lower():
        return ModelError(
            "expected an ONNX file with its weights inside, got one whose weights are in another "
            "file; export it as one file"
        )
    return ModelError(f"not a readable ONNX network: {str(error).splitlines()[0]}")


def _sessions(
    first: onnxruntime.InferenceSession, content: bytes, config: EngineConfig
) -> Sessions:
    """Returns the sessions of a network, including the first one, which is already open."""
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
    # An exhaustive search would be repeated for every new video length.
    cuda = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": str(int(config.tf32))}
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


def _device(session: onnxruntime.InferenceSession) -> Literal["cpu", "cuda"]:
    # The providers of the session count. Those of the wheel include CUDA even without a GPU.
    return "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"


def _is_out_of_memory(error: Exception) -> bool:
    """Returns whether an allocation failed; onnxruntime has no type or code for that."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(part in message for part in _OUT_OF_MEMORY)


def _spec(session: onnxruntime.InferenceSession) -> ModelSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise SpecError(
            f"the ONNX file has no metadata {METADATA_KEY!r}; expected a file from `ecm export`"
        )
    spec = ModelSpec.from_json(metadata[METADATA_KEY])
    inputs = {node.name: node.shape for node in session.get_inputs()}
    outputs = {node.name: node.shape for node in session.get_outputs()}
    if set(inputs) != {FEATURES, LENGTHS} or set(outputs) != {CAS}:
        raise SpecError(
            f"expected inputs {FEATURES}, {LENGTHS} and output {CAS}, "
            f"got {sorted(inputs)} and {sorted(outputs)}"
        )
    _check_axes(FEATURES, inputs[FEATURES], 3)
    _check_axes(LENGTHS, inputs[LENGTHS], 1)
    _check_axes(CAS, outputs[CAS], 3)
    channels, classes = inputs[FEATURES][-1], outputs[CAS][-1]
    if (channels, classes) != (spec.feature_dim, len(spec.labels)):
        raise SpecError(
            f"the network has {channels} channels and {classes} classes, but its spec has "
            f"{spec.feature_dim} and {len(spec.labels)}"
        )
    return spec


def _check_axes(name: str, shape: list[int | str | None], axes: int) -> None:
    """Checks that a tensor has a number of axes, and any number of videos and snippets.

    Raises:
        SpecError: another number of axes, or a fixed size of one of the first two.
    """
    fixed = [size for size in shape[:2] if isinstance(size, int)]
    if len(shape) != axes or fixed:
        raise SpecError(
            f"expected {name} with {axes} axes and any number of videos and snippets, got shape "
            f"{shape}"
        )
