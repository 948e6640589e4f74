"""how many action snippets are named rightly."""

from training.experiments.finding import Finding, spread, table
from training.experiments.published import TABLE_6
from training.experiments.study import Study
from training.experiments.variants import TITLES

PRESET = "thumos14"


def run(study: Study) -> Finding:
    """Returns the paper's Table 6 with our numbers."""
    study.train(*TABLE_6)
    rows, ours = [], {}
    for variant, published in TABLE_6.items():
        cells = [TITLES[variant], f"{published:.1f}"]
        for choice in study.choices:
            values = [100 * figures["frame_accuracy"] for figures in study.figures(variant, choice)]
            ours[f"{variant}, {choice}"] = values
            cells.append(spread(values))
        rows.append(cells)
    return Finding(
        "Table 6: frame accuracy",
        "Share in percent of the snippets within an instance whose strongest class, among those "
        f"that pass tau, is the right one. The paper's is on THUMOS14. {study.circumstances()}\n\n"
        + table(["network", "paper", *study.choices.values()], rows),
        {"paper": TABLE_6, "ours": ours, "study": study.described()},
    )
