"""UniVL from recipe to report: retrieval by pairs, captions, transcripts, and a run read again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltune.batches.in_order import clip_batches, gallery_of
from reeltune.batches.loader import Loader, Order
from reeltune.cli.bars import TrainingBar
from reeltune.data.toybox import Config as Toybox
from reeltune.errors import ConfigError
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.captioning import CaptioningReport
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.rescore import rescored
from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.material import Material
from reeltune.models.univl import Univl
from reeltune.recipes.read import read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import require_ready
from reeltune.runs.train import run_recipe
from reeltune.tasks import captioning, pair_retrieval
from reeltune.tasks.finding.judge import (
    judge,
    require_scores,
    texts_of,
)
from reeltune.tasks.finding.reports import compare_files, read_report
from reeltune.tasks.pair_retrieval import evaluate_pairs, pair_scores
from reeltune.training.log import read_log
from reeltune.types import Pair, Split

TINY = {
    "options.size": "tiny",
    "training.epochs": 2,
    "training.batch": 8,
    "config.width": 16,
    "config.heads": 2,
}


@pytest.fixture(scope="module", autouse=True)
def without_java() -> Iterator[None]:
    """Figures that need it are left out, and are tested where captions are scored; it is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        yield


def recipe(method: str, **changes: object) -> Recipe:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return read_recipe(f"toybox/{method}", {**TINY, **named})


class Numbers:
    """A `ClipReader` whose clips are made of the numbers of their names."""

    policy = "numbers"

    def read(self, pair: Pair) -> np.ndarray:
        source = np.random.default_rng(int(pair.video[4:]))
        return source.standard_normal((3 + int(pair.video[4:]) % 3, 96)).astype(np.float32)


def numbered(count: int = 5) -> Split:
    words = ("a red box", "the disc moves", "blue", "a green circle grows and spins", "a box")
    pairs = tuple(
        Pair(video=f"clip{i}", path=Path(f"clip{i}.mp4"), caption=f"{words[(i + j) % 5]} {j}")
        for i in range(count)
        for j in range(3)
    )
    return Split(pairs=pairs, captions="multiple")


def model_of(method: str, **changes: object) -> Univl:
    torch.manual_seed(0)
    config = recipe(method, **changes).model_config_of()
    return config.start(Material(device="cpu", width=96)).model


def test_pairs_are_scored_as_one_by_one_whatever_the_padding() -> None:
    model, split = model_of("univl"), numbered()
    gallery, clips = gallery_of(split.pairs)
    texts = [pair.caption for pair in split.pairs]
    found = pair_scores(model, Numbers(), texts, clips)
    assert found.shape == (15, 5)
    with torch.no_grad():
        for i, text in enumerate(texts):
            for j, batch in enumerate(clip_batches(Numbers(), clips, 1)):
                alone = float(model.score(model.tokenize([text]), *batch))
                assert found[i, j] == pytest.approx(alone, abs=1e-5)
    report = evaluate_pairs(model, Numbers(), split, Named("numbers", "test"))
    own = found[np.arange(15), np.repeat(np.arange(5), 3)]
    assert report.ranks.t2v == (found >= own[:, None]).sum(axis=1).tolist()
    assert report.protocol.scores == "pairs"
    assert report.beside.keys() == {"similarity t2v", "similarity v2t"}
    assert len(gallery) == report.protocol.gallery


def test_scores_of_pairs_are_post_processed_by_a_bank_of_pairs() -> None:
    model, split = model_of("univl"), numbered()
    bank = Split(pairs=split.pairs[:6], captions="multiple")
    asked = Asked(post=("dsl 1", "qb-norm 20 1"), bank=bank)
    report = evaluate_pairs(model, Numbers(), split, Named("numbers", "test"), asked=asked)
    clips, texts = gallery_of(split.pairs)[1], [pair.caption for pair in split.pairs]
    scores = pair_scores(model, Numbers(), texts, clips)
    others = [pair.caption for pair in bank.pairs]
    banks = (
        pair_scores(model, Numbers(), others, clips),
        pair_scores(model, Numbers(), texts, gallery_of(bank.pairs)[1]),
    )
    for name in asked.post:
        there, _ = rescored(scores, name, *banks)
        own = there[np.arange(15), np.repeat(np.arange(5), 3)]
        wanted = (there >= own[:, None]).sum(axis=1).tolist()
        assert report.ranks.beside[f"{name} t2v"] == wanted
    assert "similarity v2t" in report.beside


