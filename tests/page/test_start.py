"""The start view: choosing a model, files that are refused, folders, addresses, recent jobs."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from reliability.server import Target, eventually
from tests.page.conftest import DESKTOP, PHONE, OpenPage, submit

ODD = "match_final “A” <img src=x onerror=alert(1)> 🏋.mp4"
"""A name that would be trouble as HTML."""


def choose(page: Page, *files: FilePayload | Path) -> None:
    """Chooses files of this computer."""
    page.get_by_label("Videos", exact=True).set_input_files(list(files))


def payload(name: str, content: bytes, kind: str = "application/octet-stream") -> FilePayload:
    """Returns a file that is on no disk."""
    return {"name": name, "mimeType": kind, "buffer": content}


@pytest.fixture
def start(page: Page) -> Page:
    """The start view with its model."""
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves · version 1")
    return page


def test_model_card_names_the_classes(start: Page) -> None:
    """The card has name, version and classes of the model that is chosen."""
    expect(start.get_by_role("region", name="Model")).to_contain_text("2 classes: jump, run")


def test_drop_zone_states_the_limits_of_the_service(start: Page) -> None:
    """Types and sizes come from the service."""
    text = "MP4, WebM, MKV, MOV, AVI, up to 4.3 GB each, or features as .npy"
    expect(start.get_by_text(text)).to_be_visible()


@pytest.mark.parametrize(
    ("file", "title", "text"),
    [
        (
            payload("notes.txt", b"words", "text/plain"),
            "notes.txt is not a video",
            "Choose MP4, WebM, MKV, MOV, AVI, or features as .npy.",
        ),
        (payload("cut.mp4", b""), "cut.mp4 is empty", "Copy it again, then drop it here."),
    ],
)
def test_file_that_is_refused_has_a_reason(
    start: Page, file: FilePayload, title: str, text: str
) -> None:
    """The sentence is in the drop zone; nothing is sent."""
    choose(start, file)
    message = start.get_by_role("alert").filter(has_text=title)
    expect(message).to_contain_text(text)


REFUSAL = """async ([file, model, limits]) => {
  const { refusalOf } = await import("/page/scripts/start/accepting.js");
  return refusalOf({ type: "", ...file }, model, { videos: true, limits });
}"""
LIMITS = {"max_video_bytes": 4_294_967_296, "max_body_bytes": 67_108_864}


def test_file_that_is_too_large_is_refused_before_it_is_sent(modules: Page) -> None:
    """The sentence has both sizes, in steps of 1,000."""
    file = {"name": "long.mov", "size": 5_200_000_000}
    refusal = modules.evaluate(REFUSAL, [file, {"extractor": "motion-1"}, LIMITS])
    assert refusal == {
        "title": "long.mov is too large",
        "text": "It has 5.2 GB; this service takes up to 4.3 GB. Cut it or compress it, then drop "
        "it again.",
    }


def test_video_for_a_model_of_features_is_refused(modules: Page) -> None:
    """The sentence says what the model takes."""
    file = {"name": "match.mp4", "size": 1}
    refusal = modules.evaluate(REFUSAL, [file, {"extractor": "unknown"}, LIMITS])
    text = "This model takes features. Choose an .npy file, or a model that takes videos."
    assert refusal["text"] == text


def test_names_of_files_are_text(start: Page) -> None:
    """A name with quotes, angle brackets and an emoji never becomes markup."""
    name = ODD.replace(".mp4", ".txt")
    choose(start, payload(name, b"words", "text/plain"))
    message = start.get_by_role("alert").filter(has_text=name)
    expect(message).to_be_visible()
    assert message.locator("img").count() == 0


def test_several_dropped_files_are_taken_and_refused_one_by_one(start: Page, clip: Path) -> None:
    """Videos go on their way; the others have their reasons."""
    start.evaluate(
        """async ([bytes, odd]) => {
          const files = new DataTransfer();
          const film = Uint8Array.from(bytes);
          files.items.add(new File([film], odd, { type: "video/mp4" }));
          files.items.add(new File([film, "x"], "second.mp4", { type: "video/mp4" }));
          files.items.add(new File(["words"], "notes.txt", { type: "text/plain" }));
          for (const type of ["dragover", "drop"]) {
            document.body.dispatchEvent(
              new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true }));
          }
        }""",
        [list(clip.read_bytes()), ODD],
    )
    recent = start.get_by_role("region", name="Recent")
    expect(start.get_by_role("alert").filter(has_text="notes.txt is not a video")).to_be_visible()
    expect(recent.get_by_role("link").filter(has_text=ODD)).to_contain_text("Done")
    expect(recent.get_by_role("link").filter(has_text="second.mp4")).to_contain_text("Done")


def test_drop_zone_is_marked_while_files_are_over_the_page(start: Page) -> None:
    """The whole page takes files, because people miss a zone."""
    start.evaluate("""() => {
      const files = new DataTransfer();
      files.items.add(new File(["x"], "x.mp4"));
      dispatchEvent(new DragEvent("dragover", { dataTransfer: files, cancelable: true }));
    }""")
    expect(start.locator(".drop.over")).to_be_visible()
    start.evaluate("dispatchEvent(new DragEvent('dragleave'))")
    expect(start.locator(".drop.over")).to_have_count(0)


def test_finished_jobs_are_cleared_and_come_back_on_undo(start: Page, done_job: str) -> None:
    """Clearing holds over a reload; the empty list says what will be there."""
    start.reload()
    recent = start.get_by_role("region", name="Recent")
    row = recent.locator(f"a[href$='{done_job}']")
    expect(row).to_contain_text("moving shapes.mp4")
    expect(row).to_contain_text("segments · 00:19.8")
    recent.get_by_role("button", name="Clear finished").click()
    expect(row).to_have_count(0)
    expect(recent.get_by_text("Nothing yet. Jobs appear here")).to_be_visible()
    start.reload()
    expect(recent.get_by_text("Nothing yet. Jobs appear here")).to_be_visible()


def test_clearing_can_be_undone(start: Page, done_job: str) -> None:
    """The notice has a way back."""
    start.reload()
    recent = start.get_by_role("region", name="Recent")
    row = recent.locator(f"a[href$='{done_job}']")
    expect(row).to_be_visible()
    recent.get_by_role("button", name="Clear finished").click()
    start.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()


def test_example_of_the_operator_is_a_link(page: Page, server: Target, clip: Path) -> None:
    """A finished job with the key `example` is offered to people who are new."""
    submit(server, clip, {"Idempotency-Key": "example"})
    page.reload()
    page.get_by_role("link", name="Open the example video").click()
    expect(page.get_by_role("region", name="Segments")).to_be_visible()


def test_address_that_is_not_allowed_is_explained_under_its_field(page_of_strict: Page) -> None:
    """The sentence names the host that was asked and those that are allowed."""
    page = page_of_strict
    page.get_by_role("tab", name="Address").click()
    field = page.get_by_label("Address of a video")
    fetch = page.get_by_role("button", name="Fetch")
    for address, sentence in [
        ("", "Paste the address of a video first."),
        ("match.mp4", "This is not an address. It has to begin with https://."),
        ("ftp://a.example.org/b.mp4", "This service may not fetch from ftp: addresses."),
        ("https://files.example.com/a.mp4", "This service may not fetch from files.example.com."),
    ]:
        field.fill(address)
        fetch.click()
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()


def test_features_are_localized_and_kept_in_the_list(page_of_strict: Page) -> None:
    """An .npy file needs no job; the list has it after a reload."""
    page = page_of_strict
    choose_model(page, "rows")
    content = io.BytesIO()
    np.save(content, np.random.default_rng(0).standard_normal((40, 8), dtype=np.float32))
    choose(page, payload("meet_017.npy", content.getvalue()))
    expect(page.get_by_role("banner")).to_contain_text("meet_017.npy")
    assert "#/features/" in page.url
    page.goto("/")
    row = page.get_by_role("region", name="Recent").get_by_role("link").filter(has_text="meet_017")
    expect(row).to_contain_text("Done")


def test_features_of_another_shape_are_explained(page_of_strict: Page) -> None:
    """The service's own sentence says what it expected."""
    page = page_of_strict
    choose_model(page, "rows")
    content = io.BytesIO()
    np.save(content, np.zeros((40, 9), np.float32))
    choose(page, payload("meet_018.npy", content.getvalue()))
    message = page.get_by_role("alert").filter(has_text="meet_018.npy was not localized")
    expect(message).to_be_visible()
    message.get_by_text("Details").click()
    expect(message).to_contain_text("unusable-input")
    expect(message.get_by_role("button", name="Copy")).to_be_visible()


