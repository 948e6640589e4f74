import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError, OptionError
from service.references.errors import ReferenceRefusedError
from service.references.rules import ReferenceRules, check_reference, local_file, named_file
from service.references.uri import MAX_CHARACTERS, parse_uri


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of videos beside another folder with a secret."""
    root = tmp_path / "videos"
    (root / "a folder").mkdir(parents=True)
    (root / "a.mp4").write_bytes(b"abc")
    (root / "a folder" / "ä#?.mp4").write_bytes(b"def")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret").write_bytes(b"secret")
    return root


def local(uri: str, *roots: Path, **limits: int) -> Path:
    """Returns the path of a file after the check at submission and the check at use."""
    rules = ReferenceRules(roots=roots, **limits)  # type: ignore[arg-type]
    check_reference(uri, rules)
    with local_file(uri, rules, Path("/nowhere")) as path:
        return path


def refusal(uri: str, rules: ReferenceRules) -> str:
    """Returns the message of a refusal, which is the same at submission and later."""
    with pytest.raises(ReferenceRefusedError) as early:
        check_reference(uri, rules)
    with pytest.raises(ReferenceRefusedError) as late, local_file(uri, rules, Path("/nowhere")):
        pass
    assert str(early.value) == str(late.value)
    return str(early.value)


def test_files_below_a_root_are_allowed(root: Path) -> None:
    """The URI may have an authority, encoded characters, or the target of a linked root."""
    for uri in (
        f"file://{root}/a.mp4",
        f"file:{root}/a.mp4",
        f"FILE://localhost{root}/%61.mp4#t=5",
        f"file://LOCALHOST{root}/a.mp4",
    ):
        assert local(uri, root) == root / "a.mp4"
    assert local((root / "a folder" / "ä#?.mp4").as_uri(), root).read_bytes() == b"def"
    link = root.with_name("link")
    link.symlink_to(root)
    for folder in (root, link):
        assert local(f"file://{folder}/a.mp4", link) == root / "a.mp4"


def test_relative_roots_start_at_the_working_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root may be a relative path."""
    monkeypatch.chdir(root.parent)
    assert local(f"file://{root}/a.mp4", Path("private"), Path("videos")) == root / "a.mp4"


def test_links_within_the_roots_are_allowed(root: Path) -> None:
    """The target of a link may be in another root."""
    (root / "link.mp4").symlink_to("a.mp4")
    (root / "other").symlink_to("../private")
    assert local(f"file://{root}/link.mp4", root) == root / "a.mp4"
    private = root.with_name("private")
    assert local(f"file://{root}/other/secret", root, private) == private / "secret"


def test_existing_files_outside_are_not_disclosed(root: Path) -> None:
    """Existing and missing files outside give the same message, also through a link."""
    (root / "out").symlink_to(root.with_name("private"))
    (root / "loop").symlink_to(root.with_name("loop"))
    root.with_name("loop").symlink_to(root / "loop")
    rules = ReferenceRules(roots=(root,))
    for folder in (root.with_name("private"), root / "out", root.with_name("videos2")):
        there, absent = (
            refusal(f"file://{folder}/{name}", rules).replace(name, "NAME")
            for name in ("secret", "absent")
        )
        assert there == absent
        assert "ECM_VIDEO_ROOTS" in there
    assert "private" not in refusal(f"file://{root}/out/secret", rules)
    assert "file" in refusal(f"file://{root}/loop", rules)


@pytest.mark.parametrize(
    "path",
    [
        "/../private/secret", "/%2e%2e/private/secret", "/.%2E/private/secret",
        "/..%2fprivate/secret", "/%2e%2e%2fprivate%2fsecret", "/a%20folder/../a.mp4", "/./a.mp4",
        "/%2e/a.mp4", "//a.mp4", "/a.mp4/", "/a.mp4%00", "/a.mp4%0a", "/..%5cprivate%5csecret",
        "/%c0%ae%c0%ae/private/secret", "/%ff", "/%252e%252e/private/secret", "/a.mp4?x",
        "/absent.mp4", "/a.mp4/below", "/a%20folder", "", "/" + "x" * 300, "/" + "x/" * 900 + "x",
    ],
)  # fmt: skip
def test_unusual_paths_are_refused(root: Path, path: str) -> None:
    """These have dots in any spelling, separators or control characters."""
    refusal(f"file://{root}{path}", ReferenceRules(roots=(root,)))


