"""Corrections in the service's folder, two tabs, and two versions of a model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from reliability.random_model import publish_random_of_videos
from reliability.server import Target
from reliability.server import server as serve
from tests.page.conftest import OpenPage, Watch, loaded, renewed, submit, unfaulted
from tests.page.test_correcting import changes
from tests.page.test_result import opened, rows, truth_file, truth_of
from training.datasets.annotations import read_annotations


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of corrections."""
    return tmp_path_factory.mktemp("corrections")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Target]:
    """A service with two versions of a model that keeps corrections."""
    models, home = tmp_path_factory.mktemp("versions"), tmp_path_factory.mktemp("home")
    for _ in range(2):
        publish_random_of_videos(models, "moves")
    with serve(models, home, corrections=str(folder), chunk_snippets=4) as target:
        yield target


@pytest.fixture(scope="module")
def job(service: Target, clip: Path) -> str:
    """A finished job on the clip."""
    return submit(service, clip)


@pytest.fixture(scope="module")
def shared_of_service(browser: Browser, service: Target) -> Iterator[tuple[Page, Watch]]:
    """The page of this service that tests share."""
    with loaded(browser, service.url) as shared:
        yield shared


@pytest.fixture
def first(shared_of_service: tuple[Page, Watch]) -> Iterator[Page]:
    """The start view, renewed for each test."""
    with unfaulted(*shared_of_service) as page:
        yield renewed(page)


@pytest.fixture
def tab(first: Page, job: str, folder: Path) -> Page:
    """A tab that corrects; nothing was saved before."""
    for file in folder.iterdir():
        file.unlink()
    return correcting(first, job)


def correcting(page: Page, job: str) -> Page:
    """Opens a job and corrects its best segment."""
    opened(page, job)
    page.keyboard.press("e")
    rows(page).nth(1).click()
    return page


def save(page: Page) -> None:
    """Saves, and waits for the download."""
    with page.expect_download():
        page.get_by_role("button", name="Save corrections").click()


def saved_times(folder: Path) -> list[tuple[str, float]]:
    """Label and start of each segment in the folder's annotations."""
    (video,) = read_annotations(folder / "annotations.json")
    return [(one.label, round(one.start_s, 2)) for one in video.instances]


def test_corrections_are_in_the_folder_and_come_back(
    tab: Page, open_page: OpenPage, service: Target, job: str, folder: Path
) -> None:
    """Another browser shows what was saved; it counts as saved there."""
    tab.keyboard.press("a")
    save(tab)
    words = "Saved 1 correction, also in the service's folder."
    expect(tab.get_by_text(words).first).to_be_visible()
    assert saved_times(folder) == [("jump", 1.86)]
    other = correcting(open_page(service.url), job)
    expect(rows(other).nth(1)).to_have_class(re.compile("accepted"))
    expect(changes(other)).to_contain_text("all saved")


def test_saved_entry_keeps_its_subset(first: Page, job: str, folder: Path) -> None:
    """An entry of the subset `validation` stays one, over a reload with a draft, too."""
    entry = {"subset": "validation", "duration": 20, "annotations": [{"label": "run"}]}
    database = {"database": {"moving shapes": entry}}
    (folder / "annotations.json").write_text(json.dumps(database), encoding="utf-8")
    page = correcting(first, job)
    page.keyboard.press("a")
    page.reload()
    expect(rows(page).nth(1)).to_have_class(re.compile("accepted"))
    page.keyboard.press("e")
    save(page)
    (video,) = read_annotations(folder / "annotations.json")
    assert (video.subset, video.labels) == ("validation", ("jump",))


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        ("Keep mine", [("run", 1.86)]),
        ("Put both together", [("run", 1.86), ("jump", 1.86)]),
        ("Take theirs", [("jump", 1.86)]),
    ],
)
def test_second_tab_learns_that_the_first_has_saved(
    tab: Page, open_page: OpenPage, service: Target, job: str, folder: Path,
    choice: str, labels: list[tuple[str, float]],
) -> None:  # fmt: skip
    """A dialog says what was saved and when, and offers to keep, to join or to take it."""
    other = correcting(open_page(service.url), job)
    tab.keyboard.press("a")
    save(tab)
    other.keyboard.press("2")
    other.keyboard.press("Control+s")
    dialog = other.get_by_role("dialog", name="Corrections were saved in another tab")
    expect(dialog).to_contain_text(re.compile(r"1 correction was saved at \d\d:\d\d:\d\d\."))
    expect(dialog).to_contain_text("You have 1 that is not saved.")
    dialog.get_by_role("button", name=choice).click()
    expect(changes(other)).to_contain_text("all saved")
    assert sorted(saved_times(folder)) == sorted(labels)


def test_folder_that_cannot_be_written_leaves_the_download(tab: Page, folder: Path) -> None:
    """The corrections are downloaded, and a sentence says that the folder does not have them."""
    (folder / "annotations.json").write_text("[]", encoding="utf-8")
    tab.keyboard.press("a")
    save(tab)
    expect(tab.get_by_text("Downloaded only").first).to_be_visible()
    assert json.loads((folder / "annotations.json").read_text(encoding="utf-8")) == []


def test_versions_are_compared(first: Page, job: str) -> None:
    """The other version is read, and the page shows its measures beside the first's."""
    page = opened(first, job)
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("menuitemradio", name="moves · version 1").click()
    expect(page.get_by_role("heading", name="Where they differ")).to_be_visible()
    expect(page.get_by_text("They find the same.")).to_be_visible()
    expect(page.locator(".lane-mark")).to_have_text(["A", "B", "A", "B"])
    truth_file(page, "truth.json", truth_of("moving shapes"))
    expect(page.get_by_role("row", name="0.5 50.0 50.0 +0.0")).to_be_visible()
    expect(page.locator(".lane-mark")).to_have_text(["A", "B", "Truth"] * 2)
    differences = page.get_by_role("listbox", name="Differences")
    expect(differences.get_by_role("option")).to_contain_text("Neither finds it")
    page.keyboard.press("d")
    expect(page.locator(".controls .time")).to_have_text("00:08.0")
    page.get_by_role("button", name="Stop comparing").click()
    expect(page.get_by_role("grid", name="Segments")).to_be_visible()


def test_another_version_is_a_job_of_its_own(first: Page, job: str) -> None:
    """The button of the model localizes the same video with the other version."""
    page = opened(first, job)
    page.get_by_role("button", name="Model moves · version 2").click()
    page.get_by_role("menuitemradio", name="moves · version 1").click()
    expect(page.get_by_role("button", name="Model moves · version 1")).to_be_visible()
    assert job not in page.url
