"""The folder of the service's files, on file systems and paths of other kinds."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import create_engine

from ecm_localizer import Client
from model.errors import OptionError
from service.videos.data_folder import DataFolder

ROOT = Path(__file__).parents[3]


def test_uploads_need_no_hard_links(
    motion_repository: Path, launch, film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ExFAT and many network shares have none; nothing is left of the upload."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os\n\ndef link(*_, **__):\n    raise PermissionError(1, 'not permitted')\n\n"
        "os.link = link\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{ROOT}")
    data = tmp_path / "data"
    process = launch("serve", repository=motion_repository, data=data, wait_s=60)
    video = film(tmp_path / "a.mp4", np.arange(50) / 25)
    with Client(process.url) as client:
        assert client.localize(video).snippets > 0
    headers = {"Content-Type": "video/mp4", "Idempotency-Key": "one"}
    for _ in range(2):
        answer = httpx.post(f"{process.url}/jobs", content=video.read_bytes(), headers=headers)
        assert answer.status_code == 202
    assert list((data / "incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "100%", "a#b", "caf\u00e9", "a&b=c"])
def test_the_database_is_in_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    """Characters with a meaning in URLs included."""
    folder = DataFolder(tmp_path / name)
    engine = create_engine(folder.database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("create table a (b)")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / name / "jobs.sqlite")) as found:
        assert found.execute("select name from sqlite_master").fetchall() == [("a",)]


def test_a_question_mark_in_the_path_is_refused(tmp_path: Path) -> None:
    """The database would be beside the folder, under half its name."""
    folder = DataFolder(tmp_path / "why?" / "data")
    with pytest.raises(OptionError, match=r"has a '\?' in its path"):
        _ = folder.database_url
