"""What a model with a `primary_loss` promises: it is the one among `losses`, without other work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reeltune.models._asking.settings import Asked
from reeltune.models.opening.material import Material
from reeltune.registry import find, names
from reeltune.types import Batch, Pair, Split

TEXTS = ("a red square", "first a golden box moves left", "two dogs")
PAIRS = tuple(
    Pair(
        video=f"v{i}",
        path=Path(f"v{i}.mp4"),
        caption=text,
        options=TEXTS,
        answer=text,
        rating=float(i),
    )
    for i, text in enumerate(TEXTS)
)
WAYS: list[tuple[str, dict[str, Any], set[str]]] = [  # a model, its settings, and what is not run
    ("univl", {"judged_by": "align"}, {"decoder", "cls", "cls_visual"}),
    ("univl", {"judged_by": "joint"}, {"decoder", "cls", "cls_visual", "cross"}),
    ("univl", {"reads": "nothing"}, {"cls", "cls_visual"}),
    ("univl", {"task": "open-ended"}, {"decoder", "cls", "cls_visual"}),
    ("violet", {}, {"fc_mtm", "fc_mvm"}),
    ("violet", {"task": "multiple-choice"}, {"fc", "fc_mtm", "fc_mvm"}),
    ("all-in-one", {"judged_by": "vtc"}, {"itm_score", "mlm_score"}),
    ("all-in-one", {"judged_by": "itm"}, {"mlm_score"}),
    ("all-in-one", {"task": "open-ended"}, {"itm_score", "mlm_score"}),
    ("alpro", {"judged_by": "vtc"}, {"itm_head", "text_encoder.cls"}),
    ("alpro", {"judged_by": "vtm"}, {"text_encoder.cls"}),
    ("alpro", {"task": "action-recognition"}, {"itm_head", "text_encoder.cls"}),
]


def started(name: str, changes: dict[str, Any]) -> tuple[Any, Batch]:
    """A model in training mode, with dropout on, and a batch of noise for it."""
    torch.manual_seed(0)
    config = find("models", name).Config.tiny()
    config = type(config)(**{**config.model_dump(), **changes})
    asks = issubclass(type(config), Asked) and config.task is not None
    begun = (
        config.start(Material(splits=(Split(pairs=PAIRS, captions="single"),))) if asks else None
    )
    model = begun.model if begun else config.build()
    source, mask = torch.Generator().manual_seed(1), torch.arange(4) < torch.tensor([[4], [2], [3]])
    if (width := getattr(config, "features", None)) is not None:
        frames = torch.randn(3, 4, width, generator=source)
    else:
        size = model.pixels.size
        frames = torch.randint(0, 256, (3, 4, 3, size, size), generator=source).byte()
    made = begun.targets if begun else {}
    targets = {n: torch.stack([torch.as_tensor(t(p)) for p in PAIRS]) for n, t in made.items()}
    targets.setdefault("label", torch.arange(3))
    tokens = model.tokenize(list(TEXTS))
    return model.train(), Batch(frames, mask, tokens, torch.arange(3), targets)


def require_same(model: Any, batch: Batch) -> None:
    """Assert that both ways give the same bits, in value and in gradient, in the same draw."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def drawn(loss: Callable[[Batch], Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        torch.manual_seed(3)
        value = loss(batch)
        found = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
        return value.detach(), found

    value, gradient = drawn(model.primary_loss)
    wanted, of_all = drawn(lambda some: model.losses(some)[model.primary])
    assert torch.equal(value, wanted)
    assert any(part.abs().sum() > 0 for part in gradient)
    assert all(map(torch.equal, gradient, of_all))


@pytest.mark.parametrize(("name", "changes", "left_out"), WAYS)
def test_it_is_the_one_among_all_and_runs_no_head_of_another(
    name: str, changes: dict[str, Any], left_out: set[str]
) -> None:
    model, batch = started(name, changes)
    run = set[str]()
    require_same(model, batch)
    for part, module in model.network.named_modules():
        module.register_forward_hook(lambda *_, part=part: run.add(part))
    model.losses(batch)
    assert left_out <= run, "what all losses run"
    run.clear()
    model.primary_loss(batch)
    assert not left_out & run


@pytest.mark.parametrize("name", names("models"))
def test_every_model_that_has_one_keeps_the_promise(name: str) -> None:
    if name in {of for of, _, _ in WAYS}:
        pytest.skip("asked for above, in each way of being judged")
    model, batch = started(name, {})
    if not hasattr(model, "primary_loss"):
        pytest.skip("its primary loss is always computed with the others")
    require_same(model, batch)
