"""Steps: gradients of chunks are those of the batch, sums are weighted, shares are parts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_run import Footage, batch_of, prompted, unfrozen
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.models import clip, vop
from reeltune.models._contrast import batch_losses, contrastive
from reeltune.runs.step import step_of
from reeltune.training.settings import Settings
from reeltune.training.step import Contrast, Step, Sum, chunks, names_of_losses
from reeltune.types import Batch, Tokens

Gradients = dict[str, Tensor]


@pytest.fixture(scope="module")
def batch(footage: Footage) -> Batch:
    return batch_of(footage, 10, prompted())


def gradients(model: nn.Module, step: Step, batch: Batch, share: float = 1.0) -> Gradients:
    model.zero_grad(set_to_none=True)
    step(batch, share)
    return {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


def assert_equal(got: Gradients, wanted: Gradients, tolerance: float = 1e-5) -> None:
    """Within a part of the largest gradient of each weight; some are zero but for rounding."""
    assert got.keys() == wanted.keys()
    least = 1e-2 * max(float(gradient.abs().max()) for gradient in wanted.values())
    for name, gradient in wanted.items():
        scale = max(float(gradient.abs().max()), least)
        torch.testing.assert_close(
            got[name], gradient, rtol=0, atol=tolerance * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


class Rough(nn.Module):
    """A dual encoder in float64 with dropout, on tokens and on the mean colours of frames."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.text = nn.Embedding(600, 8, dtype=torch.float64)
        self.video = nn.Linear(3, 8, dtype=torch.float64)
        self.logit_scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.dropout = nn.Dropout(dropout)

    def encode_text(self, tokens: Tokens) -> Tensor:
        read = (self.text(tokens.ids) * tokens.mask[..., None]).mean(dim=1)
        return nn.functional.normalize(self.dropout(read), dim=-1)

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor:
        colours = frames.double().mean(dim=(1, 3, 4)) / 255
        return nn.functional.normalize(self.dropout(self.video(colours)).tanh(), dim=-1)

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        return text @ video.T

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]:
        return contrastive(self, text, video, group)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return batch_losses(self, batch)


class Spread(Rough):
    """The model with a further loss of its vectors."""

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]:
        apart = (video @ video.T).mean()
        return super().vector_losses(text, video, group) | {"spread": apart}


class Counting(Rough):
    """The model with a further loss that does not come from vectors, and that needs a target."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        guess = self.video(batch.frames.double().mean(dim=(1, 3, 4)) / 255).sum(dim=1)
        return super().losses(batch) | {"count": (guess - batch.targets["count"]).square().mean()}


class Forgetful(Rough):
    """One whose `vector_losses` forgets what its `losses` names."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return super().losses(batch) | {"decay": self.video.weight.square().sum()}

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]:
        return contrastive(self, text, video, group)


def without_text() -> vop.Vop:
    """Prompts in the video tower alone: texts have no gradient at all."""
    torch.manual_seed(5)
    parts = (vop.Generic(length=2),)
    config = vop.Config(base=None, architecture=clip.Config.tiny(), prompts=parts, frames=3)
    return config.build()


@pytest.mark.parametrize("size", [1, 3, 5, 9, 64])
@pytest.mark.parametrize("make", [prompted, unfrozen, without_text])
def test_gradients_of_chunks_are_those_of_the_batch(
    make: Callable[[], Any], size: int, batch: Batch
) -> None:
    model = make()
    whole = gradients(model, Contrast(model), batch)
    assert whole.keys() == {n for n, w in model.named_parameters() if w.requires_grad}
    assert_equal(gradients(model, Contrast(model, chunk=size), batch), whole)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_both_passes_over_a_chunk_draw_the_same_dropout(size: int, batch: Batch) -> None:
    """The whole batch in one graph, encoded chunk by chunk, is what chunks must equal."""
    model = Rough(0.4)
    torch.manual_seed(1)
    got = gradients(model, Contrast(model, chunk=size), batch)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    wanted = gradients(model, InOneGraph(model, size), batch)
    assert_equal(got, wanted, tolerance=2e-6)
    assert torch.equal(torch.get_rng_state(), after), "a step draws more than one pass does"
    torch.manual_seed(2)
    other = gradients(model, Contrast(model, chunk=size), batch)
    assert not torch.allclose(other["video.weight"], got["video.weight"]), "nothing was dropped"


