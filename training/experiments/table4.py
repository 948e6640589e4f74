"""Table 4: contribution of each part of ECM."""

from training.experiments.finding import Finding, spread, table
from training.experiments.published import TABLE_4, THUMOS14_TIOU
from training.experiments.study import Study, mean_ap
from training.experiments.variants import TITLES

PRESET = "thumos14"

_COLUMNS = {"0.3": (0.3,), "0.5": (0.5,), "0.7": (0.7,), "average 0.1:0.7": THUMOS14_TIOU}


def run(study: Study) -> Finding:
    """Returns the paper's Table 4 with our numbers beside its own."""
    study.train(*TABLE_4)
    rows, ours = [], {}
    for variant, published in TABLE_4.items():
        cells = [TITLES[variant], f"{published:.1f}"]
        for choice in study.choices:
            runs = study.figures(variant, choice)
            values = {
                name: [mean_ap(figures, tious) for figures in runs]
                for name, tious in _COLUMNS.items()
            }
            ours[f"{variant}, {choice}"] = values
            cells += [spread(column) for column in values.values()]
        rows.append(cells)
    columns = [f"{choice}: {name}" for choice in study.choices.values() for name in _COLUMNS]
    return Finding(
        "Table 4: contribution of each part",
        "mAP in percent. The paper's numbers are on THUMOS14 at a tIoU of 0.5. "
        f"{study.description()}\n\n" + table(["variant", "paper", *columns], rows),
        {"paper": TABLE_4, "ours": ours, "study": study.to_json()},
    )
