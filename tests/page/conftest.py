"""The page in a real browser: a service with a small model, a clip, pages that are watched.

The browser lives as long as this package's tests, because Playwright's event loop would otherwise
run on into tests that start one of their own.

Loading the page takes 2.5 s of CPU time, going to another view 0.2 s. Most tests therefore share a
page, which `renewed` puts back into the state after loading.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from reliability.random_model import publish_random, publish_random_of_videos
from reliability.server import Target, eventually
from reliability.server import server as serve
from service.http.api_keys import new_key

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
CLIP_S, CLIP_RATE = 20, 25
OTHER_HOST = "other.test"
"""Name of this machine that the browser takes for another one."""
PATIENCE_MS = 60_000
"""Longest wait for anything; only a failure takes it, or a machine with much else to do."""
expect.set_options(timeout=PATIENCE_MS)
OpenPage: TypeAlias = Callable[..., Page]
CLEAR = (Path(__file__).parent / "clear.js").read_text()
TO_START = """() => {
    history.replaceState(null, "", "#/");
    dispatchEvent(new HashChangeEvent("hashchange"));
}"""


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A model repository with one model, `moves`, whose extractor is `motion`.

    Test processes share the repository, because exporting a model takes 6 s of CPU time.
    """
    home = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        home = home.parent
    root = home / "models of the page"
    root.mkdir(exist_ok=True)
    with (home / "models of the page.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "moves").exists():
            publish_random_of_videos(root, "moves")
    return root


@pytest.fixture(scope="package")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the service from which videos may come, named `videos`."""
    folder = tmp_path_factory.mktemp("root") / "videos"
    folder.mkdir()
    return folder


@pytest.fixture(scope="package")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the data of the service."""
    return tmp_path_factory.mktemp("page") / "data"


@pytest.fixture(scope="package")
def server(models: Path, videos: Path, server_data: Path) -> Iterator[Target]:
    """A service for `moves`, which takes videos of the folder `videos`."""
    with serve(models, server_data.parent, video_roots=f'["{videos}"]', chunk_snippets=4) as target:
        yield target


@pytest.fixture(scope="package")
def admin() -> tuple[str, str]:
    """A key that may load models only, and its line for the service."""
    key, record = new_key("operator", frozenset({"admin"}))
    return key, record.line()


@pytest.fixture
def admin_key(admin: tuple[str, str]) -> str:
    """A key of the strict service that may load models only."""
    return admin[0]


@pytest.fixture(scope="package")
def strict(
    models: Path, admin: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, str]]:
    """A service that wants a key, and the key: no workers, two jobs in line at most.

    It has models of videos (`moves`), of features (`rows`), and of 200 classes (`many`).
    """
    repository, folder = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("strict")
    shutil.copytree(models / "moves", repository / "moves")
    publish_random(repository, "rows", feature_dim=8)
    publish_random(repository, "many", feature_dim=8, classes=200)
    key, record = new_key("page", frozenset({"infer"}))
    flags = {"video_hosts": '["media.example.org"]', "max_queued_jobs": 2, "jobs": 0}
    keys = json.dumps([record.line(), admin[1]])
    with serve(repository, folder, api_keys=keys, **flags) as target:
        yield target, key


@pytest.fixture(scope="package")
def shared_of_strict(
    browser: Browser, strict: tuple[Target, str]
) -> Iterator[tuple[Page, "Watch"]]:
    """The page of the strict service that tests share."""
    target, key = strict
    with loaded(browser, target.url, key) as shared:
        yield shared


@pytest.fixture
def page_of_strict(
    shared_of_strict: tuple[Page, "Watch"], strict: tuple[Target, str]
) -> Iterator[Page]:
    """The start view of the strict service, with its key; renewed for each test."""
    with unfaulted(*shared_of_strict) as page:
        yield renewed(page, strict[1])


@pytest.fixture
def serve_here(tmp_path: Path) -> Iterator[Callable[..., Target]]:
    """Runs a service of a test's own: `serve_here(repository, max_queued_jobs=1)`."""
    with ExitStack() as services:
        yield lambda repository, **flags: services.enter_context(
            serve(repository, tmp_path, **flags)
        )


