"""The report page, parsed as HTML. Features of the small test sets are class activations."""

import base64
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from model.localization.localize import LocalizationConfig
from model.segments import Segment
from model.spec import ModelSpec, Provenance
from training.__main__ import main
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.evaluation import evaluate
from training.report.page import Subject, write_report

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    r"$\frac{",
    "_hidden {{ 7 * 7 }} {% raw %}",
    "跳高 \u202e🤸 \ud800",
    "very long " * 40,
)
VOID = {"meta", "img", "br", "link", "input", "hr", "source"}


class Page(HTMLParser):
    """The content of a page; the constructor checks that all elements are closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.texts: list[str] = []
        self.plots: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Stores the addresses, plots and ids of the element."""
        self.tags.add(tag)
        values = dict(attributes)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "img":
            assert values["alt"]
            self.plots.append(str(values["src"]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td") and self.rows:
            self.rows[-1].append("")
        self.addresses += [str(v) for k, v in attributes if k in ("src", "href", "srcset", "data")]
        assert not any(name.startswith("on") for name in values)
        self.ids += [str(values["id"])] if "id" in values else []

    def handle_endtag(self, tag: str) -> None:
        """Checks that the tag closes the innermost open element."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Stores a text, also in its table cell."""
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def row(self, first: str) -> list[str]:
        """Returns the cells of the first row whose first cell is `first`."""
        return next(row for row in self.rows if row and row[0].strip() == first)


class FeaturesAreActivations:
    """A network that returns the features."""

    def cas(self, features_TD: np.ndarray) -> np.ndarray:
        """Returns the features."""
        return features_TD


def video(id_: str, labels: tuple[str, ...], shown: list[tuple[float, float, int]]) -> VideoRecord:
    """Returns a video of 40 snippets of 1 s; the activation of a class that is shown is 8."""
    cas_TC = np.random.default_rng(len(shown)).normal(-2, 0.5, (40, len(labels)))
    for start, end, class_ in shown:
        cas_TC[int(start) : int(end), class_] = 8
    instances = tuple(Segment(start, end, labels[class_]) for start, end, class_ in shown)
    here = tuple(sorted({segment.label for segment in instances}))
    return VideoRecord(id_, "test", 40, here, instances, HeldArray(cas_TC.astype(np.float32)))


def report(
    path: Path, labels: tuple[str, ...], videos: list[VideoRecord], **localization: object
) -> Page:
    """Evaluates the videos, writes the page and returns its content."""
    spec = ModelSpec(
        labels=labels,
        feature_dim=len(labels),
        snippets=40,
        topk_ratio=0.2,
        activation="sigmoid" if len(labels) == 1 else "softmax",
        localization=replace(LocalizationConfig(), **localization),
        provenance=Provenance(recipe="no JSON", data=labels[0]),
    )
    data = VideoSet(tuple(videos), labels, source=labels[0])
    engine = FeaturesAreActivations()
    result = evaluate(engine, spec, data, (0.3, 0.5, 0.7))
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    write_report(path, Subject("runs/x", spec, data, "test", "software", now), result, engine)
    return Page(path)


def assert_self_contained(page: Page) -> None:
    """Checks that the page fetches, runs and submits nothing."""
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "form", "base", "svg"}
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert "@import" not in page.source
    assert "url(" not in page.source
    assert "default-src 'none'" in page.source
    assert {address[1:] for address in page.addresses if address[0] == "#"} <= set(page.ids)
    for plot in page.plots:
        kind, _, content = plot.partition(";base64,")
        start = {"data:image/svg+xml": b"<?xml", "data:image/png": b"\x89PNG"}[kind]
        assert base64.b64decode(content).startswith(start)


AB = ("a", "b")


def test_page_has_the_figures_of_known_videos(tmp_path: Path) -> None:
    """If one of two classes is always found and the other never, each mAP is 50 %."""
    missed = replace(video("missed", AB, []), instances=(Segment(5, 9, "b"),), labels=("b",))
    others = [video("found", AB, [(3, 9, 0), (20, 31, 0)]), video("empty", AB, [])]
    page = report(tmp_path / "new" / "folder" / "report.html", AB, [*others, missed], min_score=0.5)
    assert_self_contained(page)
    assert "2 January 2026, 03:04 UTC" in page.text
    assert page.row("a")[:3] == ["a", "1", "2"]
    assert page.row("a")[4:8] == ["100.0"] * 4
    assert page.row("b")[4:8] == ["0.0"] * 4
    assert page.row("mean")[4:8] == ["50.0"] * 4
    assert page.row("0.5")[1] == "50.0"
    assert "1 of 3 instances (33.3 %) are hit by none" in page.text
    assert len(page.plots) == 3 + 2  # a video without instances is not ranked


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Names of classes, videos and files create no elements and remain readable."""
    videos = [video(name, HOSTILE, [(3, 9, n), (12, 20, n - 1)]) for n, name in enumerate(HOSTILE)]
    page = report(tmp_path / "report.html", HOSTILE, videos, class_threshold=0.01)
    assert_self_contained(page)
    assert "<script" not in page.source
    assert "onerror=" not in re.sub(r'title="[^"]*"|alt="[^"]*"|>[^<]*<', "", page.source)
    for name in HOSTILE[:4]:
        assert name in page.text
    assert "跳高" in page.text
    assert "49" not in page.row(HOSTILE[3])[0]


@pytest.mark.parametrize("labels", [("only",), tuple(f"class {n:03}" for n in range(200))])
def test_one_class_and_two_hundred_give_a_page(tmp_path: Path, labels: tuple[str, ...]) -> None:
    """Every class has a row; the matrix, the curves and the videos are limited in number."""
    videos = [video(f"v{n}", labels, [(3, 9, n % len(labels))]) for n in range(max(9, len(labels)))]
    bad = replace(videos[0], id="bad", instances=(Segment(20, 30, labels[0]),))
    page = report(tmp_path / "report.html", labels, [*videos, bad, video("none", labels, [])])
    assert_self_contained(page)
    assert all(page.row(label) for label in labels)
    assert max(map(len, page.rows)) <= 20
    assert len(page.source) < 2_000_000
    best, worst = page.text.split(" Best ")[-1].split(" Worst ")
    assert best.count("AP 100.0") == 3
    assert worst.startswith("bad AP 0.0")
    assert len(page.plots) == 3 + 6


def test_page_without_predictions_says_why(tmp_path: Path) -> None:
    """The page names the class threshold and the highest score."""
    page = report(tmp_path / "report.html", AB, [video("v", AB, [(3, 9, 0)])], class_threshold=1)
    assert_self_contained(page)
    assert "No segment was found:" in page.text
    assert "no class reached class_threshold 1; the highest score is 0.999" in page.text
    assert "at least 1 (class_threshold) for 1 of the 1 classes" in page.text
    assert page.row("a")[3:7] == ["none", "0.0", "0.0", "0.0"]
    assert page.row("true positive")[2:4] == ["0", "0.0"]


def test_labels_that_the_model_does_not_know_give_a_page(tmp_path: Path) -> None:
    """Their instances count as never found; the model's classes are listed as unscored."""
    strange = video("v", AB, [(3, 9, 0)])
    instances = (Segment(3, 9, "strange"),)
    page = report(
        tmp_path / "report.html", AB, [replace(strange, labels=("strange",), instances=instances)]
    )
    assert_self_contained(page)
    assert page.row("strange")[3:7] == ["none", "0.0", "0.0", "0.0"]
    assert "2 of the model's 2 classes have no instance in these videos" in page.text
    assert "No video shows a class of the model" in page.text


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No temporary file remains either."""
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        report(path, AB, [video("v", AB, [(3, 9, 0)])])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_evaluate_writes_the_page_of_a_trained_run(
    run: Path, simulated: VideoSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has the figures that the command prints."""
    features = Path(simulated.source).parent / "features"
    data = ["--annotations", simulated.source, "--features", str(features), "--device", "cpu"]
    path = tmp_path / "report.html"
    options = ["--nms-iou", "0.5", "--json"]
    assert main(["evaluate", str(run), *data, *options, "--report", str(path)]) == 0
    page = Page(path)
    assert_self_contained(page)
    printed = json.loads(capsys.readouterr().out)
    assert page.row("average")[1] == f"{100 * printed['mAP']:.1f}"
    assert "nms_iou 0.5" in page.text
    assert len(page.plots) == 9


def test_other_commands_do_not_import_matplotlib() -> None:
    """Only pages and plots need matplotlib and jinja2, which take long to import."""
    script = "import sys, training.__main__; print({'matplotlib', 'jinja2'} & set(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert process.stdout.strip() == "set()"
