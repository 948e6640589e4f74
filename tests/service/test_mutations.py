"""Wrong requests by the thousand: each is answered, none of them harms the others."""

from pathlib import Path

from reliability.mutations import FLAGS, send_mutations
from reliability.server import Target


def test_wrong_requests_are_answered_and_harm_nobody(
    launch, repository: Path, tmp_path: Path
) -> None:  # fmt: skip
    """No 500, no plain text, no silence; right requests in between get the right answer."""
    process = launch("serve", repository=repository, data=tmp_path / "data", **FLAGS)
    outcome = send_mutations(Target(process.port, process.process.pid), range(3000))
    assert [breach.what for breach in outcome.breaches] == []
    assert outcome.right == 30
    assert "Traceback" not in process.log.read_text()
