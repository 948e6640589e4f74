"""Videos on their way: upload, line, reading, cancelling, reloads, errors of jobs."""

import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from reliability.server import Target, eventually
from tests.page.conftest import PHONE, OpenPage, write_clip

SLOW_BYTES_PER_S = 1000


@pytest.fixture
def start(page: Page) -> Page:
    """The start view with its model."""
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves")
    return page


@pytest.fixture
def slow(open_page: OpenPage, server: Target) -> Page:
    """The start view of a page of its own, whose uploads take their time."""
    page = open_page(server.url)
    page.goto("/")
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves")
    throttle(page, SLOW_BYTES_PER_S)
    return page


def choose(page: Page, *files: Path) -> None:
    """Chooses files of this computer."""
    page.locator("input[type=file]").set_input_files(list(files))


def throttle(page: Page, bytes_per_s: int) -> None:
    """Limits the uploads of a page; -1 for no limit."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.emulateNetworkConditions", conditions | {"uploadThroughput": bytes_per_s})


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A clip of one's own, so that no other test has its features in the cache."""
    path = tmp_path / f"{tmp_path.name} “A” <b>.mp4"
    write_clip(path, 21)
    return path


def test_clip_is_uploaded_read_and_opened(start: Page, film: Path) -> None:
    """One file leads to its steps, then to its result; the name is text, the video plays."""
    choose(start, film)
    expect(start.get_by_role("banner")).to_contain_text(film.name)
    progress = start.get_by_role("region", name="Progress")
    expect(progress.get_by_role("listitem")).to_contain_text(
        ["Upload", "Wait in line", "Read the video", "Find segments"]
    )
    expect(start.get_by_role("region", name="Player").locator("video")).to_have_count(1)
    expect(start.get_by_role("region", name="Segments")).to_be_visible()
    expect(start.get_by_role("banner")).to_contain_text(film.name)
    assert "#/job/" in start.url


