"""What an experiment found, as Markdown, JSON and pictures."""

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
    """The outcome of one experiment."""

    title: str
    """In one line."""
    text: str
    """Markdown below the title."""
    data: Mapping[str, object]
    """All numbers, for programs."""
    pictures: Mapping[str, Figure] = field(default_factory=dict)
    """By what each shows; the text need not mention them."""

    def write(self, folder: Path, name: str) -> list[Path]:
        """Writes NAME.md, NAME.json and NAME[-what].png, each as a whole; returns the paths."""
        paths = [folder / f"{name}.md", folder / f"{name}.json"]
        text = f"# {self.title}\n\n{self.text}"
        for what, picture in self.pictures.items():
            paths.append(folder / (f"{name}-{what}.png" if what else f"{name}.png"))
            with whole_file(paths[-1]) as file:
                picture.savefig(file, format="png", dpi=RESOLUTION_DPI)
            text += f"\n![{what or self.title}]({paths[-1].name})\n"
        with whole_file(paths[0]) as file:
            file.write(text.encode())
        write_json(paths[1], self.data)
        return paths


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def spread(values: Sequence[float]) -> str:
    """Returns the mean and, of several values, their standard deviation (n - 1)."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def printed(value: float | None) -> str:
    """Returns a published number as tables show it."""
    return "-" if value is None else f"{value:.1f}"
