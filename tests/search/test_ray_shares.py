"""How the GPUs of a cluster are shared among workers; no cluster is needed for that."""

from typing import Any

from reeltune.search.engines.ray import shares_in


def test_each_worker_has_a_cpu_and_its_share_of_the_graphics_of_a_node() -> None:
    def node(alive: bool, **resources: float) -> dict[str, Any]:
        return {"Alive": alive, "Resources": resources}

    nodes = [node(True, CPU=3.0, GPU=1.0), node(True, CPU=2.0), node(False, CPU=8.0, GPU=8.0)]
    assert shares_in(nodes) == [0.0, 0.0, 0.33, 0.33, 0.33]
    assert shares_in([node(True, CPU=1.0, GPU=4.0), node(True, memory=1.0)]) == [1.0]
