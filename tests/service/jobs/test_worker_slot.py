"""Slots identify processes, and are free as soon as their process has ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.jobs.worker_slot import WorkerSlot

HOLD = """
import sys
from pathlib import Path
from service.jobs.worker_slot import WorkerSlot
slot = WorkerSlot(Path(sys.argv[1]))
print(slot.name, flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that holds a slot until its input ends."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout
        self.name = self.process.stdout.readline().decode().strip()

    def end(self, *, kill: bool) -> None:
        """Ends the process, by itself or by a kill."""
        if kill:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def holders(tmp_path: Path):
    """Three processes with a slot each."""
    holders = [Holder(tmp_path) for _ in range(3)]
    yield holders
    for holder in holders:
        holder.end(kill=True)


def test_every_process_has_its_own_slot(holders: list[Holder], tmp_path: Path) -> None:
    """The lowest free slot; this process holds one as well."""
    assert [holder.name for holder in holders] == ["worker-0", "worker-1", "worker-2"]
    slot = WorkerSlot(tmp_path)
    assert slot.name == "worker-3"
    slot.release()


@pytest.mark.parametrize("kill", [True, False])
def test_the_slot_of_an_ended_process_is_free(
    holders: list[Holder], tmp_path: Path, kill: bool
) -> None:
    """However the process ended, others see it, and the next process takes the slot."""
    slot = WorkerSlot(tmp_path)
    with slot.others_without_process() as dead:
        assert dead == []
    holders[1].end(kill=kill)
    with slot.others_without_process() as dead:
        assert dead == ["worker-1"]
    next_one = Holder(tmp_path)
    assert next_one.name == "worker-1"
    with slot.others_without_process() as dead:
        assert dead == []
    next_one.end(kill=True)
    slot.release()


def test_slots_are_held_while_their_jobs_are_taken_over(
    holders: list[Holder], tmp_path: Path
) -> None:
    """Meanwhile no process starts in one or adopts its jobs; afterwards they are free."""
    first, second = WorkerSlot(tmp_path), WorkerSlot(tmp_path)
    for holder in holders[:2]:
        holder.end(kill=True)
    with first.others_without_process() as dead:
        assert dead == ["worker-0", "worker-1"]
        with second.others_without_process() as dead_too:
            assert dead_too == []
        newcomer = WorkerSlot(tmp_path)
        assert newcomer.name == "worker-5"
    with second.others_without_process() as dead:
        assert dead == ["worker-0", "worker-1"]
    for slot in (newcomer, first, second):
        slot.release()
    with pytest.raises(RuntimeError), second.others_without_process():
        raise RuntimeError
    last = Holder(tmp_path)
    assert last.name == "worker-0"
    last.end(kill=False)
