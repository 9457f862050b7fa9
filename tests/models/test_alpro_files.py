"""ALPRO on disk: files of the released key lists, with a report of their keys."""

from pathlib import Path

import pytest
import torch

from oracles.released_alpro import Layout, random_weights, shapes_of, write
from reeltune.errors import CheckpointError, DataError
from reeltune.models._alpro.network import Network, Sizes
from reeltune.models._alpro.released import PLACES, TIMES, fitted
from reeltune.models.alpro import Config, convert
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import open_model
from reeltune.models.released.alpro_lists import answers_in, entities_in

WIDTH = 8
HEAD = {f"visual_encoder.model.head.{part}" for part in ("weight", "bias")}
IDS = "text_encoder.bert.embeddings.position_ids"
SAME = "text_encoder.cls.predictions.decoder.bias -> text_encoder.cls.predictions.bias"
pytestmark = pytest.mark.usefixtures("one_thread")


def settings(**changes: object) -> Config:
    """The released model, but narrow and with the small vocabulary."""
    sizes = {"width": WIDTH, "heads": 2, "vocabulary": "small", "prompter": None}
    return Config().model_copy(update={**sizes, **changes})


def words() -> int:
    return len(Config.tiny().build().words)


def released(folder: Path, layout: Layout, **changes: int) -> Path:
    return write(folder / "a.pt", random_weights(shapes_of(layout, WIDTH, words(), **changes)))


def test_the_released_names_have_the_released_counts() -> None:
    """At full size, and of each layout exactly what the file has beside what nothing reads."""
    shapes = shapes_of("retrieval", 768, 30522)
    with torch.device("meta"):
        wanted = {n: tuple(w.shape) for n, w in Network(Sizes()).state_dict().items()}
    extra = {*HEAD, IDS, SAME.split(" ")[0]}
    assert {name: shape for name, shape in shapes.items() if name not in extra} == wanted
    assert len(wanted) == 457


def test_a_checkpoint_for_retrieval_becomes_a_folder(tmp_path: Path) -> None:
    path = released(tmp_path, "retrieval")
    report = convert(path, tmp_path / "ours", settings())
    assert report.missing == ()
    assert set(report.unexpected) == {*HEAD, IDS}
    assert report.renamed == (SAME,)
    assert report.interpolated == ()
    assert report.tied == ("text_encoder.cls.predictions.decoder.weight",)
    assert len(report.loaded) == 457
    model = open_model(str(tmp_path / "ours"), "cpu")
    given = torch.load(path, weights_only=True)
    for name, weight in model.network.state_dict().items():
        assert torch.equal(weight, given[name]), name
    assert model.temperature == pytest.approx(0.05)


def test_a_checkpoint_of_pretraining_brings_its_prompter(tmp_path: Path) -> None:
    path = released(tmp_path, "pretraining")
    report = convert(path, tmp_path / "ours", settings(entities=("man", "dog", "car", "sky")))
    assert report.missing == ()
    inside = {"prompter.video_prompt_feat", "prompter.image_prompt_feat"}
    own = {*HEAD, IDS}
    assert set(report.unexpected) == {*own, *(f"prompter.{name}" for name in own), *inside}
    assert len(report.loaded) == 457 + 4 + 457
    prompter = open_model(str(tmp_path / "ours" / "prompter"), "cpu")
    given = torch.load(path, weights_only=True)
    name = "vision_proj.weight"
    assert torch.equal(prompter.network.get_parameter(name), given[f"prompter.{name}"])
    begun = settings(pretrained=tmp_path / "ours").start(Material(device="cpu"))
    assert begun.said == ()
    assert begun.model.config.prompter == str(tmp_path / "ours" / "prompter")
    assert begun.model.config.entities == ("man", "dog", "car", "sky")


def test_heads_without_names_of_their_outputs_are_left_out_and_told(tmp_path: Path) -> None:
    report = convert(released(tmp_path, "pretraining"), tmp_path / "ours", settings())
    assert {name for name in report.unexpected if name.startswith("mpm_head")} == {
        f"mpm_head.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")
    }


