"""Units that are gone: the small model computes what the large one does with those at zero."""

import pytest
import torch
from small_model import DIM, FILTERS, HIDDEN, Small, ids, small
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from reeltune.compress.structured import (
    Group,
    Span,
    choose,
    columns,
    gru_columns,
    gru_rows,
    importance,
    norm_rows,
    remove_units,
    rows,
    zero_units,
)
from reeltune.errors import ConfigError


def groups_of(model: Small) -> list[Group]:
    """All hidden units of the small model."""
    ways = 2 if model.gru.bidirectional else 1
    states = [
        Group(
            name=f"states {way}",
            units=HIDDEN,
            producers=gru_rows("gru", HIDDEN, reverse=way == 1),
            consumers=(
                *gru_columns("gru", reverse=way == 1),
                *columns("conv", way * HIDDEN),
                *columns("linear", way * HIDDEN),
            ),
        )
        for way in range(ways)
    ]
    filters = Group(
        name="filters",
        units=FILTERS,
        producers=rows("conv"),
        consumers=columns("linear", ways * HIDDEN),
    )
    out = Group(name="out", units=DIM, producers=(*rows("linear"), *norm_rows("norm")))
    return [*states, filters, out]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_small_model_is_the_large_one_with_units_at_zero(
    bidirectional: bool, norm: str
) -> None:
    model = small(bidirectional=bidirectional)
    groups = groups_of(model)
    kept = choose(model, groups, 0.5, norm)
    little = remove_units(model, groups, kept)
    zero_units(model, groups, kept)
    full, cut = model(ids()), little(ids())
    assert cut.shape == (4, len(kept["out"]))
    torch.testing.assert_close(cut, full[:, kept["out"]], atol=1e-6, rtol=1e-6)
    others = torch.ones(DIM, dtype=torch.bool)
    others[kept["out"]] = False
    assert (full[:, others] == 0).all()


def test_it_is_really_smaller_and_says_so() -> None:
    model = small()
    groups = groups_of(model)
    little = remove_units(model, groups, choose(model, groups, 0.5))
    ways = 2 * HIDDEN // 2
    assert (little.gru.hidden_size, little.conv.in_channels) == (HIDDEN // 2, ways)
    assert little.conv.weight.shape == (3, ways, 3), "of 5 filters, round(2.5) = 2 go"
    assert (little.conv.out_channels, little.linear.in_features) == (3, ways + 3)
    assert little.norm.num_features == little.linear.out_features == len(little.norm.running_var)
    counts = [sum(w.numel() for w in m.parameters()) for m in (model, little)]
    assert counts[1] < 0.62 * counts[0]
    assert model.gru.hidden_size == HIDDEN, "the model that was given is as it was"
    fresh = nn.GRU(6, HIDDEN // 2, batch_first=True, bidirectional=True)
    fresh.load_state_dict(little.gru.state_dict())
    table = little.table(ids())
    assert torch.equal(fresh(table)[0], little.gru(table)[0])


def test_the_small_model_trains_and_reads_packed_sequences() -> None:
    model = small()
    groups = groups_of(model)
    little = remove_units(model, groups, choose(model, groups, 0.25)).train()
    little(ids()).square().sum().backward()
    assert all(weight.grad is not None for weight in little.parameters())
    packed = pack_padded_sequence(little.table(ids()), torch.tensor([9, 5, 5, 1]), True)
    assert little.gru(packed)[0].data.shape == (20, 2 * 6)


def test_units_of_least_norm_go() -> None:
    model = small()
    groups = groups_of(model)
    with torch.no_grad():
        for span in groups[0].producers:  # units 2 and 5 of the forward direction, made faint
            tensor = model.get_parameter(span.tensor)
            tensor[[span.start + 2, span.start + 5]] *= 1e-3
    kept = choose(model, groups, 0.25)
    assert kept["states 0"].tolist() == [0, 1, 3, 4, 6, 7]


def test_importance_is_the_norm_of_all_that_computes_a_unit() -> None:
    model = small()
    group = groups_of(model)[0]
    gru = model.gru
    tensors = (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0)
    for unit in range(HIDDEN):
        own = torch.cat([t[unit + g * HIDDEN].flatten() for t in tensors for g in range(3)])
        assert importance(model, group, "l2")[unit].item() == pytest.approx(own.norm().item())
        assert importance(model, group, "l1")[unit].item() == pytest.approx(own.abs().sum().item())


def test_at_least_one_unit_stays() -> None:
    model = small()
    kept = choose(model, groups_of(model), 0.99)
    assert {len(units) for units in kept.values()} == {1}


def test_spans_that_do_not_fit_are_named() -> None:
    model = small()
    kept = {"g": torch.arange(2)}
    wrong = Group(name="g", units=4, producers=(Span("conv.weight", 0, 3),))
    with pytest.raises(ConfigError, match=r"g has 4 units from 3 on along dim 0 of conv\.weight"):
        remove_units(model, [wrong], kept)
    missing = Group(name="g", units=4, producers=(Span("nothing.weight"),))
    with pytest.raises(ConfigError, match=r"g names nothing\.weight, which the model does not"):
        remove_units(model, [missing], kept)
