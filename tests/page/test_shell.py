"""The shell of the page: header, theme, keys, addresses."""

from playwright.sync_api import Page, expect


def test_page_has_a_title_and_a_header(page: Page) -> None:
    """The page opens without an error, a report of its policy, or a request to another host."""
    page.goto("/")
    expect(page).to_have_title("ECM Localizer")
    expect(page.get_by_role("banner")).to_contain_text("ECM Localizer")
