"""Slow, rude and vanished clients, with real sockets: the others are served, nothing is left."""

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
"""How many are played; 2 of the others."""


@pytest.fixture(scope="module")
def target(launch_for_module, exported: bytes, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A server process."""
    folder = tmp_path_factory.mktemp("connections")
    publish(folder / "models", "small", lambda path: path.write_bytes(exported))
    process = launch_for_module(
        "serve", repository=folder / "models", data=folder / "data", **FLAGS
    )
    return Target(process.port, process.process.pid)


@pytest.mark.parametrize("name", SCENARIOS)
def test_rude_clients_harm_nobody(name: str, target: Target) -> None:
    """A witness is served right meanwhile; files, threads and memory come back afterwards."""
    seen = play(target, SCENARIOS[name], clients=CLIENTS.get(name, 2), duration_s=1.5)
    assert seen.answers > 0