def choose_model(page: Page, name: str) -> None:
    """Chooses a model in the menu."""
    page.get_by_role("button", name="Change the model").click()
    page.get_by_role("menuitemradio", name=f"{name} · version 1").click()
    expect(page.get_by_role("region", name="Model")).to_contain_text(f"{name} · version 1")


def test_chosen_model_holds_over_a_reload(page_of_strict: Page) -> None:
    """A menu has the models; the next visit begins with the one that was chosen."""
    page = page_of_strict
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves · version 1")
    choose_model(page, "rows")
    expect(page.get_by_text("Features as .npy, up to 67.1 MB each")).to_be_visible()
    page.reload()
    expect(page.get_by_role("region", name="Model")).to_contain_text("rows · version 1")


def test_key_is_asked_for_and_kept_for_the_tab(strict: tuple[Target, str], open_page) -> None:
    """A wrong key has a sentence; a right one holds over a reload, but not in another tab."""
    server, key = strict
    page = open_page(server.url)
    page.goto("/")
    dialog = page.get_by_role("dialog", name="API key")
    dialog.get_by_label("API key", exact=True).fill("ecm_wrong")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The service does not know this key.")
    dialog.get_by_label("API key", exact=True).fill(f" {key} ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves")
    page.reload()
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves")
    assert key not in page.evaluate("JSON.stringify(localStorage)")
    other = page.context.new_page()
    other.goto("/")
    expect(other.get_by_role("dialog", name="API key")).to_be_visible()


