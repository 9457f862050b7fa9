"""Global magnitude pruning against an obvious version, torch's own, and the published counts."""

import math

import pytest
import torch
from census_model import dual_encoding
from hypothesis import given
from hypothesis import strategies as st
from small_model import ids, small
from torch import nn
from torch.nn.utils import prune as torch_prune

from reeltune.compress.prune import Census, apply_masks, census, global_l1, planned, prunable, prune
from reeltune.errors import CheckpointError, ConfigError

GRU = {f"gru.weight_{kind}_l0{way}" for kind in ("ih", "hh") for way in ("", "_reverse")}
WEIGHTS = GRU | {"conv.weight", "linear.weight"}


def slow_masks(weights: dict[str, torch.Tensor], amount: float) -> dict[str, list[bool]]:
    """Sort (magnitude, position) and strike out the first ones."""
    flat = [(abs(v), n, i) for n, w in weights.items() for i, v in enumerate(w.flatten().tolist())]
    order = sorted(range(len(flat)), key=lambda place: (flat[place][0], place))
    gone = {flat[place][1:] for place in order[: round(amount * len(flat))]}
    return {n: [(n, i) not in gone for i in range(w.numel())] for n, w in weights.items()}


def test_what_may_be_pruned() -> None:
    model = small()
    assert set(prunable(model)) == WEIGHTS
    biases = {name.replace("weight", "bias") for name in WEIGHTS}
    assert set(prunable(model, biases=True)) == WEIGHTS | biases
    assert set(prunable(model, embeddings=True)) == WEIGHTS | {"table.weight"}


def test_norms_and_other_bare_weights_are_spared() -> None:
    model = nn.Sequential(nn.LayerNorm(4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.PReLU())
    assert set(prunable(model, biases=True, embeddings=True)) == {"2.weight", "2.bias"}


def test_a_tied_weight_is_pruned_only_if_both_its_layers_may_be() -> None:
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))
    model[1].weight = model[0].weight
    assert not prunable(model)
    assert list(prunable(model, embeddings=True)) == ["0.weight"]


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=6), min_size=1, max_size=4),
    st.floats(0, 0.99),
)
def test_masks_are_those_of_the_slow_version(rows: list[list[int]], amount: float) -> None:
    weights = {f"w{i}": torch.tensor(row, dtype=torch.float32) for i, row in enumerate(rows)}
    masks = global_l1(weights, amount)
    assert {name: mask.flatten().tolist() for name, mask in masks.items()} == slow_masks(
        weights, amount
    )


@pytest.mark.parametrize("amount", [0.2, 0.36, 0.9])
@pytest.mark.parametrize("biases", [False, True])
def test_it_agrees_with_torch(amount: float, biases: bool) -> None:
    ours, theirs = small(), small()
    masks = prune(ours, amount, biases=biases)
    pairs = [
        (theirs.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in masks
    ]
    torch_prune.global_unstructured(pairs, pruning_method=torch_prune.L1Unstructured, amount=amount)
    for (module, name), (path, mask) in zip(pairs, masks.items(), strict=True):
        assert torch.equal(getattr(module, f"{name}_mask").bool(), mask), path
    torch.testing.assert_close(ours(ids()), theirs(ids()))


def test_half_and_full_precision_are_ranked_together() -> None:
    weights = {"a": torch.tensor([1.0, 1.001]), "b": torch.tensor([1.0, 2.0]).bfloat16()}
    masks = global_l1(weights, 0.5)
    assert [mask.tolist() for mask in masks.values()] == [[False, True], [False, True]]


def test_pruning_more_keeps_what_was_pruned() -> None:
    model = small()
    first = prune(model, 0.3)
    second = prune(model, 0.6)
    for name, mask in first.items():
        assert not (second[name] & ~mask).any()
    apply_masks(dict(model.named_parameters()), first)
    assert census(model, second).zeros == round(0.6 * census(model, second).prunable)


def test_zeros_are_counted_by_masks_not_by_value() -> None:
    model = small()
    nn.init.zeros_(model.linear.bias)
    masks = prune(model, 0.25)
    found = census(model, masks)
    total = sum(weight.numel() for weight in model.parameters())
    assert (found.parameters, found.zeros) == (total, round(0.25 * found.prunable))
    assert found == planned(small(), 0.25)
    by_value = sum(int((weight == 0).sum()) for weight in model.parameters())
    assert by_value > found.zeros


@pytest.mark.parametrize(
    ("words", "directions", "amount", "biases", "prunable_count", "zeros"),
    [
        (7807, 2, 0.36, False, 65_234_944, 23_484_580),
        (7807, 2, 0.36, True, 65_254_912, 23_491_768),
        (7811, 2, 0.36, False, 65_243_136, 23_487_529),
        (7811, 1, 0.22, False, 53_446_656, 11_758_264),
        (7807, 1, 0.22, True, 53_455_360, 11_760_179),
    ],
)
def test_the_published_amounts_leave_two_thirds(
    words: int, directions: int, amount: float, biases: bool, prunable_count: int, zeros: int
) -> None:
    """Dual Encoding++ reports 0.66 of the baseline's parameters: 0.36 of two directions' weights,
    0.22 of one's."""
    with torch.device("meta"):
        found = planned(dual_encoding(words, directions), amount, biases=biases)
        baseline = dual_encoding(words, 2)
    total = sum(weight.numel() for weight in baseline.parameters())
    assert total == {7807: 69_168_604, 7811: 69_176_796}[words]
    assert (found.prunable, found.zeros) == (prunable_count, zeros)
    assert math.isclose(found.nonzeros / total, 0.66, abs_tol=0.005)


def test_census_is_in_shares() -> None:
    found = Census(parameters=200, prunable=100, zeros=50)
    assert (found.nonzeros, found.ratio) == (150, 0.75)


@pytest.mark.parametrize("amount", [-0.1, 1.0, float("nan")])
def test_an_amount_is_a_share(amount: float) -> None:
    with pytest.raises(ConfigError, match=r"amount is .*give 0 to below 1"):
        prune(small(), amount)


def test_what_cannot_be_pruned_is_said() -> None:
    with pytest.raises(ConfigError, match=r"LayerNorm has no linear.*nothing to prune"):
        prune(nn.LayerNorm(4), 0.5)
    model = small()
    with torch.no_grad():
        model.conv.weight[0, 0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"conv\.weight holds NaN"):
        prune(model, 0.5)
