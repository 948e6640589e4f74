"""Every table and figure, reproduced on a small simulated set through the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.__main__ import main
from training.checkpoint import BEST, load_checkpoint
from training.commands.reproduce import EXPERIMENTS
from training.datasets.simulated import SimulationConfig, write_simulated
from training.experiments import published
from training.experiments.variants import TITLES, VARIANTS

SMALL = ["--preset", "demo", "--hidden-width", "16", "--snippets", "32", "--epochs", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    config = SimulationConfig(
        training_videos=24, validation_videos=6, classes=3, feature_dim=16, difficulty=0.3
    )
    write_simulated(folder, config)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns one folder for all experiments, which share their runs."""
    return tmp_path_factory.mktemp("reproduction")


@pytest.fixture
def reproduce(data: Path, out: Path) -> Callable[..., int]:
    def call(experiment: str, *arguments: str) -> int:
        words = ["reproduce", experiment, "--data", str(data), "--out", str(out)]
        return main([*words, "--seeds", "2", *SMALL, *arguments])

    return call


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_writes_a_page_and_its_numbers(
    experiment: str, reproduce: Callable[..., int], out: Path
) -> None:
    """The page has the number of videos and of seeds; tables have a deviation, figures a plot."""
    assert reproduce(experiment) == 0
    page = (out / f"{experiment}.md").read_text()
    assert "22 training videos, 2 to choose an epoch on, 6 test videos" in page
    numbers = json.loads((out / f"{experiment}.json").read_text())
    assert numbers["study"]["seeds"] == [0, 1]
    if experiment.startswith("figure"):
        assert list(out.glob(f"{experiment}*.png"))
    else:
        assert "±" in page
        assert "last epoch" in page


def test_finished_runs_are_not_trained_again(reproduce: Callable[..., int], out: Path) -> None:
    """A second call writes the same page from the same checkpoints."""
    reproduce("table6")
    modified_ns = {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")}
    page = (out / "table6.md").read_text()
    reproduce("table6")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")} == modified_ns
    assert (out / "table6.md").read_text() == page


def test_figures_of_another_network_are_measured_again(
    reproduce: Callable[..., int], out: Path
) -> None:
    """This is so after training for more epochs."""
    reproduce("table6")
    before = json.loads((out / "table6.json").read_text())["ours"]
    assert reproduce("table6", "--epochs", "6") == 0
    assert json.loads((out / "table6.json").read_text())["ours"] != before


def test_released_protocol_chooses_the_epoch_on_the_test_videos(
    reproduce: Callable[..., int], data: Path, tmp_path: Path
) -> None:
    """The page says so; all training videos are trained on."""
    arguments = ["--protocol", "released", "--out", str(tmp_path)]
    assert reproduce("table3", *arguments) == 0
    page = (tmp_path / "table3.md").read_text()
    assert "best on test" in page
    assert "24 training videos" in page
    best = load_checkpoint(tmp_path / "runs" / "full" / "seed_0" / BEST)
    assert best.recipe.judge == "mAP"


def test_without_videos_to_choose_an_epoch_on_only_the_last_is_reported(
    reproduce: Callable[..., int], tmp_path: Path
) -> None:
    """No epoch is chosen on the test videos by accident."""
    assert reproduce("table6", "--hold-out", "0", "--out", str(tmp_path)) == 0
    assert "best" not in (tmp_path / "table6.md").read_text()


@pytest.mark.parametrize("experiment", ["table5", "table6"])
def test_page_names_networks_without_segments(
    experiment: str, reproduce: Callable[..., int], tmp_path: Path
) -> None:
    """The page has the reason, also if it is written again from stored figures."""
    arguments = ["--class-threshold", "1", "--seeds", "1", "--out", str(tmp_path)]
    for _ in range(2):
        assert reproduce(experiment, *arguments) == 0
        page = (tmp_path / f"{experiment}.md").read_text()
        assert "full ECM, seed 0, last epoch: no segment, because no class reached" in page


def test_other_settings_need_another_folder(
    reproduce: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs of two recipes are never mixed in one table."""
    assert reproduce("table6", "--learning-rate", "0.5") == 2
    assert "another recipe" in capsys.readouterr().err


def test_a_video_to_plot_must_be_a_test_video(
    reproduce: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it."""
    assert reproduce("figure5", "--video", "nowhere") == 1
    assert "nowhere" in capsys.readouterr().err


def test_published_rows_are_whole() -> None:
    """A row has a number for each column, falling with tIoU; a full row has the right average."""
    for rows, columns in (
        (published.TABLE_1, len(published.ACTIVITYNET_TIOU) + 1),
        (published.TABLE_2, len(published.ACTIVITYNET13_TIOU) + 1),
        (published.TABLE_3, len(published.THUMOS14_TIOU)),
    ):
        for row in rows:
            assert len(row.values) == columns
            at_tiou = [value for value in row.values[: columns - 1] if value is not None]
            assert at_tiou == sorted(at_tiou, reverse=True), row.method
    for row in published.TABLE_1:
        *at_tiou, average = row.values
        if None not in at_tiou and row.method != "DGAM":
            assert sum(v or 0 for v in at_tiou) / len(at_tiou) == pytest.approx(average, abs=0.06)


def test_variants_have_titles_and_published_numbers() -> None:
    """Tables 4 and 6 have numbers of known variants only."""
    assert set(VARIANTS) == set(TITLES) == set(published.TABLE_4)
    assert set(published.TABLE_6) <= set(VARIANTS)


def test_ambiguous_times_do_not_count(
    reproduce: Callable[..., int], data: Path, out: Path, tmp_path: Path
) -> None:
    """With all of each test video undecided, nothing is found; the page names the protocol."""
    database = json.loads((data / "annotations.json").read_text())["database"]
    lines = [f"{id_} 0 {entry['duration'] + 1}" for id_, entry in database.items()]
    (tmp_path / "ambiguous.txt").write_text("\n".join(lines))
    assert reproduce("table3", "--ambiguous", str(tmp_path / "ambiguous.txt")) == 0
    page = (out / "table3.md").read_text()
    assert "W-TALC's protocol" in page
    assert "overlap ambiguous times, so they do not count" in page
    stored = json.loads(next(out.glob("runs/full/seed_0/figures_last.json")).read_text())
    assert stored["figures"]["mAP"] == 0


def test_figures_of_other_test_data_are_measured_again(
    reproduce: Callable[..., int], data: Path, tmp_path: Path
) -> None:
    """Annotations that changed under the same ids change the numbers."""
    moved = tmp_path / "data"
    shutil.copytree(data, moved)
    words = ["--data", str(moved), "--out", str(tmp_path / "out"), "--seeds", "1"]
    assert reproduce("table6", *words) == 0
    before = json.loads((tmp_path / "out" / "table6.json").read_text())["ours"]
    path = moved / "annotations.json"
    content = json.loads(path.read_text())
    for entry in content["database"].values():
        if entry["subset"] == "validation":
            for action in entry["annotations"]:
                action["segment"] = [0.0, 0.5]
    path.write_text(json.dumps(content))
    assert reproduce("table6", *words) == 0
    assert json.loads((tmp_path / "out" / "table6.json").read_text())["ours"] != before
