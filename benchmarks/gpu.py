"""Checks and measures everything that runs on a CUDA GPU, in six minutes at most.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --out results --only engine failure
    python benchmarks/gpu.py --device cpu                       (the same at small sizes)

docs/howto/gpu.md explains the figures. Exit status 1 if any check failed.
"""

import sys
from pathlib import Path


def main() -> int:
    """Returns the exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this tree, installed or not
    from gpu_parts.runner import run

    return run(sys.argv[1:], __doc__)


if __name__ == "__main__":
    sys.exit(main())
