"""How work in a thread learns that nobody waits for its result any more."""

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from onnxruntime import RunOptions

Reason: TypeAlias = Literal["late", "left"]
"""The request's time is up, or its client has left."""
_Result = TypeVar("_Result")


class StoppedError(Exception):
    """The work was given up; only those see it who asked for that."""


class Stop:
    """Asked for by the work of one request, set by whoever watches over it."""

    def __init__(self, cancel_waiting: Callable[[], None] = lambda: None) -> None:
        """Begins unset, with work that has not begun.

        Args:
            cancel_waiting: ends the waiting for it to begin.
        """
        self.reason: Reason | None = None
        self._cancel_waiting = cancel_waiting
        self.begun = False
        """Whether it has begun, which ends by itself once it asks."""
        self._run_options = RunOptions()

    def set(self, reason: Reason) -> None:
        """Ends the waiting; or the network's run, after the layer that it is at."""
        self.reason = self.reason or reason
        self._run_options.terminate = True
        if not self.begun:
            self._cancel_waiting()

    def begin(self) -> None:
        """Says that the work begins.

        Raises:
            StoppedError: nobody waits for it any more.
        """
        self.begun = True
        self.check()

    def check(self) -> None:
        """Goes on only if somebody waits for the result.

        Raises:
            StoppedError: nobody does.
        """
        if self.reason:
            raise StoppedError

    def run(self, network: Callable[[RunOptions], _Result]) -> _Result:
        """Returns what the network gives, if somebody waits for it until the end.

        Raises:
            StoppedError: nobody does.
        """
        self.check()
        try:
            return network(self._run_options)
        except Exception:
            self.check()  # a run that was ended raises, too
            raise
