"""Reports of captions: what they hold, their file, their intervals, their comparison."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltune.batches.loader import ClipReader
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.bleu import counted
from reeltune.evaluation.captioning import CaptioningReport, resampled_bleu, resampled_mean
from reeltune.evaluation.captions import caption_report
from reeltune.evaluation.compare import compare
from reeltune.evaluation.protocols import Named
from reeltune.tasks.captioning import evaluate_captions
from reeltune.tasks.finding.reports import compare_files, read_report
from reeltune.types import Pair, Split, Tokens

TRUTH = {
    f"clip{i}": [f"a {c} box moves left", f"the {c} square goes left"]
    for i, c in enumerate(("red", "green", "blue", "golden", "white", "black", "grey", "pink"))
}
SPLIT = Split(
    pairs=tuple(
        Pair(video=video, path=Path(f"{video}.mp4"), caption=text)
        for video, texts in TRUTH.items()
        for text in texts
    ),
    captions="multiple",
)


class Numbers:
    """Reads clip number i as a single feature i."""

    policy = "numbers"

    def read(self, pair: Pair) -> np.ndarray:
        return np.array([[float(pair.video.removeprefix("clip"))]], np.float32)


class Parrot:
    """A `Writer` that says the first truth of a clip, with one word in so many left out."""

    name, fingerprint, judged_as, longest = "parrot", "of no weights", "captioning", 9

    def __init__(self, hears: bool = False, wrong: tuple[int, ...] = ()) -> None:
        self.texts, self.wrong = ("transcript",) * hears, wrong
        self.heard = list[str]()

    def tokenize(self, texts: list[str]) -> Tokens:
        self.heard += texts
        ids = torch.zeros(len(texts), 1, dtype=torch.long)
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    def caption(
        self, frames: Tensor, mask: Tensor, transcript: Tokens | None = None, *, beams: int = 5
    ) -> list[str]:
        assert (transcript is not None) == bool(self.texts)
        places = [int(row[0, 0]) for row in frames]
        return ["a box" if i in self.wrong else TRUTH[f"clip{i}"][0] for i in places]


def judged(wrong: tuple[int, ...] = (), seed: int | None = None) -> CaptioningReport:
    reader: ClipReader = Numbers()
    named = Named("numbers", "test", seed)
    return evaluate_captions(Parrot(wrong=wrong), reader, SPLIT, named, quick=True)


def test_figures_are_of_all_references_of_each_clip_once() -> None:
    found = judged(wrong=(2, 5))
    said = {video: texts[0] for video, texts in TRUTH.items()}
    said |= {"clip2": "a box", "clip5": "a box"}
    alone = caption_report(said, TRUTH, with_meteor=False)
    assert found.captions == said
    assert found.scores == alone.figures
    assert found.segments == alone.segments
    assert found.protocol.references == (2, 2)
    assert (found.protocol.clips, found.protocol.words) == (8, ("bert",))
    assert (found.protocol.reads, found.protocol.beams, found.protocol.longest) == ("V", 5, 9)
    assert judged().scores["BLEU-4"] == pytest.approx(100)


def test_what_is_said_is_read_by_a_model_that_hears() -> None:
    model = Parrot(hears=True)
    named = Named("numbers", "test")
    found = evaluate_captions(model, Numbers(), SPLIT, named, lambda pair: f"hear {pair.video}")
    assert found.protocol.reads == "V+T"
    assert model.heard == [f"hear {video}" for video in TRUTH]
    with pytest.raises(DataError, match=r"parrot reads what is said.*config\.reads=nothing"):
        evaluate_captions(model, Numbers(), SPLIT, named)


def test_intervals_are_those_of_the_scorers_on_clips_drawn_anew() -> None:
    """BLEU from counts equals BLEU of the drawn clips, scored as a corpus of their own."""
    found = judged(wrong=(1, 4))
    counts = np.array(list(found.counts["bert"].values()))
    clips = list(TRUTH)
    assert counts[0].tolist() == counted(
        found.captions["clip0"].split(), [text.split() for text in TRUTH["clip0"]]
    )
    drawn = np.random.default_rng(0).integers(0, 8, (2000, 8))[:3]  # as resampled_means draws
    for row, bleus in zip(drawn, resampled_bleu(counts)[:3], strict=True):
        said = {str(i): found.captions[clips[j]] for i, j in enumerate(row)}
        truth = {str(i): TRUTH[clips[j]] for i, j in enumerate(row)}
        slow = caption_report(said, truth, with_meteor=False).figures
        # counts are means here, to which the scorer's tiny constants are added
        np.testing.assert_allclose(bleus, [slow[f"BLEU-{n}"] for n in (1, 2, 3, 4)], rtol=1e-6)
        rouge = np.array(list(found.segments["ROUGE-L"].values()))
        assert resampled_mean(rouge)[0, 0] == pytest.approx(rouge[drawn[0]].mean())
    for name, (low, high) in found.intervals.items():
        assert low <= found.scores[name] <= high
        assert low < high


def test_the_file_gives_the_report_back(tmp_path: Path) -> None:
    found = judged(seed=3)
    found.write(tmp_path / "metrics.json")
    assert read_report(tmp_path / "metrics.json") == found
    assert found.figures().keys() == {"scores", "intervals", "protocol"}
    assert "| words | bert |" in found.protocol.markdown()


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"captions": {}}')
    message = r"metrics\.json: not a report of captions: .*reeltune evaluate"
    with pytest.raises(DataError, match=message):
        read_report(path)
    path.write_text("[]")
    message = r"metrics\.json has no field of a report of .*captioning, .*retrieval, .*; make one"
    with pytest.raises(DataError, match=message):
        read_report(path)


def test_a_difference_is_that_of_the_scores_and_knows_noise() -> None:
    good, bad, worse = judged(), judged((1,)), judged((0, 1, 2, 3, 4, 5, 6))
    found = compare(worse, good)
    assert list(found.differences) == list(good.scores)
    for name, one in found.differences.items():
        assert (one.a, one.b) == (worse.scores[name], good.scores[name])
        assert one.low <= one.b - one.a <= one.high
        assert one.changed == 7
        assert not one.inside_noise
    assert all(one.inside_noise for one in compare(bad, good).differences.values())
    same = compare(good, judged(seed=4))
    assert all(one.low == one.high == one.changed == 0 for one in same.differences.values())


def test_unlike_protocols_and_kinds_are_refused(tmp_path: Path) -> None:
    report = judged()
    other = replace(report, protocol=replace(report.protocol, beams=1))
    with pytest.raises(ConfigError, match=r"unlike protocols.*beams: 5 against 1"):
        compare(report, other)
    report.write(tmp_path / "a.json")
    other.write(tmp_path / "b.json")
    with pytest.raises(ConfigError, match=r"beams: 5 against 1"):
        compare_files(tmp_path / "a.json", tmp_path / "b.json")
