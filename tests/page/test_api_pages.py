"""The pages of the API, in a browser."""

from playwright.sync_api import Page, expect


def test_docs_show_every_call_without_another_host(page: Page) -> None:
    """The policy lets all of it through; the fixture watches console, reports and requests."""
    page.goto("/docs")
    expect(page.locator("#operations-models-list_models")).to_be_visible()
    assert page.locator(".opblock").count() > 20
    page.locator("#operations-models-list_models").get_by_role("button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table tr.response").first).to_contain_text("200")
