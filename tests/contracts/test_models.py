"""What every file in models/ promises; a new model is under these tests by being there."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import DataError
from reeltune.models.opening.open import open_model
from reeltune.registry import find, names
from reeltune.types import Batch, DualEncoder, FrameEncoder

TEXTS = ["rain", "a man plays the guitar on a stage, and people sing along", "Two dogs"]
LENGTHS = [4, 1, 3]  # real frames of three videos
CLOSE = {"atol": 2e-5, "rtol": 0.0}  # float32, other batch shapes: rounding alone


@pytest.fixture(scope="module", params=names("models"))
def component(request: pytest.FixtureRequest) -> ModuleType:
    return find("models", request.param)


@pytest.fixture(scope="module")
def model(component: ModuleType) -> DualEncoder:
    torch.manual_seed(0)
    model = component.Config.tiny().build()
    if not isinstance(model, DualEncoder):
        pytest.skip(f"{model.name} has no vectors; test_pair_models.py is about its scores")
    return model


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def videos(model: DualEncoder, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Three videos of noise, padded to the longest, and their mask."""
    size, source = model.pixels.size, torch.Generator().manual_seed(seed)
    shape = (len(LENGTHS), max(LENGTHS), 3, size, size)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]  # (B, T)
    return frames, mask


def indexed(model: DualEncoder) -> int:
    """Columns that an index may search by their inner product: all, unless the model says."""
    return getattr(model, "indexed", model.dim)


def test_settings_are_frozen_closed_and_survive_a_file(component: ModuleType) -> None:
    config = component.Config.tiny()
    assert type(config)(**config.model_dump(mode="json")) == config
    with pytest.raises(ValidationError, match="no_such_setting"):
        component.Config(no_such_setting=1)
    field = next(iter(type(config).model_fields), None)
    if field:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(config, field, getattr(config, field))


def test_it_is_a_dual_encoder(model: DualEncoder) -> None:
    assert isinstance(model, DualEncoder)
    assert model.name
    assert model.dim > 0
    assert model.fingerprint
    assert model.fingerprint == model.fingerprint, "it must not change by being read"


def test_vectors_are_finite_float32_of_unit_length(model: DualEncoder) -> None:
    text = model.encode_text(model.tokenize(TEXTS))
    video = model.encode_video(*videos(model))
    assert text.shape == video.shape == (3, model.dim)
    for vectors in (text, video):
        assert vectors.dtype == torch.float32
        assert vectors.isfinite().all()
        length = vectors[:, : indexed(model)].norm(dim=1).cpu()
        torch.testing.assert_close(length, torch.ones(3), atol=1e-5, rtol=0)


def test_similarity_is_the_cosine(model: DualEncoder) -> None:
    if indexed(model) < model.dim:
        pytest.skip(f"{model.name} scores more than the columns that an index searches")
    text = model.encode_text(model.tokenize(TEXTS[:2]))
    video = model.encode_video(*videos(model))
    expected = F.cosine_similarity(text[:, None], video[None], dim=-1)
    torch.testing.assert_close(model.similarity(text, video), expected, **CLOSE)


def test_a_batch_of_texts_equals_its_rows_whatever_the_padding(model: DualEncoder) -> None:
    tokens = model.tokenize(TEXTS)
    assert tokens.ids.shape == tokens.mask.shape
    together = model.encode_text(tokens)
    for row, text in enumerate(TEXTS):
        alone = model.encode_text(model.tokenize([text]))
        torch.testing.assert_close(together[row : row + 1], alone, **CLOSE)


def test_texts_without_a_known_word_and_texts_that_are_cut_are_told(model: DualEncoder) -> None:
    tokens = model.tokenize(["two dogs", " ", "a dog " * 400])
    assert tokens.known is not None
    assert tokens.known.tolist() == [True, False, True]
    if model.name == "dual-encoding":  # which reads every text to its end
        assert tokens.cut is None
    else:
        assert tokens.cut is not None
        assert tokens.cut.tolist() == [False, False, True]


@pytest.mark.parametrize("words", range(1, 16))
def test_a_text_is_cut_where_a_longer_context_would_read_more(words: int) -> None:
    clip = find("models", "clip").Config.tiny().build()
    text = " ".join(["cab"] * words)
    few, all_of_it = clip.tokenize([text], 16), clip.tokenize([text], 500)
    longer = int(all_of_it.mask.sum()) > int(few.mask.sum())
    assert few.cut.tolist() == [longer]
    assert all_of_it.cut.tolist() == [False]


