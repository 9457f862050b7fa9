"""Learning rates that follow validation: traces of the released codes, and the loop under them."""

from collections.abc import Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path

import pytest
import torch
from small_run import Footage, Small, prompted

from reeltune.batches.loader import FrameReader
from reeltune.training.checkpoint import Place
from reeltune.training.log import read_log
from reeltune.training.loop import train
from reeltune.training.schedule import Rule, Score, Trend, after_epoch, is_better


def rates(rule: Rule, improved: str, lr: float = 1e-4) -> tuple[list[float], list[int]]:
    """The rate after each epoch of `improved` ("I" or "n"), and where weights were reloaded."""
    trend, found, reloads = Trend(), [], []
    for number, sign in enumerate(improved):
        if after_epoch(rule, trend, sign == "I"):
            reloads.append(number)
        found.append(lr * trend.factor)
    return found, reloads


def test_the_official_rate_after_19_epochs_and_4_halvings_is_that_of_a_public_log() -> None:
    found, _ = rates("halve", "I" * 6 + "nnn" * 4 + "I")
    assert found[-1] == pytest.approx(5.163553898972419e-06, rel=1e-12)


def test_the_official_rate_halves_at_the_first_bad_epoch_and_every_third_after() -> None:
    found, reloads = rates("halve", "IIIII" + "nnnnnnnnn")
    halved = [i for i in range(1, 14) if found[i] < 0.6 * found[i - 1]]
    assert [i - 4 for i in halved] == [1, 4, 7]
    assert found[4] == pytest.approx(9.5e-5, rel=1e-2)
    assert found[5] == pytest.approx(4.7e-5, rel=1e-2)
    assert reloads == []


@pytest.mark.parametrize("rule", ["patient", "reload"])
def test_the_later_rate_halves_after_three_bad_epochs_in_a_row(rule: Rule) -> None:
    found, reloads = rates(rule, "IIIII" + "nnnnnnnnn")
    halved = [i for i in range(1, 14) if found[i] < 0.6 * found[i - 1]]
    assert [i - 4 for i in halved] == [3, 6, 9]
    assert [found[i] for i in halved] == pytest.approx([4.75e-5, 2.4e-5, 1.2e-5], rel=2e-2)
    assert reloads == (halved if rule == "reload" else [])
    assert rates(rule, "InnInn")[1] == [], "bad epochs that are not in a row were counted"


@pytest.mark.parametrize("rule", ["cosine", "linear"])
def test_a_cosine_and_a_line_look_at_no_figure(rule: Rule) -> None:
    assert rates(rule, "Innnnnn", 1.0) == ([1.0] * 7, [])


def test_an_equal_figure_is_better_only_where_the_rule_says_so() -> None:
    rules: tuple[Rule, ...] = ("cosine", "linear", "halve", "patient", "reload")
    one = Score(1.0, 0.5)
    assert [is_better(rule, one, one) for rule in rules] == [False] * 3 + [True] * 2
    for rule in rules:
        assert is_better(rule, Score(1.1, 0.0), one)
        assert not is_better(rule, Score(0.9, 9.0), one)


def test_of_equal_figures_the_larger_margin_is_better_where_no_released_rule_says_otherwise() -> (
    None
):
    rules: tuple[Rule, ...] = ("cosine", "linear", "halve")
    later, best = Score(600.0, 0.3), Score(600.0, 0.2)
    assert [is_better(rule, later, best) for rule in rules] == [True, True, False]
    assert not any(is_better(rule, best, later) for rule in rules)


class Watching:
    """Given figures, and the weights at each of them."""

    def __init__(self, model: torch.nn.Module, figures: Sequence[float]) -> None:
        self.model, self.figures, self.seen = model, list(figures), list[list[torch.Tensor]]()

    def __call__(self) -> dict[str, float]:
        self.seen.append([w.detach().clone() for w in self.model.parameters() if w.requires_grad])
        return {"SumR": self.figures[len(self.seen) - 1]}


def apart(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> float:
    return sum(float((a - b).norm()) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("rule", ["patient", "reload"])
def test_the_loop_goes_on_from_the_best_weights_where_the_rule_says_so(
    rule: Rule, reader: FrameReader, footage: Footage, tmp_path: Path
) -> None:
    """Epoch 1 is the best, and the rate is halved after epoch 4, the third bad one."""
    model = prompted()
    validate = Watching(model, [2.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    settings = {"epochs": 6, "schedule": rule, "lr": 0.1}
    train(Small(model, settings, {"validate": validate}).run(reader, footage.pairs(), tmp_path))
    rate = [line["lr"] for line in read_log(tmp_path) if line["kind"] == "step"]
    assert [rate[0], rate[-1]] == pytest.approx([0.1, 0.1 * 0.99**2 / 2])
    went_on, best, halved = (validate.seen[epoch] for epoch in (5, 1, 4))
    assert (apart(went_on, best) < apart(went_on, halved)) == (rule == "reload")


def test_a_place_keeps_its_trend() -> None:
    place = Place("x", best=Score(3.5, 0.25), trend=Trend(0.5, 2, 1))
    assert Place.read(dumps(asdict(place))) == place
