"""Corrections as edits that can be undone: pure functions, called in the browser."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.page.conftest import Watch

DRIVER = """
async (steps) => {
  const { Session } = await import("./page/scripts/result/session.js");
  const edits = await import("./page/scripts/correct/edits.js");
  const { entryOf } = await import("./page/scripts/compare/annotations.js");
  const segments = [[0, 2], [1, 3], [4, 6], [7, 9.5], [9, 10]].map(([start_s, end_s], index) =>
    ({ label: index % 2 ? "run" : "jump", start_s, end_s, score: 0.9 - index / 10 }));
  const classes = [{ label: "jump", score: 0.9 }, { label: "run", score: 0.8 }];
  const session = new Session({ job: null, name: "a.mp4", model: { name: "m", version: 1 },
    durationS: 10, frameRate: 25, labels: ["jump", "run"],
    result: { duration_s: 10, snippets: 20, classes, segments },
    defaults: { classThreshold: 0.5, nmsIou: 0.6, minScore: null, maxSegments: null } });
  const state = () => JSON.stringify([...session.segments].sort((a, b) => a.id < b.id ? -1 : 1));
  const edit = ({ kind, at, timeS, label }) => {
    const one = session.segments[at % Math.max(1, session.segments.length)];
    session.seek(timeS);
    if (kind === "add") return edits.add(label, session.timeS, at, session.newId);
    if (!one) return null;
    return { accept: () => edits.accept(one), reject: () => edits.reject(one),
      remove: () => edits.remove(one), relabel: () => edits.relabel(one, label),
      start: () => edits.moveEdge(one, "start", timeS, 10),
      end: () => edits.moveEdge(one, "end", timeS, 10),
      split: () => edits.split(one, timeS, session.newId),
      merge: () => edits.merge(one, session.segments, session.newId) }[kind]();
  };
  const states = [state()];
  for (const step of steps) {
    if (step.kind === "undo") session.undo();
    else if (step.kind === "redo") session.redo();
    else session.edit(edit(step));
    states.push(state());
  }
  const end = session.history.position;
  const sound = session.segments.every((one) => 0 <= one.startS && one.startS < one.endS
    && one.endS <= 10);
  const names = new Set(session.segments.map((one) => one.id)).size;
  const isNamed = names === session.segments.length;
  session.goTo(0);
  const start = state();
  session.goTo(end);
  const again = state();
  while (session.history.position > 0) session.undo();
  return { first: states[0], start, last: states.at(-1), again, undone: state(),
    sound: sound && isNamed,
    unsaved: edits.unsaved(session.history), entry: entryOf(session.segments, 10) };
}
"""
KINDS = ["accept", "reject", "relabel", "start", "end", "split", "merge", "add", "remove",
         "undo", "redo"]  # fmt: skip
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS),
            "at": st.integers(0, 9),
            "timeS": st.integers(-10, 210).map(lambda twentieth: twentieth / 20),
            "label": st.sampled_from(["jump", "run"]),
        }
    ),
    max_size=25,
)
Drive: TypeAlias = Callable[[list[dict[str, Any]]], dict[str, Any]]


@pytest.fixture(scope="module")
def drive(shared: tuple[Page, Watch]) -> Drive:
    """Applies steps to a session in the browser and returns the states that it had."""
    page, _ = shared
    return lambda steps: page.evaluate(DRIVER, steps)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_any_edits_undone_give_the_start(drive: Drive, steps: list[dict[str, Any]]) -> None:
    """Undo through the whole history gives what was found, and redo what was corrected."""
    result = drive(steps)
    assert result["first"] == result["start"] == result["undone"]
    assert result["last"] == result["again"]
    assert result["unsaved"] == 0


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_edits_leave_sound_segments(drive: Drive, steps: list[dict[str, Any]]) -> None:
    """Segments keep their order of edges, stay within the video, and have names of their own."""
    assert drive(steps)["sound"]


def test_an_undone_edit_is_replaced_by_the_next(drive: Drive) -> None:
    """An edit after an undo drops what could be redone."""
    accept = {"kind": "accept", "at": 0, "timeS": 0, "label": "jump"}
    reject = accept | {"kind": "reject"}
    undo, redo = accept | {"kind": "undo"}, accept | {"kind": "redo"}
    assert drive([accept, undo, reject, redo])["last"] == drive([reject])["last"]
