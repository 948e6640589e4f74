"""Packages that a part of this software needs: present, and not hidden by somebody's own files.

`model`, `features` and `training` are also names of people's own files. Python takes the first one
on its path, which starts with the folder of the program.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ecm_client.errors import LocalizerError

_ROOT = Path(__file__).resolve().parents[1]
"""Folder that holds this package and its neighbours."""


class InstallationError(LocalizerError, ImportError):
    """A package is missing, or somebody's own file hides it."""


@contextmanager
def needed(by: str, *, extra: str, packages: tuple[str, ...]) -> Iterator[None]:
    """Lets imports inside the block fail with one sentence that says what to do.

    Args:
        by: the part of this software that is about to be imported.
        extra: extra of the installation that brings its libraries.
        packages: our own packages that it imports.

    Raises:
        InstallationError: one of the packages is hidden, or a library is missing.
    """
    for package in packages:
        _check_not_hidden(by, package)
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise InstallationError(
            f"{by} needs the package {library}: pip install -c constraints.txt '.[{extra}]'",
            name=library,
        ) from error


def _check_not_hidden(by: str, package: str) -> None:
    """Raises InstallationError unless Python finds our package under this name."""
    file = _file_of(package)
    if file is None:
        raise InstallationError(f"{by} needs the package {package}, which is not installed beside "
                                f"{_ROOT}; install ecm-localizer again", name=package)  # fmt: skip
    if file.resolve() != _ROOT / package / "__init__.py":
        raise InstallationError(
            f"{file} hides the package `{package}` that {by} needs; rename it, or run your program "
            "from another folder",
            name=package,
            path=str(file),
        )


def _file_of(package: str) -> Path | None:
    """Returns the file that an import of this package runs or ran; None if there is none."""
    if package in sys.modules:
        file = getattr(sys.modules[package], "__file__", None)
        return Path(file) if file else None
    spec = find_spec(package)
    return Path(spec.origin) if spec and spec.origin else None
