"""Fixtures of several folders: reference data, a small trained run, a real server."""

import contextlib
import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import httpx._transports.default as httpx_transports
import numpy as np
import pytest
import torch
import uvicorn
from filelock import FileLock

from model.export import write_onnx
from model.localization.localize import LocalizationConfig
from model.network import Ecm, EcmConfig
from model.repository import publish
from model.spec import ModelSpec
from service.app import create_app
from service.http.connection import BoundedConnection
from service.settings import Settings
from training.checkpoint import Checkpoint
from training.configuration.presets import preset
from training.datasets.layouts.native import read_native
from training.datasets.simulated import SimulationConfig, write_simulated
from training.datasets.video_record import VideoSet
from training.loop import fit

Make: TypeAlias = Callable[[Path], object]
MakeOnce: TypeAlias = Callable[[str, Make], Path]

SHARED = Path(__file__).parents[2] / "shared"
LABELS = ("jump", "run", "throw")
FEATURE_DIM = 8


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Gives a path below the folder of reference data, or skips the test, saying so."""

    def find(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"no reference data {SHARED / name}")
        return SHARED / name

    return find


def pytest_xdist_auto_num_workers() -> int:
    """Returns the number of test processes: two for each core, because many tests wait."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session", autouse=True)
def shared_tls_contexts() -> Iterator[None]:
    """Lets all requests of httpx share a TLS context; each would read all authorities, in 25 ms."""
    create = httpx_transports.create_ssl_context
    contexts: dict[tuple[object, ...], ssl.SSLContext] = {}

    def create_once(*, verify: object, cert: object, trust_env: bool) -> ssl.SSLContext:
        if verify is not True or cert:
            return create(verify=verify, cert=cert, trust_env=trust_env)
        key = (trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if key not in contexts:
            contexts[key] = create(trust_env=trust_env)
        return contexts[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx_transports, "create_ssl_context", create_once)
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Gives this process's copy of a folder that the first test process to need it filled."""
    base = tmp_path_factory.getbasetemp()
    among = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Make) -> Path:
        made_folder = among / f"made_{name}"
        with FileLock(among / f"{name}.lock"):
            if not made_folder.exists():
                unfinished = tmp_path_factory.mktemp("unfinished") / name
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(made_folder)
        return Path(shutil.copytree(made_folder, tmp_path_factory.mktemp(name) / name))

    return made


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> VideoSet:
    """A small simulated data set, in the native layout on disk."""
    config = SimulationConfig(
        training_videos=24, validation_videos=12, classes=3, feature_dim=32, difficulty=0.3
    )
    annotations, features = write_simulated(tmp_path_factory.mktemp("simulated"), config)
    return read_native(annotations, features)


@pytest.fixture(scope="session")
def run(simulated: VideoSet, made_once: MakeOnce) -> Path:
    """The folder of a run that was trained on it."""
    recipe = preset("demo").override({"hidden_width": 64, "snippets": 96, "epochs": 25})
    training, validation = simulated.subset("training"), simulated.subset("validation")
    return made_once("run", lambda out: fit(training, validation, recipe, out))


@pytest.fixture
def spec() -> ModelSpec:
    """The spec of a network with three classes."""
    return make_spec()


@pytest.fixture
def network() -> Ecm:
    """An untrained network with three classes whose logits differ visibly."""
    return make_network()


@pytest.fixture(scope="session")
def exported(made_once: MakeOnce) -> bytes:
    """The ONNX file of that network and spec; the first export of a process takes seconds."""
    folder = made_once(
        "exported", lambda out: write_onnx(make_network(), make_spec(), out / "model.onnx")
    )
    return (folder / "model.onnx").read_bytes()


@pytest.fixture
def repository(tmp_path: Path, exported: bytes) -> Path:
    """A model repository with one model, `small`, version 1."""
    root = tmp_path / "models"
    publish(root, "small", lambda path: path.write_bytes(exported))
    return root


def make_spec() -> ModelSpec:
    return ModelSpec(
        labels=LABELS,
        feature_dim=FEATURE_DIM,
        snippets=16,
        topk_ratio=0.25,
        snippet_s=0.5,
        localization=LocalizationConfig(class_threshold=0.2),
    )


def make_network() -> Ecm:
    torch.manual_seed(0)
    network = Ecm(EcmConfig(FEATURE_DIM, len(LABELS), hidden_width=16)).eval()
    with torch.no_grad():
        network.classifier.conv_3.weight *= 20
    return network


@pytest.fixture
def features_TD() -> np.ndarray:
    """The features of a video of 40 snippets."""
    return np.random.default_rng(1).standard_normal((40, FEATURE_DIM), dtype=np.float32)


@contextlib.contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    """Runs the service in a thread on a free port of the loopback; gives its address."""
    config = uvicorn.Config(
        create_app(settings), port=0, log_config=None, lifespan="off", http=BoundedConnection
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


Serving: TypeAlias = Callable[[Settings], contextlib.AbstractContextManager[str]]


@pytest.fixture
def serving() -> Serving:
    """Runs a service with some settings for the length of a `with`; gives its address."""
    return _serving


@pytest.fixture
def url(repository: Path) -> Iterator[str]:
    """The address of a service that serves `small`."""
    with _serving(Settings(repository=repository, max_snippets=500, max_body_bytes=100_000)) as url:
        yield url


@pytest.fixture
def checkpoint(network: Ecm, spec: ModelSpec) -> Checkpoint:
    """An untrained checkpoint."""
    recipe = preset("demo").override({"snippets": 16})
    return Checkpoint(spec, recipe, network.config, network.state_dict(), {}, epoch=0)


Film: TypeAlias = Callable[..., Path]


@pytest.fixture(scope="session")
def film() -> Film:
    """Makes small videos whose frames tell their number; see `_film`."""
    return _film


def _film(
    path: Path,
    stamps_s: Iterable[float],
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound_s: float = 0.0,
    still: bool = False,
    rate: int | Fraction = 25,
    ticks: int = 50_000,
) -> Path:
    """Writes a video with a frame at each stamp, its number in eight bars, black 0 and white 1.

    With `sound_s`, the first stream is a sound of that length which starts at 0.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        sound = container.add_stream("aac", rate=16000) if sound_s else None
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height = size
        video.pix_fmt = pixels
        ticks = 25 if path.suffix == ".avi" else ticks
        video.codec_context.time_base = Fraction(1, ticks)
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, int(16000 * sound_s)), np.float32),
                                                 format="fltp", layout="mono")  # fmt: skip
            silence.sample_rate, silence.pts = 16000, 0
            container.mux(sound.encode(silence))
            container.mux(sound.encode())
        for number, stamp_s in enumerate(stamps_s):
            frame = av.VideoFrame.from_ndarray(_bars(0 if still else number, *size), format="rgb24")
            frame.pts, frame.time_base = round(stamp_s * ticks), Fraction(1, ticks)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


def _bars(number: int, width: int, height: int) -> np.ndarray:
    bar_W = np.minimum(np.arange(width) * 8 // width, 7)
    row_WC = np.repeat(((number >> bar_W) & 1) * 255, 3).reshape(width, 3)
    return np.ascontiguousarray(np.broadcast_to(row_WC.astype(np.uint8), (height, width, 3)))