def test_no_model_is_a_sentence_and_a_model_appears_by_itself(
    models: Path, tmp_path: Path, serve_here: Callable[..., Target], open_page: OpenPage
) -> None:
    """The card waits for a model; the page needs no reload."""
    repository = tmp_path / "models"
    repository.mkdir()
    server = serve_here(repository, jobs=0, reload_s=0)
    page = open_page(server.url)
    page.goto("/")
    card = page.get_by_role("region", name="Model")
    expect(card).to_contain_text("No model is loaded. Put one into the models folder;")
    shutil.copytree(models / "moves", repository / "moves")
    httpx.post(f"{server.url}/models/moves/load").raise_for_status()
    expect(card).to_contain_text("moves · version 1")


@pytest.mark.parametrize(
    ("scheme", "size"),
    [("light", DESKTOP), ("dark", PHONE), ("light", {"width": 320, "height": 568})],
)
def test_start_is_accessible_and_has_no_scroll_bar_at_any_width(
    server: Target, open_page: OpenPage, done_job: str, assert_accessible, scheme: str, size
) -> None:
    """axe-core finds nothing; the page never scrolls sideways."""
    page = open_page(server.url, viewport=size, color_scheme=scheme)
    page.goto("/")
    expect(page.locator(f"a[href$='{done_job}']")).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_start_works_by_keyboard_alone(start: Page) -> None:
    """Tab reaches each control in its order; arrows move in menu and tabs; Esc closes."""
    start.on("filechooser", lambda _: None)  # the browser hands choosers over from here on
    start.get_by_role("link", name="ECM Localizer").focus()
    names = []
    for _ in range(5):
        start.keyboard.press("Tab")
        names.append(
            start.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")
        )
    assert names == ["Dark", "Keys", "Change the model", "This computer", "Choose files"]
    start.get_by_role("button", name="Change the model").press("Enter")
    expect(start.get_by_role("menuitemradio")).to_be_focused()
    start.keyboard.press("Escape")
    expect(start.get_by_role("menu")).to_have_count(0)
    expect(start.get_by_role("button", name="Change the model")).to_be_focused()
    start.get_by_role("tab", name="This computer").press("ArrowRight")
    expect(start.get_by_role("tab", name="Server folder")).to_be_focused()
    expect(start.get_by_role("searchbox")).to_be_visible()
    with start.expect_file_chooser():
        start.keyboard.press("o")


