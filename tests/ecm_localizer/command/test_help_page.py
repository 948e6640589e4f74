"""Help pages: they fit a screen and show types, choices, defaults and examples."""

import re

import pytest

from ecm_localizer.command.catalog import COMMANDS, Command
from ecm_localizer.command.main import main

ALL = [command for commands in COMMANDS.values() for command in commands]
SCREEN_LINES, SCREEN_COLUMNS = 52, 100


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Returns the output of a command line at a width of the terminal."""

    def show(*arguments: str, columns: int = SCREEN_COLUMNS) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(arguments) == 0
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.name)
def test_help_fits_a_screen_and_ends_with_two_examples(page, command: Command) -> None:
    """Every option of the examples is on the page, or among the rare ones."""
    lines = page(command.name, "--help").splitlines()
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) <= SCREEN_COLUMNS
    assert lines[-3] == "Examples:"
    everything = page(command.name, "--help-all").replace("--[no-]", "--")
    for example in lines[-2:]:
        assert example.startswith(f"  ecm {command.name}")
        for flag in re.findall(r"--[a-z][a-z-]*", example):
            assert re.search(rf"^  (-h, )?{flag}\b", everything, flags=re.MULTILINE), flag


@pytest.mark.parametrize("command", ["serve", "work", "config"])
def test_help_of_the_service_fits_a_small_screen(page, command: str) -> None:
    """Its options have short texts; the rest of a text follows in `--help-all`."""
    lines = page(command, "--help", columns=80).splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80


def test_help_shows_type_choices_and_default(page) -> None:
    """In this order, after a clause of text."""
    text = page("fit", "--help")
    assert re.search(r"--epochs INT +Passes over .*\(default 100\)", text)
    assert re.search(r"--device CHOICE +Device .*\(auto, cpu, cuda; default auto\)", text)
    assert "--out PATH" in text
    assert "(required)" in text


def test_rare_options_are_counted_and_shown_by_help_all(page) -> None:
    """The short page names the flag that shows them."""
    short, long = page("fit", "--help"), page("fit", "--help-all")
    (number,) = re.findall(r"(\d+) more options with --help-all", short)
    assert "--weight-decay" not in short
    assert "--weight-decay" in long
    options = [re.findall(r"^  --\S+", text, flags=re.MULTILINE) for text in (short, long)]
    assert len(options[1]) - len(options[0]) == int(number)
    assert "more options" not in long


def test_defaults_are_those_of_the_preset(page) -> None:
    """Wherever the preset is among the words."""
    assert re.search(r"--epochs .*default 150", page("fit", "--preset", "thumos14", "--help"))
    assert re.search(r"--epochs .*default 80", page("fit", "--help", "--preset=demo"))


@pytest.mark.parametrize("columns", [40, 20])
def test_help_fits_a_narrow_terminal(page, columns: int) -> None:
    """The text of an option goes below its name."""
    text = page("localize", "--help", columns=columns)
    assert "  --model STR\n      Model in this" in text
    options = text.partition("\nExamples:")[0].splitlines()
    assert max(len(line) for line in options) <= max(columns, 34)


def test_root_help_lists_every_command_once(page) -> None:
    """Under its heading; a side leaves out the commands of the other."""
    text = page("--help")
    for command in ALL:
        assert len(re.findall(rf"^  {command.name} ", text, flags=re.MULTILINE)) == 1
    assert [text.index(heading) for heading in COMMANDS] == sorted(
        text.index(heading) for heading in COMMANDS
    )
    assert page() == text
