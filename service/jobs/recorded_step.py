"""Steps of a workflow, recorded as plain values.

DBOS pickles what a step returns or raises, with the names of its classes. A release that renames a
class could not read that record, and the job would be lost. Here a record consists of dictionaries,
lists, texts and numbers only.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from dbos import DBOS
from pydantic import TypeAdapter

from ecm_client.schemas import Problem
from model.errors import LocalizerError
from service.errors import ServiceError, problem_of

Outcome = TypeVar("Outcome")


class StepFailedError(Exception):
    """A step failed, and another attempt would fail again."""

    def __init__(self, problem: Problem) -> None:
        """Takes the problem that the client gets."""
        super().__init__(problem.detail)
        self.problem = problem


def run_step(
    name: str, kind: TypeAdapter[Outcome], step: Callable[..., Outcome], *arguments: object
) -> Outcome:
    """Runs a step and records its outcome; after a crash, returns the recorded outcome.

    Args:
        name: name of the step in the database.
        kind: type of the outcome.
        step: does the work.
        *arguments: arguments of `step`.

    Raises:
        StepFailedError: the step raised a ServiceError, LocalizerError or OSError.
    """

    def recorded() -> dict[str, Any]:
        try:
            return {"outcome": kind.dump_python(step(*arguments), mode="json")}
        except (ServiceError, LocalizerError, OSError) as error:
            return {"problem": problem_of(error).model_dump(mode="json")}

    record = DBOS.run_step({"name": name}, recorded)
    if "problem" in record:
        raise StepFailedError(Problem.model_validate(record["problem"]))
    return kind.validate_python(record["outcome"])
