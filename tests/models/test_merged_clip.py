"""A CLIP that merges tokens of a frame: what is the same, what is not, and where it is refused."""

from pathlib import Path

import pytest
import torch
from small_prompts import SMALL, TEXTS, ragged, shake
from torch.nn import functional as F

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import clip, tempme, tuned, vop
from reeltune.models.exported.sentence_transformers import plain_clip
from reeltune.models.opening.open import open_model
from reeltune.models.text_towers.layers import ACTIVATIONS
from reeltune.records import Precision
from reeltune.runs.place import RunPlace
from reeltune.runs.prune import prune_checkpoint
from reeltune.runs.pruned_files import Amounts

pytestmark = pytest.mark.usefixtures("one_thread")


def small(merged: int = 0) -> clip.Clip:
    base = SMALL.build()
    shake(base)
    base.merge(merged)
    return base


def test_merging_nothing_is_plain_clip_bit_for_bit() -> None:
    plain, merging = small(), small(3)
    frames, mask = ragged(4, 2)
    assert not torch.equal(merging.encode_video(frames, mask), plain.encode_video(frames, mask))
    merging.merge(0)
    assert torch.equal(merging.encode_video(frames, mask), plain.encode_video(frames, mask))
    assert merging.fingerprint == plain.fingerprint


def test_it_is_tempme_without_updates_and_joins() -> None:
    config = tempme.Config(base=None, architecture=SMALL, rank=0, within=3, joins=())
    frames, mask = ragged(4, 2)
    got = small(3).encode_video(frames, mask)
    wanted = tempme.TempMe(config, small()).eval().encode_video(frames, mask)
    torch.testing.assert_close(got, wanted, atol=2e-6, rtol=0)


def test_texts_are_as_they_were_and_fingerprints_differ() -> None:
    models = [small(merged) for merged in (0, 1, 2)]
    tokens = models[0].tokenize(TEXTS)
    for model in models[1:]:
        assert torch.equal(model.encode_text(tokens), models[0].encode_text(tokens))
    assert len({model.fingerprint for model in models}) == 3


def test_a_stored_model_merges_when_it_is_opened_again(tmp_path: Path) -> None:
    model = small(3)
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path))
    assert (again.merged, again.fingerprint) == (3, model.fingerprint)
    frames, mask = ragged(3)
    assert torch.equal(again.encode_video(frames, mask), model.encode_video(frames, mask))
    tower = again.text_tower()
    assert (tower is None) == (again.towers.config.text_config.hidden_act not in ACTIVATIONS)


@pytest.mark.parametrize("told", ["merged: -1", "merged: much", "other: 1"])
def test_a_card_that_says_something_else_is_refused(told: str, tmp_path: Path) -> None:
    small(3).save_pretrained(tmp_path)
    (tmp_path / "config.yaml").write_text(f"model: clip\nconfig: {{{told}}}\n")
    with pytest.raises(CheckpointError, match=rf"has {told.split(':')[0]} wrong for clip"):
        open_model(str(tmp_path))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_rounded_model_merges_too(precision: Precision) -> None:
    model, (frames, mask) = small(3), ragged(3)
    rounded = model.rounded(precision)
    assert (rounded.merged, rounded.fingerprint) == (3, model.fingerprint)
    both = rounded.encode_video(frames, mask), model.encode_video(frames, mask)
    assert F.cosine_similarity(*both).min() > 0.9


def test_a_siglip_merges_nothing() -> None:
    tower = clip.Tower(width=16, layers=2, heads=2)
    siglip = clip.Config(
        family="siglip", vision=tower, text=tower, dim=16, image=32, patch=8, vocabulary=514
    )
    with pytest.raises(ConfigError, match="is a siglip, whose vector is made of all tokens"):
        siglip.build().merge(2)


def test_what_would_not_merge_is_refused(tmp_path: Path) -> None:
    base = small(3)
    with pytest.raises(ConfigError, match="merges 3 tokens of a frame in each layer, which is not"):
        vop.Vop(vop.Config(base=None, architecture=SMALL), base)
    with pytest.raises(ConfigError, match="merges 3 tokens of a frame in each layer, which is not"):
        tempme.TempMe(tempme.Config(base=None, architecture=SMALL, joins=()), base)
    with pytest.raises(ConfigError, match="give the CLIP that it was made of"):
        plain_clip(base, "it")
    with pytest.raises(ConfigError, match="it merges tokens of a frame, in an order that is"):
        base.graphs()


def test_a_tuned_model_stands_on_it_and_merges() -> None:
    config = tuned.Config(base=None, architecture=SMALL, method="bias")
    frames, mask = ragged(3)
    own = tuned.Tuned(config, small(3))
    assert torch.equal(own.encode_video(frames, mask), small(3).encode_video(frames, mask))
    assert own.fingerprint


def test_prune_writes_a_folder_whose_model_merges(tmp_path: Path) -> None:
    small().save_pretrained(tmp_path / "plain")
    asked = Amounts(weights=0.0, merge=2)
    place = RunPlace(out=tmp_path / "fast")
    found = prune_checkpoint(str(tmp_path / "plain"), asked, place, repeats=1)
    assert found.census.zeros == 0
    plain, fast = (open_model(str(tmp_path / name)) for name in ("plain", "fast"))
    assert (plain.merged, fast.merged) == (0, 2)
    weights = fast.state_dict()
    assert all(torch.equal(weights[name], one) for name, one in plain.state_dict().items())
    frames, mask = ragged(3)
    assert torch.equal(fast.encode_video(frames, mask), small(2).encode_video(frames, mask))


def test_prune_merges_tokens_of_a_clip_alone(tmp_path: Path) -> None:
    config = tuned.Config(base=None, architecture=SMALL, method="bias")
    tuned.Tuned(config, small()).save_pretrained(tmp_path / "run")
    place = RunPlace(out=tmp_path / "fast")
    with pytest.raises(ConfigError, match=r"--merge merges tokens of a frame in a CLIP, and .*run"):
        prune_checkpoint(str(tmp_path / "run"), Amounts(weights=0.0, merge=2), place)
