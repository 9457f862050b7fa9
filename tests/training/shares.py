"""What one process finds of a batch, and each of several finds of its own rows of it.

All in float64 and without dropout, but with the statistics of the batch where a model has batch
norms.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.meltr import transformer
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses
from reeltune.meltr.outer import Recent
from reeltune.meltr.schemes import (
    aid_fp_lite,
    conjugate_gradient,
    meta_weight_net,
    multi_task,
    neumann,
    stocbio,
)
from reeltune.models._bert.words import inner
from reeltune.objectives.masked_frame import mask_frames
from reeltune.objectives.masked_language import mask_words
from reeltune.ranks.ranks import Ranks, shared_batch
from reeltune.registry import find
from reeltune.training.distributed import average_gradients
from reeltune.training.step import Sum
from reeltune.types import Batch, Tokens

TEXTS = ["a red square", "first a golden box moves left, then a disc spins", "two", "a disc blinks"]
LENGTHS = [4, 1, 3, 2]  # real frames
VIDEOS = [0, 1, 2, 0]  # the first and the last show the same one
Found = dict[str, Any]

# Losses whose draws are the same for any number of processes: none, or all there are to draw.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("tuned", {"method": "full"}),
    "vop": ("vop", {"auxiliary": ("matching", "distillation")}),
    "dual-encoding": ("dual-encoding", {"encoder": None, "features": 10}),
    "dual-encoding mean": (
        "dual-encoding",
        {"encoder": None, "features": 10, "reduction": "mean", "same_video_is_negative": False},
    ),
    "univl": ("univl", {"encoder": None, "features": 10}),
    "univl asked": (
        "univl",
        {"encoder": None, "features": 10, "task": "open-ended", "answers": ("a", "b", "c")},
    ),
    "violet": ("violet", {"tasks": ("vtm",)}),
    "all-in-one": ("all-in-one", {"tasks": ("vtc", "itm"), "negatives": 3}),
    "alpro": ("alpro", {"tasks": ("vtc", "vtm")}),
    "resnet32": ("resnet32", {"tasks": ()}),
}
MELTED = ("dual-encoding", "univl")
SCHEMES: dict[str, Callable[[Problem], Any]] = {
    "aid-fp-lite": aid_fp_lite.aid_fp_lite,
    "conjugate-gradient": partial(
        conjugate_gradient.conjugate_gradient, steps=2, damping=1.0, tolerance=0.0
    ),
    "meta-weight-net": partial(meta_weight_net.meta_weight_net, steps=2, rate=0.1),
    "neumann": partial(neumann.neumann, terms=1, rate=0.1),
    "stocbio": partial(stocbio.stocbio, terms=1, rate=0.1),
}
WAYS: dict[str, dict[str, Any]] = {
    "exact": {"along": "vjp", "curved": "exact"},
    "difference": {"along": "difference", "curved": "difference"},
}
CASES = [  # torch has no second derivative of the distances of concepts
    (name, scheme, way)
    for name in MELTED
    for way in WAYS
    for scheme in SCHEMES
    if (name, way) != ("dual-encoding", "exact") or scheme == "aid-fp-lite"
]


@contextmanager
def double() -> Iterator[None]:
    """Models in float64 to their end, where they would go on in float32."""
    before = Tensor.float
    Tensor.float = Tensor.double  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tensor.float = before  # type: ignore[method-assign]


def model_of(name: str) -> Any:
    kind, changes = MODELS[name]
    torch.manual_seed(0)
    config = find("models", kind).Config.tiny()
    known = {key: value for key, value in changes.items() if key in type(config).model_fields}
    model = config.model_copy(update=known).build().double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train()
    return model


def whole(model: Any, name: str, seed: int) -> Batch:
    """The batch of all processes; of ALPRO's, each row has a single wrong answer to draw."""
    rows = 2 if name == "alpro" else 4
    source, size = torch.Generator().manual_seed(seed), model.pixels.size
    lengths = torch.tensor(LENGTHS[:rows])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    width = getattr(model.config, "features", None)
    if width is None:
        frames = torch.randint(0, 256, (*mask.shape, 3, size, size), generator=source).byte()
    else:
        frames = torch.randn(*mask.shape, width, generator=source, dtype=torch.float64)
    frames = frames * mask.view(*mask.shape, *[1] * (frames.dim() - 2))
    tokens = model.tokenize(TEXTS[:rows])
    targets = {"label": torch.tensor([0, -1, 1, 2])[:rows]}
    if concepts := getattr(model.config, "concepts", 0):
        targets["concepts"] = torch.rand(rows, concepts, generator=source, dtype=torch.float64)
    if name.startswith("univl"):
        words = model.words
        hidden = mask_words(tokens.ids, inner(tokens), words.mask, len(words), 0.4, source)
        targets |= {"masked_words": hidden.ids, "masked_labels": hidden.labels}
        targets["hidden_frames"] = mask_frames(mask, 0.4, source)
    return Batch(frames, mask, tokens, torch.tensor(VIDEOS[:rows]), targets)


