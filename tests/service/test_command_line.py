"""The commands of the service in processes of their own, as an operator starts them."""

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
    """A service process, configured half by flag and half by environment, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    settings = {
        "ECM_REPOSITORY": str(repository),
        "ECM_PORT": "1",
        "ECM_DATA": str(tmp_path / "data"),
    }
    process = subprocess.Popen(
        command,
        env=os.environ | settings,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
    """Flags override the environment; `localize` reads the service; SIGTERM ends it cleanly."""
    process, url = process_url
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", features_TD)
    (tmp_path / "c.npy").write_text("no array")
    files = [tmp_path / f"{name}.npy" for name in "abc"]
    result = service("localize", *files[:2], "--url", url, "--format", "jsonl", "--max-segments", 2)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert [Path(line["file"]).name for line in lines] == ["a.npy", "b.npy"]
    assert len(lines[0]["segments"]) == 2
    result = service("localize", *files, "--url", url, "--format", "table")
    assert result.returncode == 1
    assert "in a video of 20.0 s" in result.stdout
    assert "c.npy" in result.stderr
    assert service("localize", *files, "--url", url, "--duration-s", 5).returncode == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_wrong_settings_end_at_once_with_a_sentence(repository: Path) -> None:
    """A value out of range, an unknown flag, and a GPU that is required and absent."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    for arguments, word in (
        (["--port", "99999"], "port"),
        (["--colour", "red"], "colour"),
        (["--concurrency", "-1"], "concurrency"),
        (["--require-cuda"], "CUDA"),
    ):
        result = service("serve", "--repository", repository, *arguments, timeout=60)
        assert result.returncode != 0
        assert word in result.stderr
        assert "Traceback" not in result.stderr


def test_openapi_command_prints_the_description() -> None:
    """The output equals openapi/openapi.json."""
    result = service("openapi")
    assert json.loads(result.stdout) == json.loads((ROOT / "openapi/openapi.json").read_text())


def test_service_starts_without_torch(repository: Path) -> None:
    """Nothing that the service imports loads torch or training."""
    code = (
        "import sys; from pathlib import Path; from service.app import create_app; "
        "from service.settings import Settings; "
        f"app = create_app(Settings(repository=Path({str(repository)!r}))); "
        "assert app.state.service.catalog.ready() == 1; "
        "assert not {'torch', 'training', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
