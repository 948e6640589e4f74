"""The page that `--help` prints.

`--help` fits a screen: it has the first clause about each option and leaves out groups of options
whose names end in `RARE`. `--help-all` has everything. Defaults that depend on other arguments,
such as `--preset`, replace those of the command's signature.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cyclopts.help import HelpEntry, HelpPanel

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

RARE = ", rare"
"""End of the name of a group of options that `--help` leaves out."""
_TEXT_COLUMN = 28
"""Column at which the text of an option starts. It follows a longer name on the next line."""
_NARROW_COLUMNS = 60
"""Terminals with fewer columns have the text of each option below its name."""
_CLAUSE_END = re.compile(r"(?<!\.)[.;]\s|(?<=\.\.\.);\s")


class HelpPage:
    """Writes a help page in two columns, at the width of the terminal."""

    def __init__(
        self, *, complete: bool, defaults: Mapping[str, str], examples: Sequence[str]
    ) -> None:
        """Prepares a page.

        Args:
            complete: whether to write rare options and whole texts.
            defaults: defaults by option (`--epochs`), in place of those of the signature.
            examples: command lines at the end of the page.
        """
        self._complete = complete
        self._defaults = defaults
        self._examples = examples
        self._last_heading = ""
        self._left_out = 0

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        """Writes the command with its arguments."""
        text = str(usage).strip().replace("[OPTIONS]", "[options]")
        _write(console, textwrap.fill(text, options.max_width, subsequent_indent="    "))

    def render_description(
        self, console: "Console", options: "ConsoleOptions", description: Any
    ) -> None:
        """Writes the sentence that describes the command."""
        _write(console, "\n" + textwrap.fill(_plain(description), options.max_width))

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        """Writes a group of options, arguments or commands."""
        title = str(panel.title)
        heading = title.removesuffix(RARE)
        if heading != title and not self._complete:
            self._left_out += len(panel.entries)
            return
        if panel.entries and heading != self._last_heading:
            console.print(f"\n{heading}:", style="bold", markup=False, highlight=False)
            self._last_heading = heading
        for entry in panel.entries:
            _write(console, _row(_label(entry), self._text(entry), options.max_width))

    def ending(self) -> str:
        """Returns the end of the page: the number of options that were left out, and examples."""
        rare = f"\n{self._left_out} more options with --help-all\n" if self._left_out else ""
        return "\n".join([rare, "Examples:", *(f"  {example}" for example in self._examples)])

    def _text(self, entry: HelpEntry) -> str:
        default = next((self._defaults[n] for n in entry.names if n in self._defaults), None)
        default = default or entry.default
        notes = [", ".join(entry.choices)] if entry.choices else []
        notes += ["required"] if entry.required and entry.names else []
        is_flag = entry.type is bool and not entry.negative_names
        notes += [f"default {default}"] if default not in (None, "none") and not is_flag else []
        text = _plain(entry.description)
        if not self._complete:
            text = _CLAUSE_END.split(text, maxsplit=1)[0]
        text = text if text.endswith("...") else text.removesuffix(".")
        return text + (f" ({'; '.join(notes)})" if notes else "")


def _label(entry: HelpEntry) -> str:
    """Returns an option as it is typed: `--epochs INT`, `--[no-]compile`, or an argument's name."""
    if entry.positional_label:
        return entry.positional_label
    if entry.negative_names:
        return f"--[no-]{entry.positive_names[0].removeprefix('--')}"
    names = ", ".join(entry.positive_shorts + entry.positive_names)
    return f"{names} {entry.metavar}" if entry.metavar else names


def _row(label: str, text: str, columns: int) -> str:
    column = 6 if columns < _NARROW_COLUMNS else _TEXT_COLUMN
    lines = textwrap.wrap(text, max(columns - column, 20), break_long_words=False) or [""]
    name = f"  {label}"
    if len(name) < column - 1:
        name, lines = f"{name:{column}}{lines[0]}", lines[1:]
    return "\n".join([name, *(" " * column + line for line in lines)]).rstrip()


def _plain(text: Any) -> str:
    """Returns a help text of cyclopts (`help_format="plaintext"`) on one line."""
    plain = getattr(getattr(text, "primary_renderable", text), "plain", "")
    return " ".join(plain.replace("`", "").split())


def _write(console: "Console", text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