def test_a_model_that_writes_captions_has_no_scores() -> None:
    with pytest.raises(ConfigError, match=r"have no scores; leave out --scores, --post and"):
        require_scores(model_of("univl-caption"), Asked(post=("dsl 1",)))
    require_scores(model_of("univl-caption"), Asked())


def test_a_quick_judgement_takes_two_captions_of_each_video() -> None:
    report = judge(model_of("univl"), Numbers(), numbered(), Named("numbers", "val"), quick=True)
    assert isinstance(report, Report)
    assert report.protocol.queries == 10
    assert report.beside == {}
    assert report.values()["SumR"] == report.t2v["SumR"] + report.v2t["SumR"]


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"width 95, and the model reads 96; give --set config"):
        recipe("univl").model_config_of().start(Material(device="cpu", width=95))


class Spoken:
    """Options of a dataset that says what is said."""

    def transcript(self, pair: Pair) -> str:
        return "oh no" if pair.video == "clip0" else f"now the {pair.video[4:]} flashes"


def test_transcripts_come_with_each_pair_and_are_read(tmp_path: Path) -> None:
    model = model_of("univl-caption", config__reads="transcript")
    texts = texts_of(model, Spoken(), "numbers")
    split = numbered()
    order = Order(split.pairs, 4, 0)
    (batch,) = Loader(Numbers(), order, model.tokenize, texts=texts).epoch(0)
    pairs = [split.pairs[int(i)] for i in order.epoch(0)[0]]
    said = model.tokenize([Spoken().transcript(pair) for pair in pairs])
    assert torch.equal(batch.targets["transcript"], said.ids)
    assert torch.equal(batch.targets["transcript_mask"], said.mask)
    assert model.losses(batch)["decoder"].isfinite()
    report = judge(model, Numbers(), split, Named("numbers", "test"), texts, quick=True)
    assert isinstance(report, CaptioningReport)
    assert report.protocol.reads == "V+T"
    assert texts_of(model_of("univl-caption"), Toybox(), "toybox") == {}
    with pytest.raises(
        ConfigError, match=r"dataset deaf has none; .*, or train it with --set config\.reads"
    ):
        texts_of(model, object(), "deaf")


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    out = tmp_path_factory.mktemp("captions")
    run_recipe(recipe("univl-caption-meltr", meltr__step__every=1), RunPlace(out=out))
    return out


def test_a_run_of_captions_leaves_its_report_and_its_card(captioned: Path) -> None:
    report = read_report(captioned / "metrics.json")
    assert isinstance(report, CaptioningReport)
    assert {"BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr-D"} <= report.scores.keys()
    assert report.protocol.references == (20, 20)
    assert report.protocol.clips == len(report.captions) == 12
    card = (captioned / "README.md").read_text()
    assert "| BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 | ROUGE-L | CIDEr-D |" in card
    assert "95 % interval of CIDEr-D, over clips" in card
    assert f"| words | {', '.join(report.protocol.words)} |" in card
    epochs = [line for line in read_log(captioned) if line["kind"] == "epoch"]
    assert {"CIDEr-D", "BLEU-4", "primary slope"} <= epochs[-1].keys()
    steps = [line["slope decoder"] for line in read_log(captioned) if line["kind"] == "step"]
    assert epochs[-1]["primary slope"] == pytest.approx(sum(steps[3:]) / len(steps[3:]))


def test_a_checkpoint_is_judged_again_alike(captioned: Path) -> None:
    wanted = evaluation_recipe(str(captioned), "toybox", {})
    again = evaluate_checkpoint(str(captioned), wanted, RunPlace(out=captioned), "test")
    before = read_report(captioned / "metrics.json")
    assert isinstance(again, CaptioningReport)
    assert isinstance(before, CaptioningReport)
    assert again.captions == before.captions
    assert again.scores == before.scores
    assert again.protocol == replace(before.protocol, model=again.protocol.model)


