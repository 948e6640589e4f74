"""Stops work in a thread whose result nobody needs any more."""

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from onnxruntime import RunOptions

Reason: TypeAlias = Literal["late", "disconnected"]
"""The deadline has passed, or the client has disconnected."""
_Result = TypeVar("_Result")


class StoppedError(Exception):
    """The work was stopped. Only the caller that set the stop handles this error."""


class Stop:
    """Flag that the work of one request checks, and that its event loop sets."""

    def __init__(self, cancel_waiting: Callable[[], None] = lambda: None) -> None:
        """Starts unset, for work that has not begun.

        Args:
            cancel_waiting: cancels the wait for a slot.
        """
        self.reason: Reason | None = None
        self._cancel_waiting = cancel_waiting
        self.begun = False
        """Whether the work has begun; it then ends itself at its next check."""
        self._run_options = RunOptions()

    def set(self, reason: Reason) -> None:
        """Cancels the wait for a slot, or ends the network's run after its current layer."""
        self.reason = self.reason or reason
        self._run_options.terminate = True
        if not self.begun:
            self._cancel_waiting()

    def begin(self) -> None:
        """Marks the work as begun.

        Raises:
            StoppedError: the stop is set.
        """
        self.begun = True
        self.check()

    def check(self) -> None:
        """Checks that the stop is not set.

        Raises:
            StoppedError: the stop is set.
        """
        if self.reason:
            raise StoppedError

    def run(self, network: Callable[[RunOptions], _Result]) -> _Result:
        """Returns the output of the network, unless it is stopped.

        Raises:
            StoppedError: the stop was set before or during the run.
        """
        self.check()
        try:
            return network(self._run_options)
        except Exception:
            self.check()  # a terminated run raises as well
            raise