def test_only_regular_files_are_allowed(root: Path) -> None:
    """Folders, pipes, sockets and devices are refused without opening them."""
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/null")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.path.relpath(root / "socket"))
    for name in ("pipe", "socket", "a%20folder"):
        assert "regular" in refusal(f"file://{root}/{name}", ReferenceRules(roots=(root,)))
    assert "outside" in refusal(f"file://{root}/null", ReferenceRules(roots=(root,)))
    devices = ReferenceRules(roots=(Path("/dev"),))
    assert "regular" in refusal("file:///dev/zero", devices)


def test_large_files_are_refused(root: Path) -> None:
    """A file of exactly the limit is allowed."""
    uri = f"file://{root}/a.mp4"
    assert local(uri, root, max_bytes=3) == root / "a.mp4"
    message = refusal(uri, ReferenceRules(roots=(root,), max_bytes=2))
    assert "3 bytes" in message
    assert "ECM_MAX_VIDEO_BYTES" in message


def test_a_file_stays_after_its_use(root: Path) -> None:
    """Only downloads are deleted."""
    with local_file(f"file://{root}/a.mp4", ReferenceRules(roots=(root,)), root):
        pass
    assert (root / "a.mp4").read_bytes() == b"abc"


def test_a_file_is_named_without_a_download(root: Path) -> None:
    """Other schemes name no file, and the rules hold all the same."""
    rules = ReferenceRules(roots=(root,))
    assert named_file(f"file://{root}/a.mp4", rules) == root / "a.mp4"
    assert named_file("https://a.example/a.mp4", rules) is None
    with pytest.raises(ReferenceRefusedError, match="outside"):
        named_file("file:///etc/passwd", rules)