@pytest.fixture(scope="package")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of 20 s without sound, in H.264: a square moves, a bar tells the time."""
    path = tmp_path_factory.mktemp("clip") / "moving shapes.mp4"
    write_clip(path, CLIP_S)
    return path


def write_clip(path: Path, length_s: float, *, codec: str = "libx264") -> None:
    """Writes a clip of 320 x 180 at 25 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=CLIP_RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(round(length_s * CLIP_RATE)):
            frame = av.VideoFrame.from_ndarray(
                _shapes(number / CLIP_RATE, length_s), format="rgb24"
            )
            frame.pts, frame.time_base = number, Fraction(1, CLIP_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _shapes(time_s: float, length_s: float) -> np.ndarray:
    image_HWC = np.full((180, 320, 3), 224, np.uint8)
    left, top = int(130 + 110 * np.sin(time_s)), int(70 + 50 * np.cos(2 * time_s))
    image_HWC[top : top + 40, left : left + 40] = (40, 80, 160)
    image_HWC[172:, : int(320 * time_s / length_s)] = (200, 90, 0)
    return image_HWC


@pytest.fixture(scope="package")
def done_job(server: Target, clip: Path) -> str:
    """The id of a job on the clip that is done."""
    return submit(server, clip)


def submit(server: Target, clip: Path, more: Mapping[str, str] | None = None) -> str:
    """Returns the id of a job on a clip when the job is done; `more` are headers."""
    headers = {"Content-Type": "video/mp4", "X-File-Name": clip.name.replace(" ", "%20")}
    headers |= more or {}
    with httpx.Client(base_url=server.url) as client:  # making one takes 30 ms of CPU time
        answer = client.post("/jobs", content=clip.read_bytes(), headers=headers)
        id_: str = answer.raise_for_status().json()["id"]
        eventually(lambda: client.get(f"/jobs/{id_}").json()["state"] == "done")
    return id_


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or a skip that says why."""
    if CHROMIUM is None:
        pytest.skip("no browser: install the package chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--autoplay-policy=no-user-gesture-required",
                f"--host-resolver-rules=MAP {OTHER_HOST} 127.0.0.1",
            ],
        )
        yield chromium
        chromium.close()


class Watch:
    """Faults of a page: logged errors, reports of its policy, requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        self._host = urlsplit(url).netloc
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("requestfailed", self._on_failed)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Chromium logs every refusal and lost connection itself; tests expect some of those.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"logged: {message.text}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self._host:
            self.faults.append(f"another host: {request.url}")

    def _on_failed(self, request: Request) -> None:
        is_left = request.failure == "net::ERR_ABORTED"  # the page was closed or left
        if "/page/" in request.url and not is_left:
            self.faults.append(f"{request.failure}: {request.url}")

    def _on_response(self, response: Response) -> None:
        if (
            response.status >= 400
            and "/page/" in response.url
            and response.status not in (401, 403)
        ):
            self.faults.append(f"{response.status}: {response.url}")


@contextmanager
def _opened(browser: Browser) -> Iterator[OpenPage]:
    contexts, watches = [], []

    def open_page(url: str, **options: Any) -> Page:
        context = browser.new_context(base_url=url, **({"viewport": DESKTOP} | options))
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page, url))
        return page

    try:
        yield open_page
        faults = [fault for watch in watches for fault in watch.faults]
        assert not faults
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages of a service, each in a fresh context: `open_page(url, viewport=PHONE)`.

    The test fails if one of them logs an error, reports a breach of its policy, or asks another
    host for something.
    """
    with _opened(browser) as open_:
        yield open_


@contextmanager
def loaded(browser: Browser, url: str, key: str | None = None) -> Iterator[tuple[Page, Watch]]:
    """A loaded page of 1440 x 900 with its watch; relative addresses are the service's."""
    with browser.new_context(base_url=url, viewport=DESKTOP) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        watch = Watch(page, url)
        if key is not None:
            page.add_init_script(f"sessionStorage.setItem('api-key', '{key}')")
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_be_visible()  # the start view has come
        yield page, watch


@contextmanager
def unfaulted(page: Page, watch: Watch) -> Iterator[Page]:
    """Fails if a page does during the `with` what it must not do."""
    watch.faults.clear()
    yield page
    assert not watch.faults


def renewed(page: Page, key: str | None = None) -> Page:
    """Puts a page back into the state after loading, in the start view."""
    if urlsplit(page.url).path != "/":
        page.goto("/")
    page.context.set_offline(False)
    page.unroute_all()
    page.mouse.move(0, 0)
    page.evaluate(CLEAR, key)
    page.evaluate(TO_START)
    return page


@pytest.fixture(scope="package")
def shared(browser: Browser, server: Target) -> Iterator[tuple[Page, Watch]]:
    """The page that tests share."""
    with loaded(browser, server.url) as shared:
        yield shared


@pytest.fixture
def page(shared: tuple[Page, Watch]) -> Iterator[Page]:
    """The start view at 1440 x 900, renewed for each test; `open_page` gives a page of one's own.

    Relative addresses are the service's. What `renewed` cannot undo needs a page of one's own.
    """
    with unfaulted(*shared) as page:
        yield renewed(page)


@pytest.fixture
def modules(shared: tuple[Page, Watch]) -> Page:
    """The shared page as it is, for tests of pure functions: `modules.evaluate("import(...)")`."""
    return shared[0]


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """Checks a page by axe-core; a violation fails the test with its report."""

    def check(page: Page) -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()

    return check