def own(batch: Batch, ranks: Ranks) -> Batch:
    """This process's rows, with no more padding than these need."""
    mask, read = ranks.part(batch.mask), ranks.part(batch.tokens.mask)
    frames, words = (int(one.any(0).nonzero().max()) + 1 for one in (mask, read))
    targets = {name: ranks.part(target) for name, target in batch.targets.items()}
    for name, longest in (("masked_words", words), ("masked_labels", words)):
        if name in targets:
            targets[name] = targets[name][:, :longest]
    if "hidden_frames" in targets:
        targets["hidden_frames"] = targets["hidden_frames"][:, :frames]
    return Batch(
        ranks.part(batch.frames)[:, :frames],
        mask[:, :frames],
        Tokens(ranks.part(batch.tokens.ids)[:, :words], read[:, :words]),
        ranks.part(batch.video),
        targets,
    )


def gradients(ranks: Ranks, name: str) -> Found:
    """The losses of a batch, and what training by their sum leaves in the weights."""
    model = model_of(name)
    with shared_batch():
        said = Sum(model)(own(whole(model, name, 1), ranks))
    average_gradients(w for w in model.parameters() if w.requires_grad)
    wanted = {n: w for n, w in model.named_parameters() if w.requires_grad}
    kept = {n: torch.zeros_like(w) if w.grad is None else w.grad for n, w in wanted.items()}
    buffers = {n: b.clone() for n, b in model.named_buffers() if "running" in n}
    return {"losses": ranks.mean_figures(said), "gradients": kept, "statistics": buffers}


def hypergradients(ranks: Ranks, name: str) -> Found:
    """What every scheme gives; processes share the outer batch as those of training."""
    model, found = model_of(name), {}
    lower, upper = [own(whole(model, name, seed), ranks) for seed in (1, 2)], whole(model, name, 3)
    tasks = tuple(model.losses(lower[0]))
    torch.manual_seed(1)
    combiner = transformer.Config.tiny(tasks).build().double().eval()
    for way, settings in WAYS.items():
        problem = Problem(
            weights={n: w for n, w in model.named_parameters() if w.requires_grad},
            combiner=combiner,
            lower=[Losses(model, one, tasks) for one in lower],
            upper=Losses(model, own(upper, ranks), tasks),
            primary=model.primary,
            gamma=0.1,
            direct_term=True,
            **settings,
        )
        with shared_batch():
            for scheme, hypergradient in SCHEMES.items():
                if (name, scheme, way) not in CASES:
                    continue
                made = hypergradient(problem)
                flat = torch.cat([part.flatten() for part in made.gradient.values()])
                found[f"{scheme} {way}"] = flat.detach()
            found[f"multi-task {way}"] = torch.tensor([multi_task.multi_task(problem).loss])
    return found


def recent(ranks: Ranks, state: dict[str, Tensor] | None = None) -> Found:
    """Which batch is judged by, and what goes on from a state that others wrote."""
    model, outer = model_of("dual-encoding"), Recent(3)
    batches = [own(whole(model, "dual-encoding", seed), ranks) for seed in range(3)]
    torch.manual_seed(ranks.rank)
    with shared_batch():
        if state is not None:
            outer.load_state_dict(state)
        else:
            for batch in batches:
                outer.see(batch)
        drawn = [outer.draw(batches[0]).frames.flatten(1)[:, 0] for _ in range(3)]
        kept = outer.state_dict()
    return {"drawn": torch.stack(drawn), "state": kept}


def shares(ranks: Ranks, state: dict[str, Tensor]) -> Found:
    """Everything of this file; `state` is that of late batches of one process."""
    with double():
        return {
            "gradients": {name: gradients(ranks, name) for name in MODELS},
            "hypergradients": {name: hypergradients(ranks, name) for name in MELTED},
            "recent": recent(ranks),
            "resumed": recent(ranks, state),
        }
