"""Annotations files that the page reads and writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from features.video_ids import plain_id
from training.datasets.annotations import read_annotations

MODULE = "./page/scripts/compare/annotations.js"
CALL = "async ([module, name, args]) => (await import(module))[name](...args)"


def call(page: Page, name: str, *args: Any, module: str = MODULE) -> Any:
    """Returns what a function of the page returns."""
    return page.evaluate(CALL, [module, name, list(args)])


def segment(label: str, start_s: float, end_s: float, state: str) -> dict[str, Any]:
    """Returns a segment in the form of the page."""
    name = f"{label}{start_s}"
    return {"id": name, "label": label, "startS": start_s, "endS": end_s, "score": 0.5,
            "state": state, "source": "A"}  # fmt: skip


def test_saved_corrections_are_read_by_training(modules: Page, tmp_path: Path) -> None:
    """Times of checked segments, tags, and classes with unchecked times arrive in training."""
    segments = [
        segment("jump", 4.5, 6, "accepted"),
        segment("jump", 1, 2.25, "added"),
        segment("jump", 9, 10, "found"),
        segment("run", 7, 8, "found"),
        segment("walk", 3, 4, "rejected"),
        segment('"<b>"', 8, 9, "changed"),
    ]
    entry = call(modules, "entryOf", segments, 20.5)
    path = tmp_path / "a.corrections.json"
    path.write_text(call(modules, "fileOf", "moving shapes", entry), encoding="utf-8")
    (video,) = read_annotations(path)
    assert (video.id, video.subset, video.duration_s) == ("moving shapes", "training", 20.5)
    assert video.labels == ('"<b>"', "jump", "run")
    times = [(one.label, one.start_s, one.end_s) for one in video.instances]
    assert times == [("jump", 1, 2.25), ("jump", 4.5, 6), ('"<b>"', 8, 9)]
    assert video.untimed == ("jump", "run")
    assert entry["tags"] == ['"<b>"', "jump", "run"]


def test_corrections_that_reject_everything_are_read_by_training(
    modules: Page, tmp_path: Path
) -> None:
    """A video without any action has an entry without labels."""
    entry = call(modules, "entryOf", [segment("jump", 1, 2, "rejected")], 9)
    path = tmp_path / "empty.json"
    path.write_text(call(modules, "fileOf", "quiet", entry), encoding="utf-8")
    (video,) = read_annotations(path)
    assert (video.labels, video.instances) == ((), ())


@pytest.mark.parametrize(
    "name",
    ["v_abc.mp4", "abc_rgb.npy", "abc", "part/v_abc.mkv", "a.b.MOV", "v_", "_flow.npy", "x_flow"],
)
def test_ids_are_matched_as_in_training(modules: Page, name: str) -> None:
    """The page and training agree which names are of the same video."""
    assert call(modules, "plainId", name) == plain_id(name).rpartition("/")[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "truth.json is not JSON. Choose another file."),
        ("[]", 'truth.json is not in ActivityNet\'s format: "database" is missing.'),
        ('{"database": []}', 'truth.json is not in ActivityNet\'s format: "database" is missing.'),
        ("null", 'truth.json is not in ActivityNet\'s format: "database" is missing.'),
    ],
)
def test_other_files_are_refused_in_a_sentence(modules: Page, text: str, words: str) -> None:
    """A file without annotations is named with what is missing."""
    failure = modules.evaluate(
        """async (text) => {
          const { readDatabase } = await import("./page/scripts/compare/annotations.js");
          try { readDatabase(text, "truth.json"); } catch (error) { return error.message; }
        }""",
        text,
    )
    assert failure.startswith(words)


def test_quoted_numbers_and_a_byte_order_mark_are_read(modules: Page) -> None:
    """Numbers may be text, as in training."""
    text = json.dumps({"database": {"v_a": {"annotations": [
        {"label": "jump", "segment": ["1.5", "2"]}, {"label": "run"}]}}})  # fmt: skip
    database = call(modules, "readDatabase", "\ufeff" + text, "truth.json")
    assert call(modules, "idOf", database, "a.mp4") == "v_a"
    (time,) = call(modules, "timesOf", database["v_a"], "v_a", "truth.json")
    assert (time["label"], time["startS"], time["endS"]) == ("jump", 1.5, 2)