class InOneGraph(Contrast):
    """What GradCache saves: all activations of all chunks at once."""

    def __init__(self, model: Any, size: int) -> None:
        super().__init__(model)
        self._size = size

    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        parts = [Contrast._encode(self, some) for some in chunks(batch, self._size)]
        text, video = (torch.cat(part) for part in zip(*parts, strict=True))
        return text, video


def test_the_loss_of_chunks_is_that_of_the_batch(batch: Batch) -> None:
    model = prompted()
    facts = Contrast(model)(batch)
    assert Contrast(model, chunk=3)(batch) == pytest.approx(facts, rel=1e-6)
    assert facts.keys() == {"loss", "contrastive"}
    assert facts["loss"] == pytest.approx(
        float(model.losses(batch)["contrastive"].detach()), rel=1e-6
    )


@pytest.mark.parametrize("chunk", [None, 4])
def test_a_share_is_a_part_of_the_gradient_and_not_of_the_loss(
    chunk: int | None, batch: Batch
) -> None:
    model = unfrozen()
    step = Contrast(model, chunk=chunk)
    whole = gradients(model, step, batch)
    third = gradients(model, step, batch, share=1 / 3)
    assert_equal({name: 3 * g for name, g in third.items()}, whole)
    assert step(batch, 1 / 3)["loss"] == pytest.approx(step(batch)["loss"])


def test_steps_add_to_the_gradients_that_are_there(batch: Batch) -> None:
    model = prompted()
    once = gradients(model, Contrast(model), batch)
    Contrast(model, chunk=3)(batch)
    twice = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
    assert_equal(twice, {name: 2 * g for name, g in once.items()})


def test_bf16_gives_nearly_the_gradient_of_fp32(batch: Batch) -> None:
    model = prompted()
    exact = gradients(model, Contrast(model), batch)
    rough = gradients(model, Contrast(model, "bf16", chunk=4), batch)
    for name, gradient in exact.items():
        if gradient.norm() > 1e-4:
            cosine = torch.cosine_similarity(rough[name].flatten(), gradient.flatten(), dim=0)
            assert cosine > 0.9, name
            assert rough[name].dtype == torch.float32


@pytest.fixture
def counted(batch: Batch) -> Batch:
    return replace(batch, targets={"count": torch.arange(len(batch.video)).double()})


@pytest.mark.parametrize("chunk", [None, 4])
def test_a_further_loss_of_vectors_is_trained_beside_the_contrast(
    chunk: int | None, batch: Batch
) -> None:
    model = Spread(0.0)
    got = gradients(model, Contrast(model, chunk=chunk), batch)
    assert_equal(got, gradients(model, Sum(model), batch))
    assert Contrast(model, chunk=chunk)(batch).keys() == {"loss", "contrastive", "spread"}


def test_a_model_with_a_further_loss_that_vectors_do_not_know_is_summed(counted: Batch) -> None:
    model = Counting(0.0)
    step = step_of(model, Settings())
    assert isinstance(step, Sum)
    assert step(counted).keys() == {"loss", "contrastive", "count"}
    message = r"Counting has losses that need more than its vectors, .*; give it vector_losses"
    with pytest.raises(ConfigError, match=message):
        Contrast(model)


@pytest.mark.parametrize("chunk", [None, 4])
def test_losses_that_vector_losses_forgets_are_named(chunk: int | None, batch: Batch) -> None:
    model = Forgetful(0.0)
    message = (
        r"losses of Forgetful names contrastive, decay, and its vector_losses contrastive; return "
        r"the same from both, or train it by Sum"
    )
    with pytest.raises(ConfigError, match=message):
        Contrast(model, chunk=chunk)(batch)


def test_asking_for_the_names_of_losses_leaves_no_trace(batch: Batch) -> None:
    model = nn.Sequential(Rough(0.5), nn.BatchNorm1d(8).double().eval()).train()
    model[1].eval()
    rough = model[0]
    model.losses = lambda some: {"sum": model[1](rough.encode_video(some.frames, some.mask)).sum()}
    before, draws = model.state_dict(), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in before.items()}
    assert names_of_losses(model, batch) == {"sum"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), draws)
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


