"""The commands of training: `python -m training --help`."""

import sys

from ecm_localizer.command.main import main as run_command


def main(arguments: list[str] | None = None) -> int:
    """Runs one command of training and returns its exit status."""
    return run_command(arguments, side="training")


if __name__ == "__main__":
    sys.exit(main())
