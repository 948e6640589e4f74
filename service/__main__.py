"""The commands of the service: `python -m service --help`."""

import sys

from ecm_localizer.command.main import main as run_command


def main(arguments: list[str] | None = None) -> int:
    """Runs one command of the service and returns its exit status."""
    return run_command(arguments, side="service")


if __name__ == "__main__":
    sys.exit(main())
