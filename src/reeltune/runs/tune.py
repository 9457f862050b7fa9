"""`reeltune tune`: makes a better model of a person's videos from her captions, and proves it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reeltune.data import folder as own_videos
from reeltune.data.splits.part import read_if_any
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.retrieval import Report
from reeltune.models import lite, vop
from reeltune.models.clip import MayBeClip
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import load, open_model
from reeltune.runs.finished import BEFORE, METRICS
from reeltune.runs.inputs import Inputs, frame_reader
from reeltune.runs.learning import learn, open_learning
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import left_out_of
from reeltune.tasks.retrieval import evaluate
from reeltune.training.checkpoint import remove_state
from reeltune.training.settings import Settings
from reeltune.types import Split

FRAMES = 12
VOP_FP = (vop.Text(), vop.Generic(length=4), vop.Position(), vop.Joint())
LEAST = 8  # training videos; fewer fill no batch worth contrasting
BATCH = 32
STEPS = 400  # about as many as pay on a small collection; fewer epochs where it is large


@dataclass(frozen=True)
class Tuning:
    """The worth of tuning on pairs that it never saw."""

    folder: Path
    before: Report
    after: Report
    comparison: Comparison
    trained_on: int  # videos

    @property
    def is_better(self) -> bool:
        """Whether a gain can be claimed."""
        found = self.comparison.differences["t2v R@1"]
        return found.b > found.a and not found.inside_noise

    def verdict(self) -> str:
        """One sentence that claims no more than the held-out pairs show."""
        found = self.comparison.differences["t2v R@1"]
        videos = self.before.protocol.gallery
        change = f"R@1 {found.a:.1f} before, {found.b:.1f} after, on {videos} held-out videos"
        between = f"95 % interval of the change {found.low:+.1f} to {found.high:+.1f}"
        if found.inside_noise:
            return f"no gain can be claimed: {change} ({between}); more captions may tell"
        return f"{'better' if self.is_better else 'worse'}: {change} ({between})"


def tune(captions: Path, videos: Path, model: str, place: RunPlace, seed: int = 0) -> Tuning:
    """Tune a CLIP by VoP^{F+P}, or the head of `lite`, on captions of one's own videos.

    The captions are split by video; the test part is looked at before and after, and never else.
    One that was stopped goes on where it stopped; one that is finished is not written over.
    """
    if (place.out / METRICS).is_file():
        remove_state(place.out)  # of a tuning that was stopped between its last two files
        raise ConfigError(
            f"{place.out} holds a finished tuning or run; give another folder with --out, or "
            "remove that one"
        )
    options = own_videos.Config(folder=videos, captions=captions)
    train_split, val, test = (
        options.read("train"),
        read_if_any(options, "val"),
        options.read("test"),
    )
    torch.manual_seed(seed)
    tuned = start(model, place.device)
    with frame_reader(tuned.pixels, FRAMES) as reader:
        inputs = Inputs(tuned, reader)
        train_split, test = (inputs.taken(split, place) for split in (train_split, test))
        val = inputs.taken(val, place) if val is not None else None
        settings = settings_for(tuned, train_split, seed, validates=val is not None)
        named = Named("folder", "test")
        before = evaluate(open_model(model, place.device), reader, test, named)
        learned = train_split, val
        outcome = learn(open_learning(f"tune {model}", inputs, learned, settings), place)
        after = evaluate(tuned, reader, test, Named("folder", "test", seed))
    after = after.also_without(left_out_of(tuned, learned, settings, outcome))
    tuned.save_pretrained(place.out)
    before.write(place.out / BEFORE)
    after.write(place.out / METRICS)  # last: a tuning without it is not finished
    remove_state(place.out)
    trained_on = train_split.videos
    return Tuning(place.out, before, after, compare(before, after), trained_on)


def start(name: str, device: str | None) -> Any:
    """The model as tuning begins."""
    base: Any = load(name, device)
    if isinstance(base, MayBeClip) and base.is_clip:
        config = vop.Config(base=name, prompts=VOP_FP, frames=FRAMES)
        return config.start(Material(device=device)).model
    if isinstance(base, lite.Lite):
        return base.to_tune()
    raise ConfigError(
        f"{name} is a {type(base).__name__}; tune a CLIP (a folder or a hub id), tiny-clip, or lite"
    )


def settings_for(model: Any, split: Split, seed: int, validates: bool = True) -> Settings:
    """Batch and epochs by how much there is to learn from; patience where a validation `validates`
    the epochs."""
    videos = split.videos
    if videos < LEAST:
        raise DataError(
            f"captions of {videos} videos are left to train on, and tuning needs {LEAST} or more "
            "after a fifth is held out; caption more videos"
        )
    batch = min(BATCH, videos)
    epochs = max(3, min(30, STEPS // max(videos // batch, 1)))
    rate = 1e-3 if isinstance(model, vop.Vop) else 3e-4
    patience = 6 if validates else None
    return Settings(batch=batch, epochs=epochs, lr=rate, seed=seed, patience=patience)
