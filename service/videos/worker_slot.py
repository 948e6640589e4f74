"""Which of the processes that work on jobs this one is.

A process holds the lock of its slot as long as it lives, however it ends. So the others see at
once that it is gone, and whose jobs they have to take over; a process that starts again in the
same slot takes its own. The locks are files: they hold between machines as well where the folder
is shared by NFS 4, CephFS or the like.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path


class WorkerSlot:
    """The lowest slot that was free."""

    def __init__(self, folder: Path) -> None:
        """Takes it."""
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
        """Gives it back; the end of the process does the same."""
        self._file.close()

    @contextmanager
    def others_without_process(self) -> Iterator[list[str]]:
        """Gives the slots that nobody holds, and holds them meanwhile."""
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