def test_a_batch_of_videos_equals_its_rows_whatever_the_padding(model: DualEncoder) -> None:
    frames, mask = videos(model)
    together = model.encode_video(frames, mask)
    for row, length in enumerate(LENGTHS):
        alone = model.encode_video(frames[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(together[row : row + 1], alone, **CLOSE)


def test_hidden_frames_are_never_seen(model: DualEncoder) -> None:
    frames, mask = videos(model)
    other = torch.where(mask[:, :, None, None, None], frames, 255 - frames)
    torch.testing.assert_close(
        model.encode_video(frames, mask), model.encode_video(other, mask), **CLOSE
    )


def test_texts_and_videos_that_differ_have_vectors_that_differ(model: DualEncoder) -> None:
    text = model.encode_text(model.tokenize(TEXTS))
    video = model.encode_video(*videos(model))
    for vectors in (text, video):
        distance = torch.cdist(vectors, vectors) + torch.eye(3, device=vectors.device)
        assert distance.min() > 1e-4


def test_a_frame_encoder_pools_its_frames(model: DualEncoder) -> None:
    if not isinstance(model, FrameEncoder):
        pytest.skip(f"{model.name} reads whole clips")
    frames, mask = videos(model)
    features = model.encode_frames(frames.flatten(0, 1)).unflatten(0, mask.shape)  # (B, T, F)
    pooled = model.pool_frames(features, mask.to(features.device))
    torch.testing.assert_close(model.encode_video(frames, mask), pooled, **CLOSE)
    odd = features.clone()
    odd[~mask] = 1000
    torch.testing.assert_close(model.pool_frames(odd, mask.to(features.device)), pooled, **CLOSE)


def test_what_cannot_be_encoded_is_refused(model: DualEncoder) -> None:
    frames, mask = videos(model)
    with pytest.raises(DataError, match=r"no frame"):
        model.encode_video(frames, torch.zeros_like(mask))
    with pytest.raises(DataError, match=r"no text"):
        model.tokenize([])


def test_a_saved_model_opens_again_as_it_was(model: DualEncoder, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path), device="cpu")
    assert again.fingerprint == model.fingerprint
    assert (again.dim, again.pixels) == (model.dim, model.pixels)
    frames, mask = videos(model)
    assert torch.equal(again.encode_video(frames, mask), model.encode_video(frames, mask))
    tokens, same = model.tokenize(TEXTS), again.tokenize(TEXTS)
    assert tokens.ids.equal(same.ids)
    assert torch.equal(again.encode_text(same), model.encode_text(tokens))
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def scored(model: nn.Module) -> Tensor:
    """A number that depends on every score; 0 of a model without vectors, whose losses have all."""
    if not isinstance(model, DualEncoder):
        return torch.zeros(())
    text = model.encode_text(model.tokenize(TEXTS))
    video = model.encode_video(*videos(model))
    if hasattr(model, "set_ranges"):  # without which parts of a score cannot be weighed
        model.set_ranges(text.detach(), video.detach())
    return (model.similarity(text, video) * torch.randn(3, 3)).sum()


def test_trainable_weights_learn_and_frozen_ones_do_not(component: ModuleType) -> None:
    with torch.inference_mode(False):
        torch.manual_seed(0)
        model = component.Config.tiny().build()
        if not isinstance(model, nn.Module):
            pytest.skip("nothing to train")
        weights = dict(model.named_parameters())
        if not any(weight.requires_grad for weight in weights.values()):
            pytest.skip("every weight is frozen")
        reached = scored(model)
        if hasattr(model, "losses"):  # some have heads that only a loss reaches
            targets = {"label": torch.arange(3)}  # for a model that is always asked
            batch = Batch(*videos(model), model.tokenize(TEXTS), torch.arange(3), targets)
            reached = reached + sum(model.losses(batch).values())
        reached.backward()
    for name, weight in weights.items():
        if "logit_" in name:  # temperature of a loss, which a cosine does not depend on
            continue
        assert (weight.grad is not None) == weight.requires_grad, name
