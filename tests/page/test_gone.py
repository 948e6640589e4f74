"""Losses while the page is open: a model, an activation, a connection."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Page, expect

from reliability.server import Target
from tests.page.conftest import OpenPage, submit, write_clip
from tests.page.test_result import opened, rows, slider


@pytest.fixture
def unloaded(server: Target, page: Page, done_job: str) -> Iterator[Page]:
    """The result of the clip, whose model was unloaded after the page was opened."""
    opened(page, done_job)
    httpx.post(f"{server.url}/models/moves/unload").raise_for_status()
    yield page
    httpx.post(f"{server.url}/models/moves/load").raise_for_status()


def move_threshold(page: Page, key: str = "ArrowRight") -> None:
    """Moves the slider of the class threshold, which asks the service."""
    with page.expect_response(re.compile("/activations/.*/localize")):
        page.get_by_role("slider", name="Class threshold").press(key)


def test_model_that_was_unloaded_is_named_until_it_is_back(unloaded: Page, server: Target) -> None:
    """The sentence says what still works; the next search that succeeds takes it away."""
    move_threshold(unloaded)
    message = unloaded.get_by_role("status").filter(has_text="moves version 1 was unloaded")
    expect(message).to_contain_text("Export and corrections still work.")
    expect(rows(unloaded).first).to_be_visible()
    httpx.post(f"{server.url}/models/moves/load").raise_for_status()
    move_threshold(unloaded)
    expect(message).to_have_count(0)


def test_video_is_read_again_when_its_activation_is_gone(
    page: Page, server: Target, server_data: Path, tmp_path: Path
) -> None:
    """The button makes a new activation, so that the sliders search again."""
    film = tmp_path / f"{tmp_path.name}.mp4"
    write_clip(film, 6)
    job = submit(server, film)
    opened(page, job)
    activation = httpx.get(f"{server.url}/jobs/{job}").json()["result"]["activation"]
    (kept,) = (server_data / "activations").rglob(f"*{activation}*")
    kept.unlink()
    move_threshold(page)
    expect(page.get_by_text("The activation of this video is no longer kept.")).to_be_visible()
    expect(page.get_by_role("slider", name="Class threshold")).to_be_disabled()
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_role("slider", name="Class threshold")).to_be_enabled()
    move_threshold(page)
    expect(slider(page, "Class threshold")).to_have_value("0.22")


class Relay(ThreadingTCPServer):
    """Passes connections on to a service, and breaks the first one with a video in the middle."""

    CUT_BYTES = 16 * 1024
    daemon_threads = True
    breaks = 0

    def __init__(self, target: Target) -> None:
        super().__init__(("127.0.0.1", 0), RelayedConnection)
        self.target = target

    @property
    def url(self) -> str:
        """Address at which the service seems to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class RelayedConnection(BaseRequestHandler):
    """One connection of the browser."""

    server: Relay
    is_video = False

    def handle(self) -> None:
        """Passes on what the browser sends."""
        with socket.create_connection(("127.0.0.1", self.server.target.port)) as service:
            Thread(target=self._answer, args=(service,), daemon=True).start()
            with suppress(OSError):
                while part := self.request.recv(65536):
                    self.is_video |= b"/video?" in part
                    service.sendall(part)

    def _answer(self, service: socket.socket) -> None:
        with suppress(OSError):
            while part := service.recv(Relay.CUT_BYTES):
                self.request.sendall(part)
                if self.is_video and self.server.breaks == 0:
                    self.server.breaks += 1
                    break
            self.request.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(server: Target) -> Iterator[Relay]:
    """A relay before the service."""
    with Relay(server) as relay:
        Thread(target=relay.serve_forever, daemon=True).start()
        yield relay
        relay.shutdown()


def test_video_goes_on_after_its_connection_broke(
    relay: Relay, open_page: OpenPage, done_job: str
) -> None:
    """The browser asks for the rest, as after a long pause, and the video plays to its end."""
    page = opened(open_page(relay.url), done_job)
    page.get_by_role("combobox", name="Speed").select_option("16")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(".controls .time")).to_have_text("00:20.0")
    assert relay.breaks == 1
