"""The processes that train together, each seen alone; test_execution.py runs several of them."""

import pytest
from torch import distributed

from training.parallel import ProcessGroup


def test_one_process_computes_for_itself() -> None:
    """Without a group, there is nothing to share."""
    assert ProcessGroup().from_main(lambda: 3) == 3


@pytest.mark.parametrize(("rank", "computed"), [(0, ["here"]), (1, [])])
def test_only_rank_0_computes_what_all_processes_need(
    rank: int, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others take its value, and read no file for it."""
    done: list[str] = []

    def broadcast(carrier: list[object]) -> None:
        assert carrier == (["value"] if rank == 0 else [None])
        carrier[0] = "value"

    def compute() -> str:
        done.append("here")
        return "value"

    monkeypatch.setattr(distributed, "broadcast_object_list", broadcast)
    assert ProcessGroup(rank, size=2).from_main(compute) == "value"
    assert done == computed
