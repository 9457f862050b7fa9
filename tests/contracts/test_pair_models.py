"""What every model promises that scores pairs: of its scores what `test_models.py` asks of
vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from contracts.test_models import CLOSE, LENGTHS, TEXTS, videos
from reeltune.errors import DataError
from reeltune.models.opening.open import open_model
from reeltune.registry import find, names
from reeltune.tasks.pair_retrieval import TASK


@pytest.fixture(scope="module", params=names("models"))
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    model = find("models", request.param).Config.tiny().build()
    if not TASK.suits(model):
        pytest.skip(f"{model.name} scores no pairs")
    return model


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def scores(model: Any, texts: list[str], frames: Tensor, mask: Tensor) -> Tensor:
    return model.align(model.read_text(model.tokenize(texts)), model.read_video(frames, mask))


def test_scores_are_finite_float32_and_tell_pairs_apart(model: Any) -> None:
    found = scores(model, TEXTS, *videos(model))
    assert found.shape == (len(TEXTS), len(LENGTHS))
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert found.std() > 1e-5
    assert model.name
    assert model.fingerprint == model.fingerprint


def test_a_batch_equals_its_pairs_whatever_the_padding(model: Any) -> None:
    frames, mask = videos(model)
    together = scores(model, TEXTS, frames, mask)
    for row, text in enumerate(TEXTS):
        for column, length in enumerate(LENGTHS):
            one = slice(column, column + 1)
            alone = scores(model, [text], frames[one, :length], mask[one, :length])
            torch.testing.assert_close(together[row : row + 1, one], alone, **CLOSE)


def test_hidden_frames_are_never_seen(model: Any) -> None:
    frames, mask = videos(model)
    other = torch.where(mask[:, :, None, None, None], frames, 255 - frames)
    torch.testing.assert_close(
        scores(model, TEXTS, frames, mask), scores(model, TEXTS, other, mask), **CLOSE
    )


def test_what_cannot_be_read_is_refused(model: Any) -> None:
    frames, mask = videos(model)
    with pytest.raises(DataError, match=r"no frame"):
        model.read_video(frames, torch.zeros_like(mask))
    with pytest.raises(DataError, match=r"no text"):
        model.tokenize([])


def test_a_saved_model_opens_again_as_it_was(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path), device="cpu")
    assert again.fingerprint == model.fingerprint
    assert again.pixels == model.pixels
    batch = videos(model)
    torch.testing.assert_close(
        scores(again, TEXTS, *batch), scores(model, TEXTS, *batch), atol=1e-6, rtol=0
    )
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]
