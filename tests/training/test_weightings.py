"""Each weighting against its paper's equation, a slow version, or where it comes to rest."""

import math
from itertools import pairwise, product

import pytest
import torch
from torch import Tensor
from weighed_losses import at, plain, weighting

from reeltune.errors import ConfigError
from reeltune.training.weighting import AtStep, Weighting


def slopes(of: Weighting, step: AtStep) -> list[float]:
    return of.weigh(step).slopes.tolist()


def rest(of: Weighting, step: AtStep, steps: int = 600) -> list[float]:
    """The slopes when nothing changes any more."""
    for _ in range(steps):
        of.weigh(step)
        of.updated(lambda: step.values)
    return slopes(of, step)


def test_uncertainties_come_to_rest_at_the_logarithms_of_the_losses() -> None:
    found = weighting("uncertainty", lr=0.05)
    assert slopes(found, plain(4.0, 1.0, 0.5)) == pytest.approx([0.5, 0.5, 0.5])
    assert rest(found, plain(4.0, 1.0, 0.5)) == pytest.approx([0.125, 0.5, 1.0], rel=1e-3)


def test_scales_of_imtl_l_come_to_rest_where_all_losses_count_alike() -> None:
    found = weighting("imtl-l", lr=0.05)
    assert slopes(found, plain(4.0, 1.0, 0.5)) == pytest.approx([1, 1, 1])
    assert rest(found, plain(4.0, 1.0, 0.5)) == pytest.approx([0.25, 1.0, 2.0], rel=1e-3)


def test_dwa_weighs_by_how_slowly_a_loss_fell_from_epoch_to_epoch() -> None:
    found = weighting("dwa", temperature=2.0)
    for epoch in ([(4.0, 2.0, 1.0), (2.0, 2.0, 1.0)], [(1.5, 1.0, 1.0)]):
        for losses in epoch:
            assert slopes(found, plain(*losses)) == [1, 1, 1]
        found.end_epoch()
    falls = [math.exp(r / 2) for r in (1.5 / 3, 1.0 / 2, 1.0)]
    wanted = [3 * fall / sum(falls) for fall in falls]
    assert slopes(found, plain(9.0, 9.0, 9.0)) == pytest.approx(wanted)


def test_famo_does_what_its_paper_writes() -> None:
    """Algorithm 1 with an Adam, step by step."""
    path = [(2.0, 1.0, 0.5), (1.5, 0.9, 0.5), (1.1, 0.9, 0.2), (1.0, 0.5, 0.1)]
    found, w = weighting("famo", lr=0.1), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([w], 0.1, weight_decay=1e-3)
    for before, after in pairwise(path):
        z = w.detach().softmax(0)
        scale = 1 / sum(z[i] / before[i] for i in range(3))
        wanted = [float(scale * z[i] / before[i]) for i in range(3)]
        assert slopes(found, plain(*before)) == pytest.approx(wanted, rel=1e-6)
        assert sum(wanted) == pytest.approx(1)
        later = torch.tensor(after, dtype=torch.float64)
        found.updated(lambda later=later: later)  # type: ignore[misc]
        fell = torch.tensor(before).double().log() - later.log()
        w.grad = z * (fell - z @ fell)  # the derivative of the softmax, applied
        adam.step()


def test_stch_trains_the_largest_loss_most() -> None:
    losses, mu = (2.0, 1.0, 0.5), 0.1
    powers = [math.exp(one / 3 / mu) for one in losses]
    found = weighting("stch", mu=mu).weigh(plain(*losses))
    assert found.value.item() == pytest.approx(mu * math.log(sum(powers)))
    assert found.slopes.tolist() == pytest.approx([p / sum(powers) / 3 for p in powers])


def test_random_weights_are_the_softmax_of_numbers_that_are_drawn_anew() -> None:
    found, step = weighting("random-weights"), plain(1.0, 2.0, 3.0)
    torch.manual_seed(3)
    drawn = [torch.randn(3, dtype=torch.float64).softmax(0).tolist() for _ in range(2)]
    torch.manual_seed(3)
    assert [slopes(found, step) for _ in range(2)] == [pytest.approx(one) for one in drawn]


CONFLICT = [[2.0, 0.0], [-1.0, 1.0]]
AGREE = [[2.0, 0.0], [1.0, 1.0]]


def trained(name: str, rows: list[list[float]], **options: float) -> Tensor:
    """The gradient that a weighting makes of two."""
    found = slopes(weighting(name, 2, **options), at(rows, [1.0, 1.0]))
    return torch.tensor(found) @ torch.tensor(rows)


