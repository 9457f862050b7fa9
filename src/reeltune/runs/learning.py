"""Opens what a model learns from and the step that trains it, and runs the training."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from reeltune.batches.loader import Loader
from reeltune.evaluation.protocols import V2tRule
from reeltune.meltr import combiner
from reeltune.meltr.melting import Melting
from reeltune.meltr.step import Meltr
from reeltune.runs.amount import amount_of
from reeltune.runs.bilevel import melting_step
from reeltune.runs.finished import hash_of
from reeltune.runs.inputs import Inputs
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import Learned, require_wrong_answers
from reeltune.runs.step import order_of, step_of
from reeltune.runs.weighing import weighted_step
from reeltune.tasks.finding.judge import chosen_by, finer_of, validation
from reeltune.tasks.retrieval import Ranged
from reeltune.training import distributed
from reeltune.training.loop import Outcome, Run, train
from reeltune.training.settings import Settings
from reeltune.training.step import Step

MELTR = combiner.FILE


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Everything that determines one training; `name` is what was asked for."""

    name: str
    inputs: Inputs
    splits: Learned  # without what cannot be read
    settings: Settings
    loader: Loader
    step: Step
    v2t: V2tRule = "grouped"  # how validation ranks a video with several captions

    @property
    def identity(self) -> str:
        """Names the training by all that its numbers depend on."""
        facts = [
            self.name,
            getattr(self.inputs.model, "fingerprint", ""),
            self.inputs.clips.policy,
            self.v2t,
            [hash_of(split) for split in self.splits if split],
            self.settings.model_dump(exclude={"save_minutes"}),
        ]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def open_learning(
    name: str,
    inputs: Inputs,
    splits: Learned,
    settings: Settings,
    melting: Melting | None = None,
    v2t: V2tRule = "grouped",
) -> Learning:
    """The batches of the first split, and the step that learns from them.

    Errors: `ConfigError` or `DataError` where a batch would hold no wrong answer.
    """
    require_wrong_answers(splits, settings, melting)
    train_split, val = splits
    loader = inputs.loader(order_of(train_split.pairs, settings))
    held = inputs.loader_of(val, settings) if val else None
    step = learning_step(inputs.model, loader, held, settings, melting)
    return Learning(
        name=name,
        inputs=inputs,
        splits=splits,
        settings=settings,
        loader=loader,
        step=step,
        v2t=v2t,
    )


def learning_step(
    model: Any,
    loader: Loader,
    held_out: Loader | None,
    settings: Settings,
    melting: Melting | None,
) -> Step:
    """The step that trains a model: its losses melted, weighed, or by what the model is."""
    if melting is not None:
        return melting_step(model, melting, loader, held_out, settings)
    if settings.combine is not None:
        return weighted_step(model, loader, held_out, settings)
    return step_of(model, settings)


def learn(learning: Learning, place: RunPlace) -> Outcome:
    """Train the model on the first split, choosing by the second; the best weights stay in it.

    Without a second one the last weights do, and ranges of scores are those of the first.
    """
    inputs, settings, step = learning.inputs, learning.settings, learning.step
    train_split, val = learning.splits
    if val is not None and settings.judged_by is None:
        settings = settings.model_copy(update={"judged_by": chosen_by(inputs.model)})
    leads = distributed.start().leads
    place.say([amount_of(learning.loader.order, settings).said(settings)])
    judges = partial(validation, inputs.model, inputs.clips, texts=inputs.texts, v2t=learning.v2t)
    run = Run(
        model=inputs.model,
        step=step,
        loader=learning.loader,
        settings=settings,
        folder=place.out,
        identity=learning.identity,
        validate=judges(val) if val else None,
        finer=finer_of(inputs.model),
        watcher=place.watcher if leads else None,
        tensorboard=place.tensorboard,
        leads=leads,
    )
    outcome = train(run)
    if val is None and isinstance(inputs.model, Ranged):
        judges(train_split)()
    if leads and isinstance(step, Meltr) and isinstance(step.combiner, combiner.Learned):
        combiner.save(step.combiner, place.out / MELTR)
    return outcome
