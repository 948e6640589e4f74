"""Features without a video: their result, and a model of 200 classes."""

import io
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from tests.page.test_result import rows, slider
from tests.page.test_start import choose, choose_model, payload


def opened_features(page: Page, model: str) -> Page:
    """Opens the result of random features."""
    choose_model(page, model)
    content = io.BytesIO()
    np.save(content, np.random.default_rng(0).standard_normal((40, 8), dtype=np.float32))
    choose(page, payload("meet_017.npy", content.getvalue()))
    expect(page.get_by_role("region", name="Segments")).to_be_visible()
    return page


def test_features_have_a_result_without_a_job(page_of_strict: Page, clip: Path) -> None:
    """Their link survives a reload, they are exported, and a video of one's own is put to them."""
    page = opened_features(page_of_strict, "rows")
    slider(page, "Class threshold").fill("0")
    slider(page, "Class threshold").press("Enter")
    expect(rows(page).first).to_be_visible()
    page.reload()
    expect(rows(page).first).to_be_visible()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("menuitem", name="Cut exactly")).to_be_disabled()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV table").click()
    assert download.value.suggested_filename == "meet_017.csv"
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Features are not kept. Bring the .npy file").first).to_be_visible()
    expect(page.get_by_text("There is no video to show.")).to_be_visible()
    page.get_by_role("region", name="Player").locator("input[type=file]").set_input_files(clip)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()


def test_200_classes_have_12_lanes_and_a_search(page_of_strict: Page) -> None:
    """The strongest classes have lanes; any other one is found by its name."""
    page = opened_features(page_of_strict, "many")
    slider(page, "Class threshold").fill("0")
    slider(page, "Class threshold").press("Enter")
    expect(page.get_by_text("12 of 200 classes")).to_be_visible()
    lanes = page.locator(".lane-text .strong")
    expect(lanes).to_have_count(12)
    expect(page.get_by_role("meter")).to_have_count(12)
    page.get_by_role("button", name="188 more").click()
    expect(page.get_by_role("meter")).to_have_count(200)
    other = next(f"class {number}" for number in range(100, 200)
                 if f"class {number}" not in lanes.all_text_contents())  # fmt: skip
    page.get_by_role("button", name="Lanes").click()
    menu = page.get_by_role("dialog", name="Lanes")
    menu.get_by_role("searchbox").fill(other)
    menu.get_by_role("checkbox").check()
    expect(lanes.filter(has_text=other)).to_be_visible()
