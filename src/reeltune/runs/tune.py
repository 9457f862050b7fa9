"""`reeltune tune`: makes a better model of a person's videos from her captions, and proves it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from reeltune.batches.loader import FrameReader
from reeltune.data import folder as own_videos
from reeltune.data.splits.part import read_if_any
from reeltune.errors import ConfigError, DataError, counted
from reeltune.evaluation.compare import compare
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.protocols import Named, split_hash
from reeltune.evaluation.retrieval import Report
from reeltune.models import lite, vop
from reeltune.models.clip import MayBeClip
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import load, open_model
from reeltune.runs.finished import BEFORE, METRICS
from reeltune.runs.inputs import Inputs, frame_reader
from reeltune.runs.learning import Learning, learn, open_learning
from reeltune.runs.marked_wrong import Against, WrongPlaces, answers_of, wrong_places, wrong_taken
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import Learned, left_out_of
from reeltune.search.mark_captions import LEAST
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.outputs import naming
from reeltune.storage.run_log import VERDICT
from reeltune.storage.sole_run import sole_run
from reeltune.tasks.retrieval import evaluate
from reeltune.training.checkpoint import remove_state
from reeltune.training.settings import Settings
from reeltune.types import Split

FRAMES = 12
VOP_FP = (vop.Text(), vop.Generic(length=4), vop.Position(), vop.Joint())
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
    wrong: WrongPlaces | None = None  # of held-out moments that were called wrong; None: none were

    @property
    def is_better(self) -> bool:
        """Whether a gain can be claimed."""
        found = self.comparison.differences["t2v R@1"]
        return found.b > found.a and not found.inside_noise

    def verdict(self) -> str:
        """One sentence that claims no more than the held-out pairs show."""
        found = self.comparison.differences["t2v R@1"]
        videos = self.before.protocol.gallery
        change = (
            f"R@1 {found.a:.1f} before, {found.b:.1f} after, on {counted(videos, 'held-out video')}"
        )
        between = f"95 % interval of the change {found.low:+.1f} to {found.high:+.1f}"
        if found.inside_noise:
            return f"no gain can be claimed: {change} ({between}); more captions may tell"
        return f"{'better' if self.is_better else 'worse'}: {change} ({between})"

    def as_dict(self) -> dict[str, Any]:
        """The verdict and all that it stands on, as plain data."""
        wrong = (
            None if self.wrong is None else self.wrong.as_dict() | {"said": self.wrong.sentence()}
        )
        found = {"verdict": self.verdict(), "is_better": self.is_better, "wrong": wrong}
        return {"folder": str(self.folder), **found, **self.comparison.as_dict()}


def tune(captions: Path, videos: Path, model: str, place: RunPlace, seed: int = 0) -> Tuning:
    """Tune a CLIP by VoP^{F+P}, or the head of `lite`, on captions of one's own videos.

    The captions are split by video; the test part is looked at before and after, and never else.
    Videos with the very same caption are no wrong answers to it. A caption that is labelled wrong
    is learned as a wrong answer, where another moment is right for the same words, and of held-out
    ones it is told where they stand before and after.
    One that was stopped goes on where it stopped; one that is finished is not written over.
    """
    if (place.out / METRICS).is_file():
        remove_state(place.out)  # of a tuning that was stopped between its last two files
        raise ConfigError(
            f"{place.out} holds a finished tuning or run; give another folder with --out, or "
            "remove that one"
        )
    with naming(place.out), sole_run(place.out):
        return _tune(captions, videos, model, place, seed)


def _tune(captions: Path, videos: Path, model: str, place: RunPlace, seed: int) -> Tuning:
    options = own_videos.Config(folder=videos, captions=captions)
    train_split, val, test = (
        options.read("train"),
        read_if_any(options, "val"),
        options.read("test"),
    )
    torch.manual_seed(seed)
    tuned = start(model, place.device)
    with frame_reader(tuned.pixels, FRAMES) as reader:
        inputs = Inputs(tuned, reader, by_caption=True)
        train_split, test = (
            wrong_taken(reader, inputs.taken(split, place), place) for split in (train_split, test)
        )
        val = inputs.taken(val, place) if val is not None else None
        settings = settings_for(tuned, train_split, seed, validates=val is not None)
        before = judged(open_model(model, place.device), reader, test)
        learned = train_split, val
        outcome = learn(learning_of(model, inputs, learned, settings), place)
        after = judged(tuned, reader, test, seed)
    report = after.report.also_without(left_out_of(tuned, learned, settings, outcome))
    tuned.save_pretrained(place.out)
    places = WrongPlaces(before.candidates, before.places, after.places) if test.wrong else None
    tuning = Tuning(
        place.out,
        before.report,
        report,
        compare(before.report, report),
        train_split.videos,
        places,
    )
    before.report.write(place.out / BEFORE)
    verdict = json.dumps(tuning.as_dict(), indent=2)
    write_atomically(place.out / VERDICT, f"{verdict}\n".encode())
    report.write(place.out / METRICS)  # last: a tuning without it is not finished
    remove_state(place.out)
    return tuning


@dataclass(frozen=True)
class Judged:
    """What a model is worth on the test split."""

    report: Report
    candidates: int  # moments, those among them that were called wrong for some words
    places: list[int]  # of these


def judged(model: Any, reader: FrameReader, test: Split, seed: int | None = None) -> Judged:
    """Figures of a model on the test split, and where moments stand that were called wrong."""
    report = evaluate(model, reader, test, Named("folder", "test", seed), by_caption=True)
    candidates, places = wrong_places(model, reader, test) if test.wrong else (0, [])
    return Judged(report, candidates, places)


def learning_of(model: str, inputs: Inputs, learned: Learned, settings: Settings) -> Learning:
    """What the model learns from: captions, and beside them what was called wrong."""
    train_split, _ = learned
    learning = open_learning(f"tune {model}", inputs, learned, settings)
    answers = answers_of(train_split)
    if not answers:
        return learning
    named = split_hash([wrong for _, wrong in answers])
    step = Against(learning.step, inputs.model, inputs.clips, answers)
    return replace(learning, name=f"{learning.name}, against {named}", step=step)


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
            f"captions of {counted(videos, 'video')} are left to train on, and tuning needs "
            f"{LEAST} or more after a fifth is held out; caption more videos"
        )
    batch = min(BATCH, videos)
    epochs = max(3, min(30, STEPS // max(videos // batch, 1)))
    rate = 1e-3 if isinstance(model, vop.Vop) else 3e-4
    patience = 6 if validates else None
    return Settings(batch=batch, epochs=epochs, lr=rate, seed=seed, patience=patience)