def test_pcgrad_takes_from_each_gradient_what_points_against_the_other() -> None:
    # g1 - (g1.g2 / |g2|^2) g2 = (2, 0) + (-1, 1), and g2 - (g1.g2 / |g1|^2) g1 = (-1, 1) + (1, 0)
    assert trained("pcgrad", CONFLICT).tolist() == pytest.approx([1.0, 2.0])
    assert trained("pcgrad", AGREE).tolist() == pytest.approx([3.0, 1.0])


def test_upgrad_takes_the_mean_of_gradients_that_conflict_with_none() -> None:
    assert trained("upgrad", CONFLICT).tolist() == pytest.approx([0.5, 1.0], rel=1e-3)
    assert trained("upgrad", AGREE).tolist() == pytest.approx([1.5, 0.5], rel=1e-3)


@pytest.mark.parametrize("c", [0.2, 0.5])
def test_cagrad_is_best_for_the_worst_loss_within_a_ball_around_the_mean(c: float) -> None:
    rows = torch.tensor(CONFLICT)
    mean = rows.mean(0)
    got = trained("cagrad", CONFLICT, c=c)
    radius = c * float(mean.norm())
    assert float((got - mean).norm()) == pytest.approx(radius, rel=1e-2)
    angles = torch.linspace(0, 2 * math.pi, 10_000)
    circle = mean + radius * torch.stack([angles.cos(), angles.sin()], 1)
    best = float((circle @ rows.T).amin(1).max())
    assert float((rows @ got).min()) == pytest.approx(best, rel=1e-2)


def test_gradnorm_comes_to_rest_where_gradients_are_equally_long() -> None:
    step = at([[4.0, 0.0], [0.0, 1.0], [0.6, 0.8]], [1.0, 2.0, 3.0])
    found = weighting("gradnorm", alpha=0.0, lr=0.03)
    assert slopes(found, step) == pytest.approx([1, 1, 1])
    # w_t |g_t| alike, sum 3: w = 3 (1/4, 1, 1) / 2.25
    assert rest(found, step, 400) == pytest.approx([1 / 3, 4 / 3, 4 / 3], rel=0.03)


def test_gradnorm_trains_more_what_has_been_learned_less() -> None:
    rows = [[1.0, 0.0], [0.0, 1.0]]
    found = weighting("gradnorm", 2, alpha=1.0, lr=0.03)
    found.weigh(at(rows, [2.0, 2.0]))
    # 1/4 and 3/4 are left, over their mean 0.5 and 1.5: lengths in that ratio, sum 2
    assert rest(found, at(rows, [0.5, 1.5]), 400) == pytest.approx([0.5, 1.5], rel=0.03)


def test_gradnorm_looks_at_weights_that_all_losses_reach_alone() -> None:
    shared, own = (torch.nn.Parameter(torch.ones(1).double()) for _ in range(2))
    weights, ahead = {"shared": shared, "own": own}, torch.ones(2).double()
    losses = [3 * shared.sum() + 100 * own.sum(), shared.sum()]
    found = weighting("gradnorm", 2, alpha=0.0, lr=0.03)
    assert rest(found, AtStep(losses, weights, lambda: ahead), 400) == pytest.approx(
        [0.5, 1.5], rel=0.03
    )
    apart = AtStep([shared.sum(), own.sum()], weights, lambda: ahead)
    with pytest.raises(
        ConfigError, match=r"weights that all losses reach, and this model has none"
    ):
        found.weigh(apart)


def test_aligned_weights_come_to_rest_at_the_largest_cosine_with_the_held_out_gradient() -> None:
    rows = [[2.0, 0.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, -1.0]]
    ahead = torch.tensor([1.0, 1.0, 0.5]).double()
    step = at(rows, [1.0, 1.0, 1.0], ahead.tolist())
    found = rest(weighting("aligned", lr=0.02), step)
    given = torch.tensor(rows).double()
    got = torch.tensor(found).double() @ given
    assert float(got.norm()) == pytest.approx(1)
    grid = torch.tensor([*product(torch.linspace(0, 1, 40).tolist(), repeat=3)][1:]).double()
    tried = grid @ torch.nn.functional.normalize(given, dim=1)
    best = torch.cosine_similarity(tried, ahead[None]).max()
    assert float(torch.cosine_similarity(got, ahead, dim=0)) == pytest.approx(float(best), abs=2e-3)
    assert found[2] == pytest.approx(0, abs=0.02), "it points away"


def test_a_loss_that_no_weight_reaches_has_no_weight_by_alignment() -> None:
    found = weighting("aligned").weigh(at([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], [1, 2, 3]))
    root = math.sqrt(0.5)
    assert found.slopes.tolist() == pytest.approx([root, root / 2, 0])
