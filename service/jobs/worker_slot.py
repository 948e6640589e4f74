"""Identity of a worker process: a numbered slot that it holds by a file lock.

The kernel releases the lock when the process ends, however it ends. Other workers then see at once
that it is gone and take over its jobs. A process that starts again in the same slot resumes its own
jobs. The locks also work between machines that share the folder by NFS 4, CephFS or the like.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path


class WorkerSlot:
    """Slot of this process: the lowest that was free."""

    def __init__(self, folder: Path) -> None:
        """Locks a slot in a folder of lock files."""
        self._folder = folder
        for number in count():
            file = (folder / _name(number)).open("wb")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            self._file = file
            self.name = _name(number)
            return

    def release(self) -> None:
        """Unlocks the slot, as the end of the process does."""
        self._file.close()

    @contextmanager
    def others_without_process(self) -> Iterator[list[str]]:
        """Yields the names of slots without a process, and locks them meanwhile."""
        held = []
        try:
            for path in sorted(self._folder.iterdir()):
                file = path.open("rb")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    held.append((path.name, file))
                except BlockingIOError:
                    file.close()
            yield [name for name, _ in held]
        finally:
            for _, file in held:
                file.close()


def _name(number: int) -> str:
    return f"worker-{number}"
