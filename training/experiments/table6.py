"""Table 6: frame accuracy, the share of action snippets with the right class."""

import math

from training.experiments.finding import Finding, spread, table
from training.experiments.published import TABLE_6
from training.experiments.study import Study
from training.experiments.variants import TITLES

PRESET = "thumos14"


def run(study: Study) -> Finding:
    """Returns the paper's Table 6 with our numbers beside its own."""
    study.train(*TABLE_6)
    rows, ours = [], {}
    for variant, published in TABLE_6.items():
        cells = [TITLES[variant], f"{published:.1f}"]
        for choice in study.choices:
            measured = study.figures(variant, choice)
            values = [100 * figures.get("frame_accuracy", math.nan) for figures in measured]
            ours[f"{variant}, {choice}"] = values
            cells.append(spread(values))
        rows.append(cells)
    return Finding(
        "Table 6: frame accuracy",
        "Share of the snippets inside instances, in percent, whose highest activation among the "
        "classes with a score of at least tau is that of the right class. The paper's numbers are "
        f"on THUMOS14. {study.description()}\n\n"
        + table(["network", "paper", *study.choices.values()], rows),
        {"paper": TABLE_6, "ours": ours, "study": study.to_json()},
    )
