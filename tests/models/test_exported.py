"""An exported model makes the vectors of the one that it was made of, and reads nothing else."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reeltune.compress.onnx_int8 import to_int8
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models import clip, tuned
from reeltune.models.exported.card import CARD, FRAMES, TEXT, WORDS, exported_folder
from reeltune.models.exported.session import Session
from reeltune.models.exported.towers import Exported, open_exported
from reeltune.models.exported.write import graphs_of, require_equal, write_card, write_onnx
from reeltune.models.opening.open import open_encoder
from reeltune.nn.quantize import quantize
from reeltune.registry import find
from reeltune.search.encoder import Encoder
from reeltune.types import FrameEncoder

TEXTS = ["a dog", "Two men ride bicycles &amp; sing", "東京", "one word more " * 40, " "]


def written(model: Any, folder: Path) -> Exported:
    folder.mkdir(exist_ok=True)
    whole, graphs = graphs_of(model, "it")
    write_onnx(whole, graphs, "it", folder)
    return Exported(folder)


@pytest.fixture(scope="module")
def original(model: str) -> Any:
    return open_encoder(model, "cpu")


@pytest.fixture(scope="module")
def folder(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(original, tmp_path_factory.mktemp("exported") / "clip").folder


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def frames_of(count: int, side: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


@torch.inference_mode()
def test_texts_and_clips_are_as_by_torch_in_batches_of_any_size(
    original: Any, folder: Path
) -> None:
    made = Exported(folder)
    assert (made.dim, made.pixels) == (original.dim, original.pixels)
    for texts in (TEXTS, TEXTS[:1], TEXTS * 15):
        wanted = original.encode_text(original.tokenize(texts)).numpy()
        assert np.abs(made.texts(texts) - wanted).max() < 1e-5
    for count in (1, 3, 40):
        frames = frames_of(count)
        mask = torch.ones(1, count, dtype=torch.bool)
        wanted = original.encode_video(frames[None], mask).numpy()
        assert np.abs(made.clips([made.rows(frames.numpy())]) - wanted).max() < 1e-5
    assert made.texts([]).shape == made.clips([]).shape == (0, made.dim)
    read, tokens = made.read(TEXTS), original.tokenize(TEXTS)
    assert read.known.tolist() == tokens.known.tolist() == [True, True, True, True, False]
    assert read.cut.tolist() == tokens.cut.tolist()
    assert read.mask.tolist() == tokens.mask.long().tolist()


@torch.inference_mode()
def test_it_opens_as_a_frame_encoder_that_can_be_evaluated(original: Any, folder: Path) -> None:
    opened = open_encoder(str(folder))
    assert isinstance(opened, FrameEncoder)
    assert opened.fingerprint not in ("", original.fingerprint)
    frames, mask = frames_of(6).unflatten(0, (2, 3)), torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    video, text = opened.encode_video(frames, mask), opened.encode_text(opened.tokenize(TEXTS))
    torch.testing.assert_close(video, original.encode_video(frames, mask), atol=1e-5, rtol=0)
    torch.testing.assert_close(opened.similarity(text, video), (text @ video.T), atol=1e-5, rtol=0)
    with pytest.raises(DataError, match="a video has no frame at all"):
        opened.encode_video(frames, mask & False)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["lite", "lite-zero"])
def test_means_over_frames_of_the_graph_make_a_clip_of_lite(name: str) -> None:
    model = find("models", name).load(None)
    _, graphs = graphs_of(model, name)
    frames, mask = frames_of(3, model.pixels.size), torch.ones(1, 3, dtype=torch.bool)
    mean, parts, at = graphs.frames(frames).mean(0), [], 0
    for part in graphs.parts:
        some = mean[at : at + part.width]
        parts.append(some * part.length / some.norm())
        at += part.width
    wanted = model.encode_video(frames[None], mask)[0]
    torch.testing.assert_close(torch.cat(parts), wanted, atol=1e-5, rtol=0)
    tokens = model.tokenize(TEXTS)
    read = graphs.text(tokens.ids, tokens.mask.long())
    torch.testing.assert_close(read, model.encode_text(tokens), atol=1e-5, rtol=0)


def test_a_siglip_and_a_tuned_clip_are_exported_as_well(tmp_path: Path) -> None:
    small = clip.Config.tiny()
    siglip = small.model_copy(update={"family": "siglip", "dim": 16}).build()
    made = written(siglip, tmp_path / "siglip")
    assert require_equal(siglip, made, "it") < 1e-5
    whole, graphs = graphs_of(tuned.Config.tiny().build(), "it")
    assert graphs.parts[0].length == 1.0
    whole.clip.unit_videos = False  # type: ignore[attr-defined]
    _, graphs = graphs_of(whole, "it")
    assert graphs.parts[0].length is None, "a plain mean, as some released models have"


def test_a_plain_mean_keeps_its_length(copied: Path, original: Any) -> None:
    card = json.loads((copied / CARD).read_text())
    card["parts"] = [{"width": 10, "length": None}, {"width": 14, "length": 0.5}]
    (copied / CARD).write_text(json.dumps(card))
    made = Exported(copied)
    rows = made.rows(frames_of(3).numpy())
    mean = sum(rows) / 3
    (found,) = made.clips([rows])
    np.testing.assert_allclose(found[:10], mean[:10], atol=1e-6)
    wanted = mean[10:] / np.linalg.norm(mean[10:]) / 2
    np.testing.assert_allclose(found[10:], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("dual-encoding", "it reads features that another model made"),
        ("vop", "nothing says how its towers|it reads all frames of a clip together"),
        ("univl", "it reads features that another model made|it scores pairs"),
        ("violet", "it scores pairs"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(name: str, why: str) -> None:
    model = find("models", name).Config.tiny().build()
    with pytest.raises(ConfigError, match=f"^it cannot be exported: ({why})"):
        graphs_of(model, "it")


def test_other_layers_and_another_layout_are_refused_too(original: Any) -> None:
    with pytest.raises(ConfigError, match="its layers are int8 of our own"):
        graphs_of(quantize(original), "it")
    naflex = clip.Config.tiny().model_copy(update={"family": "siglip2", "dim": 16})
    with pytest.raises(ConfigError, match="lays out its positions anew for each picture"):
        graphs_of(naflex.build(), "it")


def test_an_export_that_differs_from_its_model_is_refused(original: Any, copied: Path) -> None:
    other = clip.Config.tiny().build()
    with pytest.raises(ConfigError, match=r"is off by .*, and at most 0\.0001 is rounding"):
        require_equal(other, Exported(copied), "it")
    (copied / FRAMES).write_bytes((copied / TEXT).read_bytes())
    with pytest.raises(ConfigError, match="what ONNX makes of it does not run"):
        require_equal(original, Exported(copied), "it")


def broken_card(folder: Path) -> None:
    (folder / CARD).write_text("{}")


def broken_graph(folder: Path) -> None:
    (folder / TEXT).write_bytes(b"no graph")


def broken_words(folder: Path) -> None:
    (folder / WORDS).write_text("{}")


def elsewhere(folder: Path) -> None:
    content = (folder / TEXT).read_bytes()
    (folder / TEXT).write_bytes(content + b"\x0a\x08location\x12\x0b/etc/passwd")


def narrower(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    card["parts"][0]["width"] = 3
    (folder / CARD).write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (broken_card, r"does not say how the exported model is read \(reeltune: Field required\)"),
        (broken_graph, "cannot be run by onnxruntime"),
        (broken_words, "is no tokenizer"),
        (elsewhere, "reads weights from another file"),
        (narrower, r"wanted are as many vectors of 3 finite numbers"),
    ],
)
def test_a_folder_that_is_not_as_it_was_written_says_what_to_do(
    copied: Path, spoil: Any, says: str
) -> None:
    spoil(copied)
    with pytest.raises(CheckpointError, match=f"{says}.*export the model again"):
        Exported(copied).texts(["a dog"])


def test_the_fingerprint_is_of_all_files(copied: Path, original: Any) -> None:
    first = Exported(copied).fingerprint
    write_card(*graphs_of(original, "it"), "another name", copied, "float32")
    assert Exported(copied).fingerprint != first
    (copied / WORDS).unlink()
    with pytest.raises(CheckpointError, match="is no whole export"):
        _ = Exported(copied).fingerprint


def test_it_is_known_by_its_folder_and_runs_on_the_processor_uncut(
    folder: Path, model: str, copied: Path
) -> None:
    assert exported_folder(str(folder)) == folder
    assert exported_folder(model) is exported_folder("lite") is None
    with pytest.raises(ConfigError, match="runs on the processor in its own precision"):
        open_exported(folder, "it", "cuda")
    with pytest.raises(ConfigError, match=r"--width is 8, and the vectors of .* are not cut"):
        _ = Encoder.named(str(folder), None, 8, None).arrays
    with pytest.raises(DataError, match=r"reads uint8 \(B, 3, 32, 32\)"):
        Exported(folder).rows(np.zeros((1, 3, 8, 8), np.uint8))


@torch.inference_mode()
def test_convolutions_in_int8_are_near_those_in_float32(tmp_path: Path) -> None:
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.Conv2d(8, 8, 3), nn.ReLU6(), nn.Conv2d(8, 4, 3)]
    net, seen = nn.Sequential(*layers).eval(), torch.rand(6, 3, 12, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's tracer
        torch.onnx.export(
            *(net, (seen,), tmp_path / "whole.onnx"),
            input_names=["frames"],
            dynamo=False,
        )
    to_int8(tmp_path / "whole.onnx", tmp_path / "small.onnx", [{"frames": seen.numpy()}])
    made, wanted = Session(tmp_path / "small.onnx").run(frames=seen.numpy()), net(seen).numpy()
    assert 0 < np.abs(made - wanted).max() < 0.1 * np.abs(wanted).max()
