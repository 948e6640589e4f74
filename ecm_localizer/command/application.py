"""The application that parses a command line and calls the function of one command.

cyclopts turns the parameters of functions into options. It was chosen over tyro because it imports
a command only when it is used, and because a TypedDict of options contains only those that the
user gave: presets, the environment and settings files decide about the others.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cyclopts import App, Group, Parameter

from ecm_localizer.command.catalog import Command, Side, commands_of
from ecm_localizer.command.help_page import HelpPage
from ecm_localizer.installation import InstallationError, needed

_HELP = ("-h", "--help", "--help-all")
_INSTALL_COMPLETION = "--install-completion"


def application(
    words: Sequence[str], command: Command | None, side: Side | None
) -> Callable[[], object]:
    """Returns a function that runs a command line and returns the result of its command.

    Args:
        words: the command line, without the name of the program.
        command: the command that the words name; None for unknown words and flags.
        side: leaves out the commands of the other side.
    """
    program = f"python -m {side}" if side else "ecm"
    wants_help = not words or not set(_HELP).isdisjoint(words)
    page = HelpPage(
        complete="--help-all" in words,
        defaults=_defaults(command, words) if command and wants_help else {},
        examples=_examples(program, command),
    )
    app = App(
        name=program,
        help="Find when actions happen in videos, learned from video-level tags alone.",
        help_format="plaintext",
        help_flags=_HELP,
        help_formatter=page,
        group_parameters="Options",
        version=_version,
        default_parameter=Parameter(allow_repeating=True),  # the last value counts
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    _add_commands(app, side, only_installed=_INSTALL_COMPLETION in words)

    def run() -> object:
        result = app(words)
        if wants_help:
            print(page.ending())
        return result

    return run


def imported(command: Command) -> Any:
    """Returns a command's function.

    Raises:
        InstallationError: a package is missing, or a file of the user hides one of ours.
    """
    packages = (command.side,) if command.side else ()
    with needed(f"ecm {command.name}", extra=command.extra or "service", packages=packages):
        return _object(command.function)


def _object(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _add_commands(app: App, side: Side | None, *, only_installed: bool) -> None:
    """Adds the commands of one side, and the flags of the application itself."""
    for heading, commands in commands_of(side).items():
        group = Group.create_ordered(heading)
        for place, one in enumerate(commands):
            if not only_installed or _is_installed(one):
                app.command(
                    one.function, name=one.name, help=one.summary, group=group, sort_key=place
                )
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
        imported(command)
    except InstallationError:
        return False
    return True


def _examples(program: str, command: Command | None) -> list[str]:
    if command is None:
        return [f"{program} COMMAND --help", f"{program} --version"]
    return [f"{program} {command.name} {example}".rstrip() for example in command.examples]


def _defaults(command: Command, words: Sequence[str]) -> dict[str, str]:
    """Returns the defaults of the command's options, which may depend on other options."""
    if command.defaults is None:
        return {}
    defaults: Mapping[str, Any] = _object(command.defaults)(words)
    return {f"--{name.replace('_', '-')}": _shown(value) for name, value in defaults.items()}


def _shown(value: object) -> str:
    if isinstance(value, tuple | list | dict):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _version() -> str:
    try:
        return f"ecm-localizer {version('ecm-localizer')}"
    except PackageNotFoundError:
        return "ecm-localizer, not installed"
