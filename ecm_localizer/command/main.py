"""Entry point of `ecm`, `python -m training` and `python -m service`.

cyclopts turns the parameters of the commands' functions into options. It was chosen over tyro
because it imports a command only when it is used, and because a TypedDict of options holds the
given ones alone: presets, the environment and settings files decide about the others.
"""

import difflib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter

from ecm_localizer.command.catalog import Command, Side, commands_of
from ecm_localizer.command.help_page import HelpPage
from ecm_localizer.installation import InstallationError, needed
from model.errors import LocalizerError, OptionError

_HELP_ALL = "--help-all"
_INSTALL_COMPLETION = "--install-completion"
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
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may have letters that it cannot encode
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words, side)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _STATUS_CLOSED_PIPE
    except KeyboardInterrupt:
        return _STATUS_INTERRUPTED
    return status


def _run(words: Sequence[str], side: Side | None) -> int:
    """Runs one command; an error that the user can act on becomes one line on stderr."""
    by_name = {one.name: one for commands in commands_of(side).values() for one in commands}
    command = by_name.get(words[0]) if words else None
    if command is not None and command.side == "training":
        _log_to_stderr()
    try:
        if command is not None:
            _import(command)
        elif words and not words[0].startswith("-"):
            raise OptionError(_unknown(words[0], by_name))
        status = _app(words, command, side)(words)
    except (CycloptsError, OptionError) as error:
        return _complain(error, _STATUS_USAGE)
    except BrokenPipeError:
        raise
    except (LocalizerError, OSError) as error:
        return _complain(error, _STATUS_ERROR)
    return status if isinstance(status, int) else 0


def _import(command: Command) -> None:
    """Imports a command's function, so that a missing package is named with its pip line.

    Raises:
        InstallationError: a package is missing, or a file of the user hides one of ours.
    """
    packages = (command.side,) if command.side else ()
    with needed(f"ecm {command.name}", extra=command.extra or "service", packages=packages):
        _load(command.function)


def _app(words: Sequence[str], command: Command | None, side: Side | None) -> App:
    """Returns the application, with the help page that the words ask for."""
    program = f"python -m {side}" if side else "ecm"
    wants_help = not {"-h", "--help", _HELP_ALL}.isdisjoint(words)
    defaults = _shown_defaults(command, words) if command and wants_help else {}
    app = App(
        name=program,
        help="Find when actions happen in videos, learned from video-level tags alone.",
        help_format="plaintext",
        help_flags=("-h", "--help", _HELP_ALL),
        help_formatter=HelpPage(complete=_HELP_ALL in words, defaults=defaults),
        help_epilogue=_examples(program, command),
        version=_version,
        default_parameter=Parameter(allow_repeating=True),  # the last value counts
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for heading, commands in commands_of(side).items():
        group = Group.create_ordered(heading)
        for place, one in enumerate(commands):
            if _INSTALL_COMPLETION not in words or _is_installed(one):
                app.command(
                    one.function, name=one.name, help=one.summary, group=group, sort_key=place
                )
    _add_flags(app, side)
    return app


def _add_flags(app: App, side: Side | None) -> None:
    """Describes the flags of the application itself."""
    group = Group.create_ordered("Options")
    app["--help"].group = app["--version"].group = group
    app["--help"].help = "Describe a command; --help-all adds its rare options."
    app["--version"].help = "Print the version."
    if side is None:
        app.register_install_completion_command(
            _INSTALL_COMPLETION, help="Set up the completion of the shell.", group=group
        )


def _is_installed(command: Command) -> bool:
    try:
        _import(command)
    except InstallationError:
        return False
    return True


def _examples(program: str, command: Command | None) -> str:
    if command is None:
        return f"Examples:\n  {program} COMMAND --help\n  {program} --version"
    lines = (f"  {program} {command.name} {example}".rstrip() for example in command.examples)
    return "\n".join(["Examples:", *lines])


def _shown_defaults(command: Command, words: Sequence[str]) -> Mapping[str, str]:
    """Returns the defaults of the command's options, which may depend on other options."""
    if command.defaults is None:
        return {}
    defaults: Callable[[Sequence[str]], Mapping[str, Any]] = _load(command.defaults)
    return {f"--{name.replace('_', '-')}": _shown(value) for name, value in defaults(words).items()}


def _shown(value: object) -> str:
    if isinstance(value, tuple | list | dict):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _unknown(word: str, names: Collection[str]) -> str:
    """Returns the complaint about a command that does not exist, with the likely spelling."""
    close = difflib.get_close_matches(word, names, n=1)
    return f"unknown command {word!r}; " + (
        f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(names)}"
    )


def _complain(message: object, status: int) -> int:
    for line in str(message).splitlines():
        print(f"error: {line}", file=sys.stderr)
    return status


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
    for package in ("features", "model", "training"):
        logging.getLogger(package).setLevel(logging.INFO)


def _version() -> str:
    try:
        return f"ecm-localizer {version('ecm-localizer')}"
    except PackageNotFoundError:
        return "ecm-localizer, not installed"
