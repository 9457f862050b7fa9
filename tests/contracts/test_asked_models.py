"""What every model promises that can be asked about a clip, for each task it has a head for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltune.errors import ConfigError, DataError
from reeltune.models._asking.settings import LISTED, LOSS, Asked, AskedTask
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import open_model
from reeltune.registry import find, names
from reeltune.types import Batch, Pair, Split

QUESTIONS = ("what does the red square do?", "what is blue?", "where is it?", "what falls?")
OPTIONS = ("moves up", "moves down", "spins")
LENGTHS = [4, 1, 3, 2]  # real frames of four videos
PAIRS = tuple(
    Pair(
        video=f"v{i}",
        path=Path(f"v{i}.mp4"),
        caption=QUESTIONS[i],
        options=OPTIONS,
        answer=OPTIONS[i % 3],
        rating=float(i - 1),
    )
    for i in range(4)
)
ASKED = [
    (name, task)
    for name in names("models")
    if issubclass(find("models", name).Config, Asked)
    for task in get_args(AskedTask)
]


@pytest.fixture(scope="module", params=ASKED, ids="-".join)
def started(request: pytest.FixtureRequest) -> Any:
    name, task = request.param
    config = find("models", name).Config.tiny()
    try:
        config = type(config)(**{**config.model_dump(), "task": task})
    except ValueError:
        pytest.skip(f"{name} has no head for {task}")
    torch.manual_seed(0)
    return config.start(Material(splits=(Split(pairs=PAIRS, captions="single"),)))


def clips(model: Any) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    shape = (len(LENGTHS), max(LENGTHS))
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    if (width := getattr(model.config, "features", None)) is not None:
        return torch.randn(*shape, width, generator=source), mask
    size = model.pixels.size
    return torch.randint(0, 256, (*shape, 3, size, size), generator=source).byte(), mask


def asked(model: Any, video: Any, rows: Tensor, pairs: tuple[Pair, ...]) -> Tensor:
    """What the model answers, by its task."""
    questions = [pair.caption for pair in pairs]
    task = model.config.task
    if task == "multiple-choice":
        return model.choose(video, rows, questions, [pair.options for pair in pairs])
    if task == "open-ended":
        return model.answer(video, rows, questions)
    if task == "sentiment":
        return model.rate(video, rows, questions)
    return model.classify(video)[rows]


def batch_of(started: Any, targets: Mapping[str, Any] | None = None) -> Batch:
    of_all = started.targets if targets is None else targets
    found = {n: torch.from_numpy(np.stack([t(p) for p in PAIRS])) for n, t in of_all.items()}
    tokens = started.model.tokenize(list(QUESTIONS))
    return Batch(*clips(started.model), tokens, torch.arange(4), found)


def test_it_is_judged_by_the_task_whose_loss_is_its_primary_one(started: Any) -> None:
    model, task = started.model, started.model.config.task
    assert model.judged_as == model.config.judged_as == task
    assert find("tasks", task).TASK.suits(model)
    assert model.primary == LOSS[task]
    losses = model.losses(batch_of(started))
    assert model.primary in losses
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


def test_the_answers_of_a_closed_list_are_those_of_the_training_split(started: Any) -> None:
    if started.model.config.task in LISTED:
        assert started.model.answers == ("moves up", "moves down", "spins")


@torch.inference_mode()
def test_a_question_is_about_the_clip_that_its_row_names(started: Any) -> None:
    model = started.model
    model.eval()
    frames, mask = clips(model)
    together = asked(model, model.read_video(frames, mask), torch.tensor([2, 0, 1, 3]), PAIRS)
    assert together.isfinite().all()
    for row, clip in enumerate((2, 0, 1, 3)):
        one, length = slice(clip, clip + 1), LENGTHS[clip]
        alone = model.read_video(frames[one, :length], mask[one, :length])
        found = asked(model, alone, torch.tensor([0]), PAIRS[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], found, atol=2e-5, rtol=0)


def test_the_head_learns_an_answer(started: Any) -> None:
    """One step down its own loss lowers it, and every weight of the head gets a gradient."""
    model, batch = started.model, batch_of(started)
    before = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
    model.eval()
    try:
        first = model.losses(batch)[model.primary]
        model.zero_grad(set_to_none=True)
        first.backward()
        reached = [p for p in model.parameters() if p.grad is not None]
        size = torch.stack([p.grad.norm() for p in reached]).norm()
        with torch.no_grad():
            for weight in reached:
                weight -= 1e-2 / size * weight.grad
        assert model.losses(batch)[model.primary] < first
    finally:
        model.load_state_dict(before)


@torch.inference_mode()
def test_a_saved_model_answers_as_it_did(started: Any, tmp_path: Path) -> None:
    model, rows = started.model.eval(), torch.arange(4)
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path), device="cpu")
    assert again.fingerprint == model.fingerprint
    assert again.judged_as == model.judged_as
    batch = clips(model)
    wanted = asked(model, model.read_video(*batch), rows, PAIRS)
    found = asked(again, again.read_video(*batch), rows, PAIRS)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_an_answer_that_is_not_listed_teaches_nothing(started: Any) -> None:
    if "label" not in started.targets:
        pytest.skip("ratings have no list")
    nothing = {**started.targets, "label": lambda pair: np.array(-1)}
    loss = started.model.losses(batch_of(started, nothing))[started.model.primary]
    assert loss.item() == 0


def test_batches_without_targets_and_data_that_do_not_ask_are_refused(started: Any) -> None:
    with pytest.raises(DataError, match=r"the batch brings no targets without (label|options|r)"):
        started.model.losses(batch_of(started, {}))
    plain = (Pair(video="v9", path=Path("v9.mp4"), caption="a box"),)
    material = Material(splits=(Split(pairs=(*PAIRS, *plain), captions="single"),))
    with pytest.raises(DataError, match=r"v9 has no (options|answer|rating)"):
        started.model.config.start(material)


def test_a_closed_list_cannot_be_empty(started: Any) -> None:
    if started.model.config.task in LISTED:
        config = started.model.config.model_copy(update={"answers": ()})
        with pytest.raises(ConfigError, match=r"config.answers is empty"):
            config.start(Material())


def test_a_model_whose_answers_are_not_known_yet_can_be_described(started: Any) -> None:
    if started.model.config.task in LISTED:
        changes = {"answers": (), "most_answers": 7}
        assert started.model.config.model_copy(update=changes).answer_scores == 7