@pytest.mark.parametrize("make", [prompted, unfrozen])
def test_a_sum_in_bf16_has_nearly_the_gradient_of_fp32(
    make: Callable[[], Any], batch: Batch
) -> None:
    model = make()
    exact = gradients(model, Sum(model), batch)
    rough = gradients(model, Sum(model, precision="bf16"), batch)
    same = gradients(model, Contrast(model, "bf16"), batch)
    assert_equal(rough, same)
    assert any(not torch.equal(gradient, exact[name]) for name, gradient in rough.items())


def returning(found: Any) -> Any:
    model = Named()
    model.losses = lambda batch: found
    return model


WRONG: list[tuple[Any, str]] = [
    ([torch.ones(())], r"losses of Named returned a list; return a dict of one or more scalar"),
    ({}, r"losses of Named returned an empty dict; return a dict"),
    (
        torch.ones(()),
        r"losses of Named returned a torch\.float32 tensor of shape \(\); return a dict",
    ),
    (
        {"a": torch.ones(3)},
        r"the loss a of Named is a torch\.float32 tensor of shape \(3,\); return a",
    ),
    ({"a": torch.ones((), dtype=torch.long)}, r"the loss a of Named is a torch\.int64 tensor"),
    ({"a": 0.5}, r"the loss a of Named is a float; return a tensor of floats and of no dimension"),
    ({"loss": torch.ones(())}, r"Named calls a loss 'loss'; call it by a text other than .*lr"),
    ({1: torch.ones(())}, r"Named calls a loss 1; call it by a text"),
]


@pytest.mark.parametrize(("found", "message"), WRONG)
def test_losses_that_cannot_be_trained_are_named(found: Any, message: str, batch: Batch) -> None:
    with pytest.raises(ConfigError, match=message):
        Sum(returning(found))(batch)


def test_a_model_without_losses_and_weights_for_none_are_named(named: Any, batch: Batch) -> None:
    with pytest.raises(ConfigError, match=r"Linear has no method losses; give it losses\(batch\)"):
        Sum(nn.Linear(1, 1))(batch)
    message = r"weights are given for produkt, and the losses of the model are sum, product; name"
    with pytest.raises(ConfigError, match=message):
        Sum(named, {"produkt": 0.5})(batch)


class Named(nn.Module):
    """Two losses by name."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0]))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"sum": self.weight.sum(), "product": self.weight.prod()}


@pytest.fixture
def named() -> Named:
    return Named()


def test_a_sum_counts_each_loss_with_its_weight(named: Named, batch: Batch) -> None:
    facts = Sum(named, {"product": 0.5})(batch)
    assert facts == {"loss": 4.0, "sum": 3.0, "product": 2.0}  # 3 + 0.5 * 2
    assert named.weight.grad is not None
    assert named.weight.grad.tolist() == [1 + 0.5 * 2, 1 + 0.5 * 1]


def test_a_sum_without_weights_counts_each_loss_once_and_takes_its_share(
    named: Named, batch: Batch
) -> None:
    assert Sum(named)(batch, 0.25)["loss"] == 5.0
    assert named.weight.grad is not None
    assert named.weight.grad.tolist() == [0.75, 0.5]


def test_a_sum_has_the_gradient_of_a_contrast(batch: Batch) -> None:
    model = unfrozen()
    assert_equal(gradients(model, Sum(model), batch), gradients(model, Contrast(model), batch))


def test_chunks_are_the_batch_in_parts(batch: Batch) -> None:
    parts = list(chunks(batch, 4))
    assert [len(part.video) for part in parts] == [4, 4, 2]
    assert torch.equal(torch.cat([part.frames for part in parts]), batch.frames)
    assert torch.equal(torch.cat([part.mask for part in parts]), batch.mask)
    assert torch.equal(torch.cat([part.tokens.ids for part in parts]), batch.tokens.ids)
    assert torch.equal(torch.cat([part.tokens.mask for part in parts]), batch.tokens.mask)
    assert torch.equal(torch.cat([part.video for part in parts]), batch.video)
