"""`python -m service` in processes of its own, as an operator starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]


def service(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def process_url(repository: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A service process, set up half by flag and half by environment, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    told = {"ECM_REPOSITORY": str(repository), "ECM_PORT": "1", "ECM_DATA": str(tmp_path / "data")}
    environment = os.environ | told
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/health/ready").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_serve_localize_and_stop(
    process_url: tuple[subprocess.Popen[bytes], str], features_TD: np.ndarray, tmp_path: Path
) -> None:
    """Flags win over the environment; the client's command reads it; SIGTERM ends it cleanly."""
    process, url = process_url
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", features_TD)
    (tmp_path / "c.npy").write_text("no array")
    files = [tmp_path / f"{name}.npy" for name in "abc"]
    told = service("localize", *files[:2], "--url", url, "--json", "--max-segments", 2)
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 0
    assert [Path(line["file"]).name for line in lines] == ["a.npy", "b.npy"]
    assert len(lines[0]["segments"]) == 2
    told = service("localize", *files, "--url", url)
    assert told.returncode == 1
    assert "segments in 20.0 s" in told.stdout
    assert "c.npy" in told.stderr
    assert service("localize", *files, "--url", url, "--duration-s", 5).returncode == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_wrong_settings_end_at_once_with_a_sentence(repository: Path) -> None:
    """Out of range, unknown, and a GPU that is required and absent."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    for arguments, word in (
        (["--port", "99999"], "port"),
        (["--colour", "red"], "colour"),
        (["--concurrency", "-1"], "concurrency"),
        (["--require-cuda", "true"], "CUDA was requested"),
    ):
        told = service("serve", "--repository", repository, *arguments, timeout=60)
        assert told.returncode != 0
        assert word in told.stderr
        assert "Traceback" not in told.stderr


def test_openapi_command_prints_the_description() -> None:
    """What openapi/openapi.json holds."""
    told = service("openapi")
    assert json.loads(told.stdout) == json.loads((ROOT / "openapi/openapi.json").read_text())


def test_service_starts_without_torch(repository: Path) -> None:
    """Nothing that it imports pulls torch or training in."""
    code = (
        "import sys; from pathlib import Path; from service.app import create_app; "
        "from service.settings import Settings; "
        f"app = create_app(Settings(repository=Path({str(repository)!r}))); "
        "assert app.state.service.catalog.ready() == 1; "
        "assert not {'torch', 'training', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