def test_a_finished_run_is_not_run_again(captioned: Path) -> None:
    before = (captioned / "metrics.json").stat().st_mtime_ns
    done = run_recipe(recipe("univl-caption-meltr", meltr__step__every=1), RunPlace(out=captioned))
    assert done.outcome is None
    assert (captioned / "metrics.json").stat().st_mtime_ns == before


def test_retrieval_trains_and_is_judged_by_pairs(captioned: Path, tmp_path: Path) -> None:
    trained: Any = run_recipe(recipe("univl-primary"), RunPlace(out=tmp_path))
    assert trained.report.protocol.scores == "pairs"
    assert "| similarity t2v |" in (tmp_path / "README.md").read_text()
    with pytest.raises(ConfigError, match=r"of captions and of retrieval, and cannot be compared"):
        compare_files(captioned, tmp_path)
    fields = json.loads((tmp_path / "metrics.json").read_text())
    assert fields["beside"].keys() == {"similarity t2v", "similarity v2t"}


def test_the_figures_that_may_choose_epochs_are_those_that_validation_gives(
    captioned: Path, tmp_path: Path
) -> None:
    """But ranks, of which less is better; so a name is refused before the first step."""
    run_recipe(recipe("univl-joint", training__epochs=1), RunPlace(out=tmp_path))
    told = {
        run: {name for line in read_log(run) if line["kind"] == "epoch" for name in line}
        for run in (captioned, tmp_path)
    }
    beside = {"kind", "step", "epoch", "time", "primary slope"}
    assert told[captioned] - beside == set(captioning.TASK.higher(2))
    ranks = {f"{way} {name}" for way in ("t2v", "v2t") for name in ("MdR", "MnR")}
    assert told[tmp_path] - beside - ranks == set(pair_retrieval.TASK.higher(2))


@pytest.mark.parametrize(
    ("method", "name", "told"),
    [
        ("univl-primary", "MRR", r"judged_by is MRR, .* one of SumR, t2v R@1, .*, margin$"),
        ("univl-primary", "CIDEr-D", r"judged_by is CIDEr-D, and an epoch is chosen by"),
        ("univl-primary", "t2v MdR", r"judged_by is t2v MdR, of which less is better, and"),
        ("univl-caption", "SumR", r"judged_by is SumR, .* one of BLEU-1, .*, CIDEr-D$"),
    ],
)
def test_a_figure_that_cannot_choose_epochs_is_refused_before_any_clip_is_read(
    method: str, name: str, told: str, tmp_path: Path
) -> None:
    judged = recipe(method, training__judged_by=name)
    options = judged.dataset_config()
    with pytest.raises(ConfigError, match=told):
        require_ready(judged, options, (options.read("train"), options.read("val")))


def test_univl_joint_trains_its_joint_loss_and_is_judged_by_vectors(tmp_path: Path) -> None:
    trained: Any = run_recipe(recipe("univl-joint"), RunPlace(out=tmp_path))
    assert (trained.report.protocol.scores, trained.report.beside) == ("similarity", {})
    steps = [line for line in read_log(tmp_path) if line["kind"] == "step"]
    assert all(line["loss"] == line["joint"] for line in steps)
    again = evaluate_checkpoint(
        str(tmp_path),
        evaluation_recipe(str(tmp_path), "toybox", {}),
        RunPlace(out=tmp_path),
        "test",
    )
    assert again.t2v == trained.report.t2v  # type: ignore[union-attr]


def test_a_negative_weight_of_the_primary_loss_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingBar(hidden=True) as bar:
        bar.epoch({"epoch": 3.0, "SumR": 1.0, "primary slope": 0.5})
        assert capsys.readouterr().err == ""
        bar.epoch({"epoch": 4.0, "SumR": 1.0, "primary slope": -0.25})
    said = capsys.readouterr()
    assert (
        "epoch 4: the melted loss falls as the primary loss rises (its weight is -0.25" in said.err
    )
    assert "set meltr.sizes.residual=true and meltr.step.direct_term=true, or lower" in said.err
    assert said.out == ""
