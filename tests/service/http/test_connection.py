"""Slow, rude and vanished clients: other clients are served, and resources are released."""

import pytest

from model.repository import publish
from reliability.connections import FLAGS, SCENARIOS, play
from reliability.server import Target

CLIENTS = {
    "idle": 500,
    "slow_heads": 20,
    "slow_bodies": 20,
    "unread": 10,
    "resets": 60,
    "unread_pipeline": 1,
}
"""Number of clients in each scenario; 2 in all others."""


@pytest.fixture(scope="module")
def target(launch_for_module, exported: bytes, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A running server process."""
    folder = tmp_path_factory.mktemp("connections")
    publish(folder / "models", "small", lambda path: path.write_bytes(exported))
    process = launch_for_module(
        "serve", repository=folder / "models", data=folder / "data", **FLAGS
    )
    return Target(process.port, process.process.pid)


@pytest.mark.parametrize("name", SCENARIOS)
def test_rude_clients_affect_no_other_client(name: str, target: Target) -> None:
    """A witness gets correct responses, and the server releases files, threads and memory."""
    seen = play(target, SCENARIOS[name], clients=CLIENTS.get(name, 2), duration_s=1.5)
    assert seen.responses > 0
