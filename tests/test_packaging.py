"""A wheel of the tree works with the extras that it names and no more."""

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
CLIENT = """
import sys, numpy, httpx
from ecm_localizer import Client
answer = {"model": {"name": "m", "version": 1}, "duration_s": 2.0, "snippets": 4,
          "classes": [], "segments": [], "timing_ms": {}}
transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
assert Client(transport=transport).localize(numpy.zeros((4, 8))).snippets == 4
assert not {"fastapi", "onnxruntime", "torch"} & set(sys.modules)
"""
SERVICE = """
import sys
from pathlib import Path
from service.app import create_app
from service.settings import Settings
app = create_app(Settings(repository=Path(sys.argv[1])))
assert app.version != "0+uninstalled"
assert app.state.service.catalog.ready() == 1, app.state.service.catalog.entries
"""


requirements = runpy.run_path(str(ROOT / "deploy" / "install_requirements.py"))["requirements"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize("package", PACKAGES)
def test_images_hold_every_package_of_the_wheel(package: str) -> None:
    """The Dockerfile copies it, and .dockerignore lets it through."""
    assert f"COPY {package} {package}\n" in (ROOT / "Dockerfile").read_text()
    assert f"!{package}\n" in (ROOT / ".dockerignore").read_text()


def test_dockerfile_installs_extras_of_the_project() -> None:
    """The features image has no video parts, the GPU image one onnxruntime, and none has pip."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    words = [line.split() for line in lines if "install_requirements.py /opt/venv" in line]
    features, cpu, gpu = ([*line[line.index("/opt/venv") + 1 :]] for line in words)
    names = [
        {re.split(r"[^\w-]", one)[0] for one in requirements(PROJECT["project"], extras)}
        for extras in (features, cpu, gpu)
    ]
    assert not names[0] & {"av", "dbos", "opencv-contrib-python-headless", "torch"}
    assert {"av", "dbos", "onnxruntime", "uvicorn"} <= names[1]
    assert {"av", "dbos", "onnxruntime-gpu"} <= names[2]
    assert "onnxruntime" not in names[2]
    runtime = lines[lines.index("FROM python AS runtime") :]
    assert not [line for line in runtime if "pip" in line]


def test_dockerfile_compiles_modules_that_exist() -> None:
    """A renamed module would otherwise break the build only."""
    imports = re.findall(r"python -c \"import ([^\"]+)\"", (ROOT / "Dockerfile").read_text())
    assert imports
    for module in {name for line in imports for name in line.split(", ")}:
        assert importlib.util.find_spec(module), module


SERVER_START = """
import sys
import service.__main__, service.commands.serve, service.jobs.intake
assert not {"av", "cv2", "torch"} & set(sys.modules), sorted(sys.modules)
"""


def test_starting_server_loads_neither_ffmpeg_nor_opencv() -> None:
    """Only the processes that read videos load them, which makes the start faster."""
    subprocess.run([sys.executable, "-c", SERVER_START], check=True, cwd=ROOT)


def test_engine_collects_no_telemetry(tmp_path: Path) -> None:
    """Nothing is written to the user's home folder when onnxruntime is imported."""
    environment = {key: text for key, text in os.environ.items() if key != "XDG_CACHE_HOME"}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run(
        [sys.executable, "-c", "import model.inference.engine"],
        check=True, cwd=ROOT, env=environment | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(copy / "dist"), str(copy)],
        check=True, capture_output=True,
    )  # fmt: skip
    return next((copy / "dist").glob("*.whl"))


def install(folder: Path, wheel: Path, extra: str) -> Path:
    """Installs the wheel with an extra into a new environment, and returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile",
         "--constraint", ROOT / "constraints.txt", f"{wheel}{extra}"],
        check=True,
    )  # fmt: skip
    return python


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the installed command `ecm`."""
    return subprocess.run([python.parent / "ecm", *arguments], capture_output=True, text=True)


def installed(python: Path) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "list", "--format=freeze"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {line.partition("==")[0].lower() for line in told.splitlines()}


def test_bare_wheel_has_a_working_client(wheel: Path, tmp_path: Path) -> None:
    """httpx, numpy, pydantic and what they need."""
    python = install(tmp_path / "bare", wheel, "")
    subprocess.run([python, "-c", CLIENT], check=True, cwd=tmp_path)
    assert not {"torch", "fastapi", "onnxruntime"} & installed(python)
    help_page = run(python, "--help")
    assert "localize" in help_page.stdout
    localized = run(python, "localize", "absent.npy", "--url", "http://127.0.0.1:1")
    assert (localized.returncode, "no feature file absent.npy" in localized.stderr) == (1, True)
    fit = run(python, "fit", "--help")
    assert (fit.returncode, "pip install -c constraints.txt '.[train]'" in fit.stderr) == (1, True)
    assert "Traceback" not in fit.stderr


def test_service_extra_serves_without_torch(wheel: Path, tmp_path: Path, repository: Path) -> None:
    """The service starts and loads a model."""
    python = install(tmp_path / "service", wheel, "[service]")
    subprocess.run([python, "-c", SERVICE, repository], check=True, cwd=tmp_path)
    assert not {"torch", "onnx", "matplotlib"} & installed(python)


def test_pinned_packages_support_the_lowest_python() -> None:
    """Debian 12 has Python 3.11.2, so a pinned version that asks for 3.11.5 cannot be installed."""
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=") + ".0"
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    installed = {one.name.lower().replace("_", "-"): one for one in metadata.distributions()}
    found = [installed[name.lower()] for name in pinned if name.lower() in installed]
    assert len(found) > 100
    for package in found:
        needs = package.metadata["Requires-Python"] or ""
        assert SpecifierSet(needs).contains(lowest), (package.name, needs)
