"""`import ecm_localizer` in other programs: what it loads, and its errors when it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

import ecm_localizer

ROOT = Path(__file__).parents[2]


def program(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a folder, as the script `app.py` that lies there."""
    (folder / "app.py").write_text(code)
    return subprocess.run(
        [sys.executable, *options, str(folder / "app.py")],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        check=False,
    )


def test_every_public_name_is_there() -> None:
    """And listed; another name is an AttributeError."""
    for name in ecm_localizer.__all__:
        assert getattr(ecm_localizer, name).__name__ == name
        assert name in dir(ecm_localizer)
    assert ecm_localizer.__version__
    with pytest.raises(AttributeError, match="no attribute 'Localiser'"):
        _ = ecm_localizer.Localiser


def test_the_client_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    """httpx, numpy and pydantic; nothing of the model, the service or a video."""
    heavy = ("fastapi", "onnxruntime", "torch", "cv2", "av", "tqdm", "model", "service", "features")
    done = program(
        "import sys\nfrom ecm_localizer import AsyncClient, Client, Localization, Segment\n"
        f"assert not set({heavy}) & set(sys.modules), sorted(sys.modules)\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    """Not even httpx, so that `ecm --help` stays fast."""
    done = program(
        "import sys, ecm_localizer\nassert not {'httpx', 'numpy', 'pydantic'} & set(sys.modules)\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A folder with files of the same names as our packages."""
    for name in ("service", "training", "features"):
        (tmp_path / f"{name}.py").write_text(f"print('{name} of somebody else')\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "__init__.py").write_text("")
    return tmp_path


def test_the_client_works_beside_files_of_the_same_names(crowded: Path) -> None:
    """It needs none of the packages that they hide."""
    done = program(
        "from ecm_localizer import AsyncClient, Client, Localization, LocalizerError\n"
        "try:\n    Client('http://127.0.0.1:9', retries=0).localize('https://example.org/a.mp4')\n"
        "except LocalizerError as error:\n    print(error)\n",
        crowded,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be reached" in done.stdout


def test_a_localizer_names_the_file_that_hides_its_model(crowded: Path) -> None:
    """A package, a module, and one that the program imported before; in one sentence."""
    expected = "hides the package `model` that Localizer needs; rename it, or run"
    done = program("from ecm_localizer import Localizer\n", crowded)
    last = done.stderr.splitlines()[-1]
    assert f"{crowded / 'model' / '__init__.py'} {expected}" in last
    (crowded / "model" / "__init__.py").rename(crowded / "model.py")
    (crowded / "model").rmdir()
    for before in ("", "import model\n"):
        done = program(f"{before}from ecm_localizer import Localizer\n", crowded)
        assert f"{crowded / 'model.py'} {expected}" in done.stderr.splitlines()[-1]
    caught = (
        "try:\n    from ecm_localizer import Localizer\nexcept ImportError:\n    print('caught')"
    )
    assert program(caught, crowded).stdout == "caught\n"


def test_a_folder_of_data_hides_nothing(tmp_path: Path) -> None:
    """`model/` and `features/` without __init__.py are no packages."""
    (tmp_path / "model").mkdir()
    (tmp_path / "features").mkdir()
    done = program("from ecm_localizer import Localizer\n", tmp_path)
    assert done.returncode == 0, done.stderr


def test_features_work_where_the_extractors_are_hidden(
    crowded: Path, videos_model: Path, video: Path
) -> None:
    """Only a video needs `features`; the sentence names the file."""
    (crowded / "model" / "__init__.py").unlink()
    (crowded / "model").rmdir()
    done = program(
        "import numpy\nfrom ecm_localizer import Localizer, LocalizerError\n"
        f"localizer = Localizer.open({str(videos_model)!r})\n"
        "dim = localizer.spec.feature_dim\n"
        "print(localizer.localize(numpy.zeros((9, dim), numpy.float32)).snippets)\n"
        f"try:\n    localizer.localize({str(video)!r})\n"
        "except LocalizerError as error:\n    print(error)\n",
        crowded,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"9\n{crowded / 'features.py'} hides the package `features`")


@pytest.mark.parametrize(
    ("missing", "extra", "code"),
    [
        ("onnxruntime", "service", "from ecm_localizer import Localizer\n"),
        ("av", "video", "from ecm_localizer import Localizer\n"
         "Localizer.open({model!r}).localize({video!r})\n"),
        ("cv2", "video", "from ecm_localizer import Localizer\n"
         "Localizer.open({model!r}).localize({video!r})\n"),
    ],
)  # fmt: skip
def test_a_missing_library_comes_with_its_pip_line(
    missing: str, extra: str, code: str, tmp_path: Path, videos_model: Path, video: Path
) -> None:
    """In one sentence at the end."""
    hidden = f"import sys\nsys.modules[{missing!r}] = None\n"
    done = program(hidden + code.format(model=str(videos_model), video=str(video)), tmp_path)
    last = done.stderr.splitlines()[-1]
    assert f"needs the package {missing}: pip install -c constraints.txt '.[{extra}]'" in last


def test_a_localizer_needs_no_torch(tmp_path: Path, videos_model: Path, video: Path) -> None:
    """Neither for features nor for videos."""
    done = program(
        "import sys\nfrom ecm_localizer import Localizer\n"
        f"print(len(Localizer.open({str(videos_model)!r}).localize({str(video)!r})))\n"
        "assert not {'torch', 'service', 'training', 'fastapi'} & set(sys.modules)\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