@pytest.mark.parametrize(
    ("uri", "way"),
    [("https://a.example/a", "https"), ("s3://bucket/a", "bucket"), ("az://bucket/a", "bucket")],
)
def test_downloads_go_the_way_of_their_scheme(
    uri: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file exists during its use alone."""
    ways: list[str] = []
    monkeypatch.setattr("service.references.https.download", lambda *_: ways.append("https"))
    monkeypatch.setattr("service.references.buckets.copy_object", lambda *_: ways.append("bucket"))
    with local_file(uri, ANYTHING, tmp_path) as path:
        assert list(tmp_path.iterdir()) == [path]
    assert (ways, list(tmp_path.iterdir())) == ([way], [])


def test_limits_without_settings() -> None:
    """4 GiB, ten minutes for a download, and 20 s without a byte."""
    assert ReferenceRules() == ReferenceRules((), (), (), 4 * 2**30, 600.0, 20.0)


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "https://a.example/a.mp4", "s3://bucket/a.mp4", "gs://bucket/a",
            "az://container/a"],
)  # fmt: skip
def test_nothing_is_allowed_by_default(uri: str) -> None:
    """Each message names the setting that would allow it."""
    assert "ECM_VIDEO_" in refusal(uri, ReferenceRules())


ANYTHING = ReferenceRules(
    roots=(Path("/"),),
    hosts=("a.example", "*.b.example", "c.example:8443", "8.8.8.8", "[2606:4700::1111]",
           "10.0.0.1", "[::1]", "xn--bcher-kva.example", "localhost"),
    buckets=("s3://bucket", "gs://bucket", "az://bucket"),
)  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    [
        "", " ", "a.mp4", "/a.mp4", "//a.example/a", ":", "https", "1https://a.example/",
        "x" * (MAX_CHARACTERS + 1), "https://a.example/" + "x" * MAX_CHARACTERS,
        "http://a.example/", "ftp://a.example/", "data:,x", "s3a://bucket/a", "memory://bucket/a",
        "simplecache::s3://bucket/a", "file://a.example/a", "file://127.0.0.1/a", "file:a",
        "file:", "file://localhost:80/a", "file://u@localhost/a", "https:a.example/",
        " https://a.example/", "https://a.example/ ", "https://a.example/\n", "https://a.example/ä",
        "https://a.example\\@b.example/", "https://a.example/\\", "https://a.example/%", "https:",
        "https://a.example/%zz", "https://a.example/\0", "https://a.example/<>", "https:///a",
        "https://bücher.example/", "https://\uff41.example/", "https://a%2eexample/", "https://",
        "https://a.example./", "https://.a.example/", "https://a..example/",
        "https://-a.b.example/",
        "https://u@a.example/", "https://u:p@a.example/", "https://a.example@/",
        "https://@a.example/",
        "https://a.example:/", "https://a.example:0/", "https://a.example:80/",
        "https://a.example:8443/", "https://a.example:99999/", "https://a.example:0443/",
        "https://c.example/", "https://c.example:443/", "https://b.example/", "https://xb.example/",
        "https://d.example/", "https://a.example.d.example/",
        "https://" + "x" * 300 + ".b.example/",
        "https://" + "x" * 64 + ".b.example/", "https://8.8.4.4/", "https://134744072/",
        "https://0x08080808/", "https://8.8.2056/", "https://010.8.8.8/", "https://[8.8.8.8/",
        "https://10.0.0.1/", "https://[::1]/", "https://[::1%251]/", "https://[2606:4700::2222]/",
    ],
)  # fmt: skip
def test_unusual_uris_are_refused(uri: str) -> None:
    """Only a plain spelling of an allowed host is accepted."""
    refusal(uri, ANYTHING)


@pytest.mark.parametrize(
    "uri",
    [
        "https://a.example", "https://a.example/", "HTTPS://A.Example:443/x?y=%20#z",
        "https://x.b.example/", "https://x.y.b.example/", "https://c.example:8443/",
        "https://8.8.8.8/", "https://[2606:4700:0::1111]/", "https://xn--bcher-kva.example/",
    ],
)  # fmt: skip
def test_listed_hosts_are_allowed(uri: str) -> None:
    """Hosts may be exact, subdomains of `*.`, have a listed port, or be IPv6 addresses."""
    check_reference(uri, ANYTHING)


def test_no_secret_is_quoted() -> None:
    """Passwords and signed queries of a URI do not appear in messages and logs."""
    for uri in (
        "https://user:hunter2@a.example/", "https://d.example/a?signature=hunter2",
        "file://user:hunter2@host/a", "s3://key:hunter2@bucket/a", "gs://bucket/a?hunter2",
        "file:///a?hunter2", "https://a.example/<?hunter2",
    ):  # fmt: skip
        assert "hunter2" not in refusal(uri, ANYTHING)


@settings(deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"(https|file|s3)://[!-~]{0,30}", fullmatch=True))
def test_any_text_is_allowed_or_refused(text: str) -> None:
    """No text causes another exception."""
    with contextlib.suppress(ReferenceRefusedError):
        check_reference(text, ANYTHING)
    with contextlib.suppress(ReferenceRefusedError):
        assert len(str(parse_uri(text))) <= 210


@pytest.mark.parametrize(
    "rules",
    [
        {"hosts": ("https://a.example",)}, {"hosts": ("*",)}, {"hosts": ("a.*.example",)},
        {"hosts": ("",)}, {"hosts": ("a.example/x",)}, {"hosts": ("a.example.",)},
        {"hosts": ("2606:4700::1111",)}, {"hosts": ("bücher.example",)},
        {"buckets": ("bucket",)}, {"buckets": ("s3://",)}, {"buckets": ("s3:///videos",)},
        {"buckets": ("s3://*",)}, {"buckets": ("s3://bucket/../x",)}, {"buckets": ("",)},
        {"buckets": ("http://bucket/",)}, {"buckets": ("s3://bucket//",)},
    ],
)  # fmt: skip
def test_malformed_rules_are_errors(rules: dict[str, tuple[str, ...]]) -> None:
    """The error at the start names the setting and the entry."""
    (name,) = rules
    with pytest.raises(OptionError, match=f"ECM_VIDEO_{name.upper()}"):
        ReferenceRules(**rules)  # type: ignore[arg-type]


def test_refusals_are_input_errors() -> None:
    """The service responds to them as to any unusable input."""
    assert issubclass(ReferenceRefusedError, InputError)
