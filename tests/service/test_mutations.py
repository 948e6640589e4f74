"""Thousands of malformed requests: each gets a response, and none affects another request."""

from pathlib import Path

from reliability.mutations import FLAGS, send_mutations
from reliability.server import Target


def test_malformed_requests_get_responses_and_affect_no_others(
    launch, repository: Path, tmp_path: Path
) -> None:  # fmt: skip
    """There is no status 500 and no silence; valid requests in between get correct responses."""
    process = launch("serve", repository=repository, data=tmp_path / "data", **FLAGS)
    outcome = send_mutations(Target(process.port, process.process.pid), range(3000))
    assert [breach.what for breach in outcome.breaches] == []
    assert outcome.right == 30
    assert "Traceback" not in process.log.read_text()
