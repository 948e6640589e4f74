"""Installs what some extras of the project need into the environment of an image.

    python install_requirements.py ENVIRONMENT EXTRA...

Run it with a Python that has pip, in a folder with pyproject.toml and constraints.txt. The
environment itself needs no pip. Byte code, debug symbols and the tests of packages are left out.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def requirements(project: dict[str, Any], extras: Iterable[str]) -> list[str]:
    """Returns the project's dependencies and those of its extras, without the project itself.

    Args:
        project: table `project` of pyproject.toml.
        extras: names of extras; the extras that they name are included.
    """
    own = re.compile(rf"{re.escape(project['name'])}\[([^]]*)\]")
    found = list(project["dependencies"])
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            match = own.fullmatch(line)
            found += requirements(project, match[1].split(",")) if match else [line]
    return sorted(set(found))


def slim(environment: Path) -> None:
    """Removes the debug symbols of compiled modules, and the tests of packages.

    Libraries that wheels bring along are left as they are, because auditwheel has patched them.
    """
    modules = [*environment.rglob("*.cpython-*.so"), *environment.rglob("*.abi3.so")]
    subprocess.run(["strip", "--strip-debug", *modules], check=True)
    for folder in list((environment / "lib").rglob("tests")):
        shutil.rmtree(folder, ignore_errors=True)  # some lie in others


def main(environment: str, *extras: str) -> None:
    """Installs the requirements of the extras into the environment."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    pip = [sys.executable, "-m", "pip", "--python", environment]
    options = ["--no-cache-dir", "--no-compile", "--constraint", "constraints.txt"]
    subprocess.run([*pip, "install", *options, *requirements(project, extras)], check=True)
    slim(Path(environment))


if __name__ == "__main__":
    main(*sys.argv[1:])
