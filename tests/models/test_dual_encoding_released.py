"""Released checkpoints give the scores that the released code gives."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_dual_encoding import clips, rows, stacked, tokens

from oracles.released_dual_encoding import Released
from reeltune.errors import CheckpointError
from reeltune.models._dual_encoding._vocabulary import Vocabulary
from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.models.released import dual_encoding
from reeltune.models.released.dual_encoding_file import read_released

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = Vocabulary(tuple("abcdefghijk"))
LENGTHS = [5, 1, 70, 3]  # one is longer than the 64 frames that are read


def convert(path: Path, words: Vocabulary, bag: Vocabulary | None = None) -> DualEncoding:
    return dual_encoding.convert(read_released(path), words, bag)


def bags(ids: list[list[int]], order: Vocabulary = WORDS) -> torch.Tensor:
    letters = [[WORDS.words[i - 4] for i in row if i >= 4] for row in ids]
    return torch.tensor([[row.count(w) for w in order.words] for row in letters]).float()


@pytest.mark.parametrize("concepts", [5, 0])
@torch.no_grad()
def test_converted_weights_give_the_released_scores(tmp_path: Path, concepts: int) -> None:
    torch.manual_seed(0)
    wider = 6 if concepts else 9  # the video GRU of 2019 has more units than that of texts
    released, frames, ids = Released(len(WORDS), concepts, wider), clips(LENGTHS), rows()
    model = convert(released.save(tmp_path / "model_best.pth.tar"), WORDS)
    assert (model.config.concepts, model.config.hs_compat) == (concepts, True)
    assert (model.config.dropout, model.config.margin, model.config.feature) == (
        0.1,
        0.3,
        "made-up",
    )
    latent, concept = released.scores(frames, ids, bags(ids))
    video, text = model.encode_video(*stacked(frames)), model.encode_text(tokens(ids))
    cut = model.indexed
    torch.testing.assert_close(text[:, :cut] @ video[:, :cut].T, latent, atol=1e-5, rtol=0)
    if concepts:
        only = model._hybrid.concept_scores(text, video)
        torch.testing.assert_close(only, concept, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_bag_of_words_in_another_order_is_brought_into_that_of_the_ids(tmp_path: Path) -> None:
    torch.manual_seed(0)
    released, frames, ids = Released(len(WORDS)), clips(LENGTHS), rows()
    bag = Vocabulary((*WORDS.words[4:], *WORDS.words[:4]))
    path = released.save(tmp_path / "model_best.pth.tar")
    latent, _ = released.scores(frames, ids, bags(ids, bag))
    for given, fits in ((bag, True), (None, False)):
        model = convert(path, WORDS, given)
        video, text = model.encode_video(*stacked(frames)), model.encode_text(tokens(ids))
        assert torch.allclose(text[:, :10] @ video[:, :10].T, latent, atol=1e-5) == fits
    with pytest.raises(CheckpointError, match=r"differ in 2 words, such as 'a'"):
        convert(path, WORDS, Vocabulary(("z", *WORDS.words[1:])))


@torch.no_grad()
def test_a_converted_model_is_saved_and_opened_as_any_other(tmp_path: Path) -> None:
    from reeltune.models.opening.open import open_model

    model = convert(Released(len(WORDS)).save(tmp_path / "released.tar"), WORDS)
    model.save_pretrained(tmp_path / "ours")
    again = open_model(str(tmp_path / "ours"), "cpu")
    assert again.fingerprint == model.fingerprint
    assert again.encode_text(tokens(rows())).equal(model.encode_text(tokens(rows())))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    released = Released(len(WORDS))
    path = released.save(tmp_path / "m.tar")
    with pytest.raises(CheckpointError, match=r"knows 11 words.*has 2; give the vocabulary"):
        convert(path, Vocabulary(("a", "b")))
    stored = torch.load(path, weights_only=False)
    states = stored["model"]
    whole = states[1]["embed.weight"]
    states[1]["embed.weight"] = whole * float("nan")
    torch.save(stored, path)
    with pytest.raises(
        CheckpointError, match=r"m\.tar: text\..* numbers that are not finite; down"
    ):
        convert(path, WORDS)
    states[1]["embed.weight"] = whole
    states[0]["attention.weight"] = torch.zeros(1)
    del states[3]["tag_fc_batch_norm.bias"]
    torch.save(stored, path)
    with pytest.raises(
        CheckpointError,
        match=r"1 missing \(text\.space\.concept_norm\.bias\).*"
        r"1 unexpected \(video\.levels\.attention\.weight\)",
    ):
        convert(path, WORDS)
    del states[0]["attention.weight"], states[1]["embed.weight"]
    torch.save(stored, path)
    with pytest.raises(CheckpointError, match=r"lacks embed\.weight, by which"):
        convert(path, WORDS)


def test_a_reduced_model_without_the_first_level_is_refused(tmp_path: Path) -> None:
    released = Released(len(WORDS))
    for mapping, width in ((released.video_map, 28), (released.text_map, 24)):
        for layer in (mapping.mapping["fc1"], mapping.tag_fc):
            layer.weight = torch.nn.Parameter(layer.weight[:, :width].clone())
    with pytest.raises(CheckpointError, match=r"trained with concate='reduced', and what is"):
        convert(released.save(tmp_path / "m.tar", concate="reduced"), WORDS)
    with pytest.raises(CheckpointError, match=r"4 of another shape \(text\.space\.concept"):
        convert(released.save(tmp_path / "m.tar"), WORDS)


WRONG = {
    "gru_pool": ("max", r"trained with gru_pool='max', and what is computed here is 'mean', so its "
                 r"vectors would be others; measure it with the code that it came from"),
    "measure": ("euclidean", r"measure='euclidean', and what is computed here is 'cosine'"),
    "measure_2": ("cosine", r"measure_2='cosine', and what is computed here is 'jaccard'"),
    "text_norm": (False, r"text_norm=False, and what is computed here is True"),
    "model": ("w2vvpp", r"model='w2vvpp', and what is computed here is 'dual_encoding' or"),
    "space": ("latent", r"says space='latent', and its weights are of 'hybrid'; take options"),
    "text_rnn_size": (7, r"says text_rnn_size=7, and its weights are of 6"),
    "visual_mapping_layers": ([38, 10], r"says visual_mapping_layers=\[38, 10\], and its .*37"),
    "heads": (8, r"trained with the option heads=8, which neither hybrid_space nor dual_encoding"),
    "dropout": (1.5, r"dropout=1\.5.*less than 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_an_option_that_means_other_vectors_is_refused_by_name(tmp_path: Path, name: str) -> None:
    value, message = WRONG[name]
    path = Released(len(WORDS)).save(tmp_path / "m.tar", **{name: value})
    with pytest.raises(CheckpointError, match=message):
        convert(path, WORDS)


def test_options_of_concepts_mean_nothing_where_there_are_none(tmp_path: Path) -> None:
    options = {"space": "latent", "model": "dual_encoding_latent", "measure_2": "cosine"}
    path = Released(len(WORDS), 0).save(tmp_path / "m.tar", **options, tag_vocab_size=512)
    assert convert(path, WORDS).config.concepts == 0


def test_the_best_figure_may_be_a_number_of_numpys(tmp_path: Path) -> None:
    path = Released(len(WORDS)).save(tmp_path / "m.tar", best=np.float64(1.5))
    assert read_released(path).best is None
    assert convert(path, WORDS).config.words == len(WORDS)


def test_a_file_that_python_2_wrote_is_read_as_any_other(tmp_path: Path) -> None:
    released = Released(len(WORDS), 0, 9)
    old = convert(released.save_as_python_2(tmp_path / "old.tar"), WORDS)
    new = convert(released.save(tmp_path / "new.tar"), WORDS)
    assert (old.fingerprint, old.config) == (new.fingerprint, new.config)


def test_the_model_of_2019_has_the_weights_that_its_release_has() -> None:
    sizes = {"features": 2048, "video_hidden": 1024, "latent": 2048, "concepts": 0}
    with torch.device("meta"):
        model = Config(**sizes).build()
    assert sum(weight.numel() for weight in model.parameters()) == 79_136_220


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the checkpoint ran code')",)


def test_files_that_are_no_released_model_are_told(tmp_path: Path) -> None:
    path = tmp_path / "m.tar"
    torch.save({"model": Harmful()}, path)
    with pytest.raises(CheckpointError, match=r"cannot be read as a released Dual Encoding"):
        convert(path, WORDS)
    torch.save({"model": [{}]}, path)
    with pytest.raises(CheckpointError, match=r"no options under 'opt'"):
        convert(path, WORDS)
    torch.save({"model": [{}], "opt": Namespace()}, path)
    with pytest.raises(CheckpointError, match=r"no list of 4 state dicts.*, and none of 2"):
        convert(path, WORDS)
    torch.save([{}], path)
    with pytest.raises(CheckpointError, match=r"holds a list and not weights beside their options"):
        convert(path, WORDS)
    with pytest.raises(CheckpointError, match=r"No such file"):
        convert(tmp_path / "none.tar", WORDS)
