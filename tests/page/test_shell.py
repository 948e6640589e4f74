"""The shell of the page: header, theme, keys, addresses, banner."""

import pytest
from playwright.sync_api import Page, Route, expect

from reliability.server import Target
from tests.page.conftest import OpenPage


@pytest.fixture
def start(page: Page) -> Page:
    """The start view."""
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    return page


def test_page_has_a_title_and_a_header(start: Page) -> None:
    """The page opens without an error, a report of its policy, or a request to another host."""
    expect(start).to_have_title("ECM Localizer")
    expect(start.get_by_role("banner")).to_contain_text("ECM Localizer")


def test_theme_follows_the_system_until_the_button_is_pressed(open_page, server: Target) -> None:
    """The chosen theme holds over a reload, whatever the system has."""
    page = open_page(server.url, color_scheme="dark")
    page.goto("/")
    body = page.locator("body")
    expect(body).to_have_css("background-color", "rgb(15, 18, 22)")
    page.get_by_role("button", name="Light").click()
    expect(body).to_have_css("background-color", "rgb(244, 245, 247)")
    page.reload()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()
    expect(body).to_have_css("background-color", "rgb(244, 245, 247)")


def test_question_mark_opens_the_keys_and_escape_closes_them(start: Page) -> None:
    """The sheet lists the keys that act; the focus is inside while it is open."""
    start.keyboard.press("?")
    sheet = start.get_by_role("dialog", name="Keys")
    expect(sheet.get_by_text("Choose files")).to_be_visible()
    expect(sheet.get_by_role("button", name="Close")).to_be_focused()
    start.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    start.get_by_role("button", name="Keys").click()
    expect(sheet).to_be_visible()


def test_keys_without_ctrl_rest_on_request(start: Page) -> None:
    """The box of the sheet switches plain keys off, but not the key that opens the sheet."""
    start.keyboard.press("?")
    start.get_by_label("Use keys without Ctrl or Alt").uncheck()
    start.keyboard.press("Escape")
    acted = """async () => {
      const { bind } = await import("/page/scripts/parts/keys.js");
      window.acted = [];
      const on = (key) => ({ key, text: key, group: "Test", does: () => window.acted.push(key) });
      bind(on("N"), on("Ctrl+Z"));
    }"""
    start.evaluate(acted)
    start.keyboard.press("n")
    start.keyboard.press("Control+z")
    assert start.evaluate("window.acted") == ["Ctrl+Z"]
    start.keyboard.press("?")
    expect(start.get_by_role("dialog", name="Keys")).to_be_visible()


PRESSED = """async (options) => {
  const { pressed } = await import("/page/scripts/parts/keys.js");
  const { altGraph, ...init } = options;
  return pressed(new KeyboardEvent("keydown", { ...init, modifierAltGraph: altGraph }));
}"""


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"key": "n"}, "N"),
        ({"key": "D", "shiftKey": True}, "Shift+D"),
        ({"key": "?", "shiftKey": True}, "?"),
        ({"key": "[", "ctrlKey": True, "altKey": True, "altGraph": True}, "["),
        ({"key": "[", "altKey": True}, "["),
        ({"key": "{", "shiftKey": True, "altKey": True}, "{"),
        ({"key": "Z", "ctrlKey": True, "shiftKey": True}, "Ctrl+Shift+Z"),
        ({"key": "z", "metaKey": True}, "Ctrl+Z"),
        ({"key": "ArrowLeft", "shiftKey": True}, "Shift+ArrowLeft"),
        ({"key": " "}, "Space"),
    ],
)
def test_keys_are_compared_by_character(modules: Page, event: dict[str, object], key: str) -> None:
    """Brackets work with AltGr, and with Option on a Mac; Shift counts for letters only."""
    assert modules.evaluate(PRESSED, event) == key


def test_keys_rest_while_somebody_types(start: Page) -> None:
    """A question mark in a field is text."""
    start.get_by_role("tab", name="Server folder").click()
    field = start.get_by_role("searchbox")
    field.press("?")
    expect(start.get_by_role("dialog")).to_have_count(0)
    expect(field).to_have_value("?")


def test_view_that_changes_takes_the_focus(page: Page, done_job: str) -> None:
    """The link that had it is gone, so that Tab goes on at the start of the new view."""
    link = page.locator(f"a[href$='{done_job}']")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Segments")).to_be_visible()
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.player') !== null")
    page.get_by_role("link", name="Videos").press("Enter")
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    expect(page.locator("#main")).to_be_focused()


def test_module_that_was_lost_is_loaded_again(
    open_page: OpenPage, server: Target, done_job: str
) -> None:
    """A lost connection does not keep the result away."""
    page = open_page(server.url)
    lost = []

    def lose_first(route: Route) -> None:
        lost.append(route.request.url)
        if len(lost) == 1:
            route.abort("aborted")
        else:
            route.continue_()

    page.route("**/look/ruler.js", lose_first)
    page.goto(f"/#/job/{done_job}")
    expect(page.get_by_role("region", name="Segments")).to_be_visible()
    assert len(lost) == 2


def test_unknown_address_shows_the_start(page: Page) -> None:
    """A hash that no view has is no error."""
    page.goto("/#/nothing/of/this?kind=1")
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()


def test_banner_counts_down_while_the_service_does_not_answer(start: Page) -> None:
    """The banner appears with the first lost call, and goes when the service answers."""
    start.context.set_offline(True)
    start.get_by_role("tab", name="Server folder").click()
    banner = start.get_by_role("region", name="Service")
    expect(banner).to_contain_text("The service does not answer. Trying again in 2 s.")
    expect(banner).to_contain_text("Trying again in 1 s.")
    start.context.set_offline(False)
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden()
    expect(start.get_by_role("status").filter(has_text="answers again")).to_have_count(1)


def test_job_that_is_gone_has_a_way_on(page: Page) -> None:
    """The sentence names the days for which this service keeps results."""
    page.goto("/#/job/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="This job is no longer here")).to_be_visible()
    expect(page.get_by_text("The server keeps results for 7 days.")).to_be_visible()
    page.get_by_role("button", name="Bring in a video").click()
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()


def test_notices_go_after_a_while_and_errors_stay(open_page, server: Target) -> None:
    """A notice has a time; an error waits until it is closed."""
    start = open_page(server.url)
    start.goto("/")
    start.clock.install()
    start.evaluate("""async () => {
      const { notify } = await import("/page/scripts/parts/notices.js");
      notify("Copied <b>it</b>.");
      notify("The zip was not made.", { kind: "error" });
    }""")
    notices = start.get_by_role("region", name="Notices")
    expect(notices.get_by_text("Copied <b>it</b>.")).to_be_visible()
    start.clock.run_for(7000)
    expect(notices.get_by_text("Copied <b>it</b>.")).to_have_count(0)
    notices.get_by_role("button", name="Close this notice").click()
    expect(notices.get_by_text("The zip was not made.")).to_have_count(0)
