"""All-in-one on disk: Lightning's checkpoints with a report of their keys, and folders of our
own."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from reeltune.errors import CheckpointError
from reeltune.models.all_in_one import Config, convert, load
from reeltune.models.opening.material import Material
from reeltune.types import Pair, Split

LAYERS, WORDS, WIDTH, DIM = 2, 9, 32, 16
TIMES = "transformer.temporal_embed"
SKIPPED = ("text_embeddings.position_ids", "rank_output.weight", "rank_output.bias")
pytestmark = pytest.mark.usefixtures("one_thread")


def settings(**changes: Any) -> Config:
    return Config(**{**Config.tiny().model_dump(), "layers": LAYERS, "words": WORDS, **changes})


def linear(name: str, out: int, into: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(out, into), f"{name}.bias": torch.randn(out)}


def norm(name: str) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(WIDTH), f"{name}.bias": torch.randn(WIDTH)}


def released(frames: int = 3) -> dict[str, Tensor]:
    """Every key that the release has, with random weights of small sizes."""
    vocabulary = len(settings().build().words)
    text, vit = "text_embeddings", "transformer"
    state = {
        f"{text}.position_ids": torch.arange(WORDS)[None],
        f"{text}.word_embeddings.weight": torch.randn(vocabulary, WIDTH),
        f"{text}.position_embeddings.weight": torch.randn(WORDS, WIDTH),
        f"{text}.token_type_embeddings.weight": torch.randn(2, WIDTH),
        **norm(f"{text}.LayerNorm"),
        "token_type_embeddings.weight": torch.randn(2, WIDTH),
        f"{vit}.cls_token": torch.randn(1, 1, WIDTH),
        f"{vit}.pos_embed": torch.randn(1, 17, WIDTH),
        f"{vit}.temporal_embed": torch.randn(1, frames, WIDTH),
        f"{vit}.patch_embed.proj.weight": torch.randn(WIDTH, 3, 8, 8),
        f"{vit}.patch_embed.proj.bias": torch.randn(WIDTH),
    }
    for layer in range(LAYERS):
        block = f"{vit}.blocks.{layer}"
        state |= norm(f"{block}.norm1") | norm(f"{block}.norm2")
        state |= linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        state |= linear(f"{block}.attn.proj", WIDTH, WIDTH)
        state |= linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        state |= linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    return {
        **state,
        **norm(f"{vit}.norm"),
        **linear("pooler.dense", WIDTH, WIDTH),
        **linear("mlm_score.transform.dense", WIDTH, WIDTH),
        **norm("mlm_score.transform.LayerNorm"),
        "mlm_score.decoder.weight": torch.randn(vocabulary, WIDTH),
        "mlm_score.bias": torch.randn(vocabulary),
        **linear("itm_score.fc", 2, WIDTH),
        **linear("txt_proj", DIM, WIDTH),
        **linear("vid_proj", DIM, WIDTH),
        **linear("rank_output", 1, WIDTH),
    }


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"state_dict": state, "epoch": 3, "global_step": 9}, path)
    return path


def test_every_key_of_the_release_is_accounted_for(tmp_path: Path) -> None:
    given = released()
    report = convert(saved(tmp_path / "a.ckpt", given), tmp_path / "model", settings())
    assert set(report.loaded) == set(given) - set(SKIPPED)
    assert report.skipped == SKIPPED
    assert report.missing == report.unexpected == report.tied == report.interpolated == ()
    model = load(tmp_path / "model", "cpu")
    for name, weight in model.network.state_dict().items():
        assert torch.equal(weight, given[name]), name
    assert "3 skipped\nskipped: text_embeddings.position_ids, rank_output.weight" in str(report)


@pytest.mark.parametrize("frames", [2, 5])
def test_the_table_of_times_is_cut_or_filled_up_with_zeros(tmp_path: Path, frames: int) -> None:
    given = released(frames=3)
    source = saved(tmp_path / "a.ckpt", given)
    report = convert(source, tmp_path / "model", settings(frames=frames))
    assert report.interpolated == (TIMES,)
    assert TIMES in report.loaded
    table = load(tmp_path / "model", "cpu").network.transformer.temporal_embed[0]
    assert torch.equal(table[:3], given[TIMES][0, :frames])
    assert (table[3:] == 0).all()
    assert len(table) == frames


def test_missing_and_unexpected_keys_are_named(tmp_path: Path) -> None:
    given = released()
    del given["vid_proj.bias"]
    given["vqa_classifier.1.weight"] = torch.randn(16, WIDTH)  # of another task
    report = convert(saved(tmp_path / "a.ckpt", given), tmp_path / "model", settings())
    assert report.missing == ("vid_proj.bias",)
    assert report.unexpected == ("vqa_classifier.1.weight",)


def test_a_head_for_questions_is_loaded_where_it_is_asked_for(tmp_path: Path) -> None:
    config = settings(task="open-ended", answers=("up", "down"))
    head = config.build().network.state_dict()
    given = released() | {name: w for name, w in head.items() if name.startswith("vqa_classifier")}
    report = convert(saved(tmp_path / "a.ckpt", given), tmp_path / "model", config)
    assert report.missing == report.unexpected == ()
    assert "vqa_classifier.4.bias" in report.loaded


def test_what_lightning_names_beside_the_weights_is_let_in_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(module: str, name: str, base: type) -> type:
        """A class that a pickle calls by the name of one that is not installed here."""
        made = type(name, (base,), {"__module__": module})
        found = ModuleType(module)
        setattr(found, name, made)
        parts = module.split(".")
        for length in range(1, len(parts)):
            above = ".".join(parts[:length])
            if above not in sys.modules:
                monkeypatch.setitem(sys.modules, above, ModuleType(above))
        monkeypatch.setitem(sys.modules, module, found)
        return made

    plain = named("pytorch_lightning.utilities.parsing", "AttributeDict", dict)
    callback = named("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint", object)
    content = {
        "state_dict": released(),
        "hyper_parameters": plain(config={"num_frames": 3}),
        "callbacks": {callback: {"best_model_score": torch.ones(())}},
    }
    torch.save(content, tmp_path / "a.ckpt")
    other = named("pytorch_lightning.loggers", "Logger", dict)
    torch.save({**content, "logger": other()}, tmp_path / "b.ckpt")
    monkeypatch.undo()
    assert convert(tmp_path / "a.ckpt", tmp_path / "model", settings()).missing == ()
    with pytest.raises(CheckpointError, match=r"b\.ckpt cannot be read as a state dict of torch"):
        convert(tmp_path / "b.ckpt", tmp_path / "again", settings())


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.ckpt", released())
    with pytest.raises(CheckpointError, match=r"\(32, 3, 8, 8\) for \(32, 3, 4, 4\)"):
        convert(path, tmp_path / "model", settings(patch=4))
    saved(path, {"other": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"no key of All-in-one \(its first is 'other'\)"):
        convert(path, tmp_path / "model", settings())


def test_training_begins_with_a_converted_folder_and_says_what_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    convert(saved(tmp_path / "a.ckpt", released()), folder, settings())
    begun = settings(pretrained=folder).start(Material(device="cpu"))
    assert begun.said == ()
    assert begun.model.fingerprint == load(folder, "cpu").fingerprint
    pair = Pair(video="v", path=Path("v.mp4"), caption="what?", answer="up")
    material = Material(device="cpu", splits=(Split(pairs=(pair,), captions="single"),))
    asked = settings(pretrained=folder, task="open-ended", frames=5).start(material)
    assert asked.said == (
        "vqa_classifier begins with random weights",
        "taken of the table of times: 3 rows; 2 begin as zeros",
    )
    asked.model.save_pretrained(tmp_path / "up")
    other = settings(pretrained=tmp_path / "up", task="open-ended", answers=("down",), frames=5)
    assert other.start(Material(device="cpu")).said == (
        "vqa_classifier begins with random weights",
    )
    with pytest.raises(CheckpointError, match=r"convert all-in-one all-in-one-base.ckpt .*nowhere"):
        settings(pretrained=tmp_path / "nowhere").start()


def test_there_are_no_weights_without_a_folder() -> None:
    with pytest.raises(CheckpointError, match=r"all-in-one has no weights of its own; .*base.ckpt"):
        load(None)
