"""The result of an experiment, written as Markdown, JSON and plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev

from matplotlib.figure import Figure

from model.whole_file import whole_file
from training.datasets.result_file import write_json

RESOLUTION_DPI = 110


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one experiment."""

    title: str
    """Heading, one line."""
    text: str
    """Markdown below the heading."""
    data: Mapping[str, object]
    """All numbers, for the JSON file."""
    plots: Mapping[str, Figure] = field(default_factory=dict)
    """Plots by name, an empty name for the only plot; `write` puts them below the text."""

    def write(self, folder: Path, name: str) -> list[Path]:
        """Writes NAME.md, NAME.json and the plots as NAME[-PLOT].png; returns the paths."""
        paths = [folder / f"{name}.md", folder / f"{name}.json"]
        text = f"# {self.title}\n\n{self.text}"
        for plot_name, plot in self.plots.items():
            paths.append(folder / (f"{name}-{plot_name}.png" if plot_name else f"{name}.png"))
            with whole_file(paths[-1]) as file:
                plot.savefig(file, format="png", dpi=RESOLUTION_DPI)
            text += f"\n![{plot_name or self.title}]({paths[-1].name})\n"
        with whole_file(paths[0]) as file:
            file.write(text.encode())
        write_json(paths[1], self.data)
        return paths


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def spread(values: Sequence[float]) -> str:
    """Returns `12.3`, or for several values mean and sample standard deviation, `12.3 ± 0.4`."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def published_cell(value: float | None) -> str:
    """Returns the table cell of a published number, a hyphen for None."""
    return "-" if value is None else f"{value:.1f}"
