"""Two real processes on one batch give the gradients, and the weights, of one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from shares import CASES, MELTED, double, gradients, hypergradients, recent
from shares import MODELS as SHARED
from small_run import Footage, batch_of, unfrozen
from two_processes import BATCH, CHUNKS, MODELS, weighed
from weighed_losses import ALL

from reeltune.errors import ConfigError
from reeltune.ranks.ranks import ALONE, everyone
from reeltune.training import distributed
from reeltune.training.checkpoint import STATE
from reeltune.training.log import read_log
from reeltune.training.shards import shard
from reeltune.training.step import Contrast
from torchrun import torchrun

SCRIPT = Path(__file__).with_name("two_processes.py")
Found = list[dict[str, Any]]


def in_double(find: Callable[..., dict[str, Any]], *what: Any) -> dict[str, Any]:
    """What one process finds."""
    with double():
        return find(ALONE, *what)


@pytest.fixture(scope="module")
def late() -> dict[str, Any]:
    """What one process keeps of the last batches."""
    return in_double(recent)


@pytest.fixture(scope="module")
def out(footage: Footage, late: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes wrote."""
    folder = tmp_path_factory.mktemp("processes")
    torch.save(late["state"], folder / "state.pt")
    arguments = [str(SCRIPT), str(footage.toybox), str(footage.cache), str(folder)]
    done = torchrun(arguments, paths=[SCRIPT.parents[1]])
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def ranks(out: Path) -> Found:
    return [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def test_there_were_two(ranks: Found) -> None:
    assert [found["world"] for found in ranks] == [2, 2]


@pytest.mark.parametrize("way", CHUNKS)
@pytest.mark.parametrize("kind", MODELS)
def test_gradients_of_two_processes_are_those_of_one(
    kind: str, way: str, ranks: Found, footage: Footage
) -> None:
    """Every trainable weight, the temperature of `full` too; not half of it, nor twice."""
    model: Any = MODELS[kind]()
    Contrast(model)(batch_of(footage, BATCH, model))
    wanted = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
    assert wanted.keys() == {n for n, w in model.named_parameters() if w.requires_grad}
    assert ("clip.towers.logit_scale" in wanted) == (kind == "full")
    least = 1e-2 * max(float(gradient.abs().max()) for gradient in wanted.values())
    for found in ranks:
        got = found["gradients"][f"{kind} {way}"]
        assert got.keys() == wanted.keys()
        for name, gradient in wanted.items():
            atol = 1e-5 * max(float(gradient.abs().max()), least)
            torch.testing.assert_close(got[name], gradient, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ALL)
def test_two_processes_weigh_the_losses_of_the_whole_batch(name: str, ranks: Found) -> None:
    assert torch.equal(*(found["weighed"][name]["slopes"] for found in ranks))
    alone = weighed(0, 1)[name]
    for key, wanted in alone.items():
        torch.testing.assert_close(
            ranks[0]["weighed"][name][key], wanted, rtol=1e-3, atol=1e-5, msg=key
        )


def test_gather_has_the_gradient_of_finite_differences(ranks: Found) -> None:
    for found in ranks:
        torch.testing.assert_close(
            found["gather"]["got"], found["gather"]["wanted"], atol=1e-7, rtol=0
        )


def test_gather_leaves_a_gradient_alone_that_others_hold(ranks: Found) -> None:
    """Each of two ranks asks 1 of each row."""
    for found in ranks:
        assert (found["shared"] == 2).all()


def test_gather_keeps_the_order_of_ranks(ranks: Found) -> None:
    for found in ranks:
        assert found["gathered"]["rows"][:, 0].tolist() == [0, 0, 1, 1]
        assert found["gathered"]["ids"].tolist() == [0, 1, 10, 11]


def test_a_weight_that_one_rank_does_not_reach_counts_there_as_zero(ranks: Found) -> None:
    for found in ranks:
        assert found["unreached"].tolist() == [1, 2, 3]


def test_all_weights_are_the_same_after_a_run_that_began_with_different_ones(ranks: Found) -> None:
    first, second = (found["trained"] for found in ranks)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_only_the_first_process_writes(out: Path) -> None:
    assert {path.name for path in (out / "run").iterdir()} == {"log.jsonl", "state.safetensors"}
    assert [line["step"] for line in read_log(out / "run") if line["kind"] == "step"] == [1, 2, 3]


def test_one_process_alone_gathers_and_averages_nothing() -> None:
    rows = torch.ones(2, 3, requires_grad=True)
    assert distributed.start() == ALONE == everyone()
    assert everyone().gather(rows) is rows
    assert everyone().mean(rows) is rows
    distributed.average_gradients([rows])
    assert rows.grad is None


@pytest.mark.parametrize("name", SHARED)
def test_losses_and_gradients_are_those_of_the_whole_batch(name: str, ranks: Found) -> None:
    """InfoNCE with its temperature, hardest negatives, concepts, words and frames that differ in
    number from process to process, answers some of which nobody knows, batch norms."""
    wanted = in_double(gradients, name)
    tolerance = 1e-10
    for found in (rank["shares"]["gradients"][name] for rank in ranks):
        assert found["losses"] == pytest.approx(wanted["losses"], rel=tolerance)
        for part in ("gradients", "statistics"):
            assert found[part].keys() == wanted[part].keys()
            size = max((float(one.abs().max()) for one in wanted[part].values()), default=0.0)
            for key, one in wanted[part].items():
                torch.testing.assert_close(
                    found[part][key], one, rtol=0, atol=tolerance * size, msg=key
                )


@pytest.mark.parametrize(
    ("name", "scheme", "way"), [*CASES, *((n, "multi-task", "exact") for n in MELTED)]
)
def test_hypergradients_are_those_of_the_whole_batches(
    name: str, scheme: str, way: str, ranks: Found, melted: dict[str, Any]
) -> None:
    """The losses of a batch compare rows of both processes, and the batch that judges is shared as
    well; differences move the weights of both alike."""
    key = f"{scheme} {way}"
    wanted = melted[name][key]
    tolerance = 1e-10 if way == "exact" else 1e-5
    for found in ranks:
        got = found["shares"]["hypergradients"][name][key]
        assert float(wanted.abs().max()) > 0
        torch.testing.assert_close(
            got, wanted, rtol=0, atol=tolerance * max(1.0, float(wanted.abs().max()))
        )
    assert torch.equal(*(found["shares"]["hypergradients"][name][key] for found in ranks))


@pytest.fixture(scope="module")
def melted() -> dict[str, Any]:
    return {name: in_double(hypergradients, name) for name in MELTED}


def test_processes_judge_by_parts_of_the_same_late_batch(
    ranks: Found, late: dict[str, Any]
) -> None:
    """Each draws by a generator of its own, and all take what the first has drawn."""
    whole = torch.cat([found["shares"]["recent"]["drawn"] for found in ranks], dim=1)
    assert torch.equal(whole, late["drawn"])


def test_late_batches_are_whole_in_a_state_and_shared_again_after_it(
    ranks: Found, late: dict[str, Any]
) -> None:
    for found in ranks:
        assert found["shares"]["recent"]["state"].keys() == late["state"].keys()
        for name, tensor in late["state"].items():
            assert torch.equal(found["shares"]["recent"]["state"][name], tensor), name
            assert torch.equal(found["shares"]["resumed"]["state"][name], tensor), name
    whole = torch.cat([found["shares"]["resumed"]["drawn"] for found in ranks], dim=1)
    assert torch.equal(whole, late["drawn"])


def test_a_process_that_ends_and_a_signal_of_torchrun_end_the_others(ranks: Found) -> None:
    assert ranks[0]["ended"] == [distributed.ENDED] * 2


def test_layers_that_are_shared_out_have_the_gradients_of_whole_ones(ranks: Found) -> None:
    for found in ranks:
        got, wanted = found["shared out"], found["gradients"]["full plain"]
        assert 0 < got["parts"] < len(wanted)
        assert got["gradients"].keys() == wanted.keys()
        for name, gradient in wanted.items():
            size = max(float(gradient.abs().max()), 1e-3)
            torch.testing.assert_close(
                got["gradients"][name], gradient, rtol=0, atol=1e-5 * size, msg=name
            )
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in wanted.values()]))
        torch.testing.assert_close(got["norm"], norm)


def test_a_run_that_shares_layers_out_ends_as_one_that_does_not(ranks: Found, out: Path) -> None:
    """With whole weights in every process and in the state, from which another run goes on."""
    for found in ranks:
        runs = found["shared out"]["runs"]
        assert found["shared out"]["resumed"] == 3
        for name, weight in runs[False].items():
            torch.testing.assert_close(runs[True][name], weight, rtol=0, atol=2e-4, msg=name)
            for shares in (False, True):
                assert torch.equal(runs[f"{shares} again"][name], runs[shares][name]), name
    states = [load_file(out / f"shard{shares}" / STATE) for shares in (0, 1)]
    assert {n: t.shape for n, t in states[0].items()} == {n: t.shape for n, t in states[1].items()}


def test_sharing_out_is_refused_where_there_is_nothing_to_share() -> None:
    with pytest.raises(ConfigError, match="among processes, and there is one; start several"):
        shard(unfrozen())
