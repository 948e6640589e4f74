"""Entry point of `ecm`, `python -m training` and `python -m service`."""

import difflib
import logging
import os
import sys
from collections.abc import Collection, Sequence

from cyclopts import CycloptsError

from ecm_client.errors import LocalizerError
from ecm_localizer.command.application import application, imported
from ecm_localizer.command.catalog import Side, commands_of
from model.errors import OptionError

_STATUS_ERROR = 1
_STATUS_USAGE = 2
_STATUS_INTERRUPTED = 130
_STATUS_CLOSED_PIPE = 141


def main(arguments: Sequence[str] | None = None, *, side: Side | None = None) -> int:
    """Runs one command and returns its exit status.

    Args:
        arguments: words after the program's name; those of this process if not given.
        side: leaves out the commands of the other side.
    """
    words = _with_switches_joined(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may have letters that it cannot encode
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words, side)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os._exit(_STATUS_CLOSED_PIPE)
    except KeyboardInterrupt:
        os._exit(_STATUS_INTERRUPTED)  # without waiting for threads, which may wait for a network
    return status


def _run(words: Sequence[str], side: Side | None) -> int:
    """Runs one command; an error that the user can act on becomes one line on stderr."""
    by_name = {one.name: one for commands in commands_of(side).values() for one in commands}
    command = by_name.get(words[0]) if words else None
    try:
        if command is not None:
            imported(command)
        elif words and not words[0].startswith("-"):
            raise OptionError(_unknown_command(words[0], by_name))
        if command is not None and command.side == "training":
            _log_to_stderr()
        status = application(words, command, side)()
    except (CycloptsError, OptionError) as error:
        return _complain(error, _STATUS_USAGE)
    except BrokenPipeError:
        raise
    except (LocalizerError, OSError) as error:
        return _complain(error, _STATUS_ERROR)
    return status if isinstance(status, int) else 0


def _with_switches_joined(words: Sequence[str]) -> list[str]:
    """Returns the words with `--switch true` as `--switch=true`, as cyclopts expects it."""
    joined: list[str] = []
    for word in words:
        is_value = word.lower() in ("true", "false")
        if is_value and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word.lower()}"
        else:
            joined.append(word)
    return joined


def _unknown_command(word: str, names: Collection[str]) -> str:
    """Returns the complaint about a word that is no command, with the likely spelling."""
    close = difflib.get_close_matches(word, names, n=1)
    expected = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(names)}"
    return f"unknown command {word!r}; {expected}"


def _complain(message: object, status: int) -> int:
    for line in str(message).splitlines():
        print(f"error: {line}", file=sys.stderr)
    return status


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
    for package in ("features", "model", "training"):
        logging.getLogger(package).setLevel(logging.INFO)