def test_video_of_the_server_is_found_and_read(start: Page, videos: Path, clip: Path) -> None:
    """Folders open one after the other; the chosen file becomes a job, and gets a thumbnail."""
    (videos / "meets").mkdir(exist_ok=True)
    shutil.copy(clip, videos / "meets" / "platform 2 “B”.mp4")
    start.get_by_role("tab", name="Server folder").click()
    start.get_by_role("button", name="videos").click()
    start.get_by_role("button", name="meets").click()
    expect(start.get_by_role("navigation", name="Folder")).to_contain_text("meets")
    field = start.get_by_role("searchbox")
    field.fill("nothing like it")
    expect(start.get_by_text("No file here has that name.")).to_be_visible()
    field.fill("PLATFORM")
    start.get_by_role("button", name="platform 2 “B”.mp4").click()
    expect(start.get_by_role("region", name="Segments")).to_be_visible()
    start.goto("/")
    row = start.get_by_role("link").filter(has_text="platform 2 “B”.mp4").first
    expect(row.locator("img")).to_be_visible()


def test_words_typed_while_a_folder_loads_stay(start: Page) -> None:
    """The list comes late, is filtered by the words, and takes neither them nor the focus."""
    held: list[Route] = []
    start.route("**/files?**", lambda route: held.append(route))
    start.get_by_role("tab", name="Server folder").click()
    field = start.get_by_role("searchbox")
    eventually(lambda: field.is_visible() and len(held) == 1)
    field.press_sequentially("vid")
    held[0].continue_()
    expect(start.get_by_role("button", name="videos")).to_be_visible()
    expect(field).to_have_value("vid")
    expect(field).to_be_focused()


def test_answer_of_a_folder_that_was_left_is_ignored(start: Page, videos: Path) -> None:
    """The first folder is shown again, however late the folder inside answers."""
    start.get_by_role("tab", name="Server folder").click()
    inside = start.get_by_role("button", name="videos")
    expect(inside).to_be_visible()
    held: list[Route] = []
    start.route(
        "**/files?**", lambda route: route.continue_() if len(held) == 2 else held.append(route)
    )
    inside.dblclick()
    eventually(lambda: inside.is_visible() and len(held) == 2)
    held[1].continue_()
    way = start.get_by_role("navigation", name="Folder")
    expect(way).to_contain_text("videos")
    way.get_by_role("button", name="Folders").click()
    expect(inside).to_be_visible()
    with start.expect_response("**/files?**"):
        held[0].continue_()
    expect(inside).to_be_visible()
    expect(way).not_to_contain_text("videos")


def test_folder_that_is_gone_has_a_way_back(start: Page, videos: Path) -> None:
    """The sentence is in the list, with a button to the first folder."""
    (videos / "old").mkdir(exist_ok=True)
    start.get_by_role("tab", name="Server folder").click()
    start.get_by_role("button", name="videos").click()
    expect(start.get_by_role("button", name="old", exact=True)).to_be_visible()
    (videos / "old").rmdir()
    start.get_by_role("button", name="old", exact=True).click()
    start.get_by_role("alert").get_by_role("button", name="First folder").click()
    expect(start.get_by_role("button", name="videos")).to_be_visible()