def test_upload_shows_its_bytes_and_can_be_cancelled(slow: Page, film: Path) -> None:
    """The question comes first; then nothing of the upload is left."""
    choose(slow, film)
    progress = slow.get_by_role("region", name="Progress")
    expect(progress.get_by_role("heading", name="Uploading")).to_be_visible()
    expect(progress).to_contain_text("Keep this page open until the upload has ended.")
    expect(progress.get_by_role("progressbar", name="Upload")).to_be_visible()
    progress.get_by_role("button", name="Cancel this job").click()
    question = slow.get_by_role("dialog", name="Cancel this job?")
    question.get_by_role("button", name="Go on").click()
    expect(progress.get_by_role("heading", name="Uploading")).to_be_visible()
    progress.get_by_role("button", name="Cancel this job").click()
    question.get_by_role("button", name="Cancel job").click()
    expect(slow.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    expect(slow.get_by_role("region", name="Recent")).not_to_contain_text(film.name)


def test_upload_that_ends_during_the_question_is_no_longer_cancelled(
    start: Page, film: Path
) -> None:
    """The question is about the job that it became; that one has ended, which a notice reports."""
    held: list[Route] = []
    start.route("**/jobs?model=**", lambda route: held.append(route))
    choose(start, film)
    progress = start.get_by_role("region", name="Progress")
    progress.get_by_role("button", name="Cancel this job").click()
    eventually(lambda: start.get_by_role("dialog").count() == 1 and len(held) == 1)
    held[0].continue_()
    expect(start.locator("#segments")).to_be_visible()
    start.get_by_role("button", name="Cancel job").click()
    expect(start.get_by_text("had ended before").first).to_be_visible()
    expect(start.get_by_role("region", name="Segments")).to_be_visible()


def test_failed_job_whose_video_is_gone_asks_for_the_file(start: Page, tmp_path: Path) -> None:
    """Another try of a damaged video needs the file, in the view of the job and in the list."""
    damaged = tmp_path / f"{tmp_path.name}.mp4"
    damaged.write_bytes(b"\1" * 4096)
    choose(start, damaged)
    expect(start.get_by_role("alert").filter(has_text="was not localized")).to_be_visible()
    start.get_by_role("button", name="Try again").click()
    words = "The service no longer has this video. Choose the file again."
    expect(start.get_by_text(words).first).to_be_visible()
    start.get_by_role("button", name="Bring in another").click()
    row = start.get_by_role("listitem").filter(has_text=damaged.name)
    row.get_by_role("button", name="Try again").click()
    words = f"The service no longer has {damaged.name}. Choose the file again."
    expect(start.get_by_text(words).first).to_be_visible()


def test_failed_job_on_a_video_of_the_server_is_tried_again(
    start: Page, videos: Path, clip: Path
) -> None:
    """Once the file is mended, another try leads to its result."""
    damaged = videos / "to be mended.mp4"
    damaged.write_bytes(b"\0" * 4096)
    start.get_by_role("tab", name="Server folder").click()
    start.get_by_role("button", name="videos").click()
    start.get_by_role("button", name=damaged.name).click()
    expect(start.get_by_role("alert").filter(has_text="was not localized")).to_be_visible()
    shutil.copy(clip, damaged)
    start.get_by_role("button", name="Try again").click()
    expect(start.get_by_role("region", name="Segments")).to_be_visible()


def test_upload_that_stops_can_be_tried_again(start: Page, film: Path) -> None:
    """A lost connection stops the upload; another try goes through to the result."""
    start.route("**/jobs?**", lambda route: route.abort("connectionreset"))
    choose(start, film)
    message = start.get_by_role("alert").filter(has_text="The upload stopped at")
    expect(message).to_contain_text('"Try again" starts it once more.')
    start.unroute("**/jobs?**")
    start.get_by_role("button", name="Try again").click()
    expect(start.get_by_role("region", name="Segments")).to_be_visible()


def test_reload_in_mid_upload_names_the_file(slow: Page, film: Path) -> None:
    """The browser has let go of the file, so the page asks for it again."""
    slow.on("dialog", lambda dialog: dialog.accept())
    choose(slow, film)
    expect(slow.get_by_role("progressbar", name="Upload")).to_be_visible()
    slow.reload()
    message = slow.get_by_role("status").filter(has_text="An upload stopped")
    expect(message).to_contain_text(f"before {film.name} had arrived. Choose it again.")


def test_reload_in_mid_job_goes_on(start: Page, film: Path) -> None:
    """The address is that of the job, so a reload finds it, and its upload's size."""
    choose(start, film)
    start.wait_for_url("**/#/job/*")
    start.reload()
    expect(start.get_by_role("banner")).to_contain_text(film.name)
    expect(start.get_by_role("region", name="Segments")).to_be_visible()


def test_damaged_video_has_a_reason_in_its_view_and_in_the_list(
    start: Page, tmp_path: Path
) -> None:
    """The sentence is the service's; details have type and text; the row can be removed."""
    damaged = tmp_path / "gym-camera.mp4"
    damaged.write_bytes(b"\0" * 4096)
    choose(start, damaged)
    message = start.get_by_role("alert").filter(has_text="gym-camera.mp4 was not localized")
    expect(message).to_be_visible()
    message.get_by_text("Details").click()
    expect(message).to_contain_text("unusable-input")
    start.get_by_role("button", name="Bring in another").click()
    row = start.get_by_role("listitem").filter(has_text="gym-camera.mp4")
    expect(row).to_contain_text("Failed")
    expect(row.get_by_role("link", name="Details of gym-camera.mp4")).to_be_visible()
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def enqueue(strict: tuple[Target, str], clip: Path, name: str) -> str:
    """Puts a job into the line of the service that has no workers."""
    target, key = strict
    headers = {
        "Authorization": f"Bearer {key}",
        "X-File-Name": name,
        "Content-Type": "video/mp4",
    }
    answer = httpx.post(
        f"{target.url}/jobs?model=moves", content=clip.read_bytes(), headers=headers
    )
    id_: str = answer.raise_for_status().json()["id"]
    return id_


def cancel(strict: tuple[Target, str], id_: str) -> None:
    """Cancels a job."""
    target, key = strict
    headers = {"Authorization": f"Bearer {key}"}
    httpx.delete(f"{target.url}/jobs/{id_}", headers=headers).raise_for_status()


def test_line_shows_places_and_full_line_makes_uploads_wait(
    strict: tuple[Target, str], page_of_strict: Page, clip: Path
) -> None:
    """Places count from the next one; an upload waits for room and is sent by itself."""
    page = page_of_strict
    first, second = enqueue(strict, clip, "first.mp4"), enqueue(strict, clip, "second.mp4")
    page.goto(f"/#/job/{second}")
    expect(page.get_by_role("heading", name="2nd in line")).to_be_visible()
    others = page.get_by_role("region", name="Also under way")
    expect(others).to_contain_text("first.mp4")
    expect(others).to_contain_text("Waiting · next in line")
    page.goto("/#/")
    recent = page.get_by_role("region", name="Recent")
    expect(recent.get_by_role("link").filter(has_text="second.mp4")).to_contain_text("2nd in line")
    choose(page, clip)
    busy = page.get_by_role("status").filter(has_text="The service is busy")
    expect(busy).to_contain_text("2 videos wait already. Trying again in")
    others.get_by_role("button", name="Cancel first.mp4").click()
    page.get_by_role("button", name="Cancel job").click()
    expect(page.get_by_text("Cancelled first.mp4.").first).to_be_visible()
    eventually(lambda: page.get_by_role("button", name="Try now").count() == 1)
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_role("heading", name="2nd in line")).to_be_visible()
    page.get_by_role("button", name="Cancel this job").click()
    page.get_by_role("button", name="Cancel job").click()
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    cancel(strict, second)
    page.goto(f"/#/job/{first}")
    expect(page.get_by_text("This job was cancelled")).to_be_visible()


def test_key_without_the_scope_has_a_sentence(
    strict: tuple[Target, str], admin_key: str, open_page: OpenPage
) -> None:
    """A refusal is shown in the page, with what the person can do."""
    page = open_page(strict[0].url)
    page.add_init_script(f"sessionStorage.setItem('api-key', '{admin_key}')")
    page.goto("/")
    sentence = 'This key may not do that. Use one with the scope "infer".'
    expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()


@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", True)])
def test_view_of_a_job_under_way_is_accessible(
    strict: tuple[Target, str], open_page: OpenPage, clip: Path, assert_accessible, scheme, phone
) -> None:
    """axe-core finds nothing; the page never scrolls sideways."""
    target, key = strict
    id_ = enqueue(strict, clip, "under-way.mp4")
    page = open_page(target.url, color_scheme=scheme, **({"viewport": PHONE} if phone else {}))
    page.add_init_script(f"sessionStorage.setItem('api-key', '{key}')")
    page.goto(f"/#/job/{id_}")
    expect(page.get_by_role("heading", name="Next in line")).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cancel(strict, id_)