def test_a_checkpoint_for_questions_is_renamed_and_answers_by_its_list(tmp_path: Path) -> None:
    asked = settings(task="open-ended", answers=("man", "dog", "two"))
    report = convert(released(tmp_path, "questions", frames=16), tmp_path / "ours", asked)
    assert all(name.startswith("text_encoder.cls.") for name in report.missing)
    assert "text_encoder.encoder.layer.0.output.dense.bias -> " in "".join(report.renamed)
    assert len(report.renamed) == 12 * 16 + 6
    assert report.interpolated == (TIMES,)
    assert "interpolated: visual_encoder.model.time_embed" in str(report)
    model = open_model(str(tmp_path / "ours"), "cpu")
    assert model.answers == ("man", "dog", "two")
    begun = asked.model_copy(update={"pretrained": tmp_path / "ours", "tasks": ()})
    assert begun.start(Material(device="cpu")).said == ()


def test_tables_are_stretched_to_the_nearest_row() -> None:
    places, times = torch.arange(5.0).view(1, 5, 1), torch.arange(4.0).view(1, 4, 1)
    given = {PLACES: places, TIMES: times}
    found = fitted(given, 4, 6, Path("a.pt"))
    square = [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
    assert found.weights[PLACES].flatten().tolist() == [0, *square]
    assert found.weights[TIMES].flatten().tolist() == [0, 0, 1, 2, 2, 3]
    assert found.interpolated == (PLACES, TIMES)
    assert fitted(given, 2, 4, Path("a.pt")).interpolated == ()


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = released(tmp_path, "retrieval")
    with pytest.raises(CheckpointError, match=r"has 4 weights of another shape than the model"):
        convert(path, tmp_path / "ours", settings(dim=12))
    weights = torch.load(path, weights_only=True)
    write(path, {**weights, "text_encoder.cls.predictions.decoder.bias": torch.ones(words())})
    with pytest.raises(CheckpointError, match=r"two values for one tied weight.*decoder\.bias"):
        convert(path, tmp_path / "ours", settings())
    write(path, {"other": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"no key of ALPRO \(its first is 'other'\); give"):
        convert(path, tmp_path / "ours", settings())
    ragged = {**weights, PLACES: torch.zeros(1, 4, WIDTH)}
    with pytest.raises(
        CheckpointError, match=r"has 1 weight of another shape .*pos_embed \(1, 4, 8\)"
    ):
        convert(write(path, ragged), tmp_path / "ours", settings())


def test_lists_beside_checkpoints_are_read_in_the_order_of_the_heads(tmp_path: Path) -> None:
    (tmp_path / "unigrams.txt").write_text("man 120\ndog 90\n" + "more 1\n" * 2000)
    found = entities_in(tmp_path / "unigrams.txt")
    assert (found[:3], len(found)) == (("man", "dog", "more"), 1000)
    (tmp_path / "labels.json").write_text('{"two": 1, "man": 0, "dog": 2}')
    assert answers_in(tmp_path / "labels.json") == ("man", "two", "dog")
    for text, message in (
        ('{"two": 1}', r"labels \[1\] and so on, and not each of 0 to 0"),
        ("[1, 2]", r"is no JSON object of answers"),
        ('{"two": "x", "one": 1}', r"is no JSON object of answers"),
        ("nothing", r"is no JSON object of answers"),
    ):
        (tmp_path / "labels.json").write_text(text)
        with pytest.raises(DataError, match=message):
            answers_in(tmp_path / "labels.json")
    for text in ("\n", "man 120\n\ndog 90\n"):
        (tmp_path / "unigrams.txt").write_text(text)
        with pytest.raises(DataError, match=r"has no words, or a line without one .*unigrams"):
            entities_in(tmp_path / "unigrams.txt")
    with pytest.raises(DataError, match=r"cannot be read"):
        entities_in(tmp_path / "absent.txt")
