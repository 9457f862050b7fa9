"""Caption metrics against pycocoevalcap's own scorers, against numbers by hand, and alone."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation import captions
from reeltune.evaluation import java as _java
from reeltune.evaluation._cider_d import cider_d
from reeltune.evaluation._rouge_l import longest_common, rouge_l
from reeltune.evaluation.bleu import bleu, bleu_of, bleus_of
from reeltune.evaluation.captions import caption_report, split_words

WORDS = st.lists(st.sampled_from(tuple("amtro,.")), min_size=1, max_size=9)
SEGMENTS = st.lists(
    st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=6
)
needs_java = pytest.mark.skipif(_java.why_not() is not None, reason="no Java or pycocoevalcap")

Corpus = list[tuple[list[str], list[list[str]]]]


def theirs(corpus: Corpus) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """The corpus as pycocoevalcap takes it."""
    references = {
        i: [" ".join(words) for words in several] for i, (_, several) in enumerate(corpus)
    }
    return references, {i: [" ".join(words)] for i, (words, _) in enumerate(corpus)}


def ours(corpus: Corpus) -> tuple[list[list[str]], list[list[list[str]]]]:
    return [words for words, _ in corpus], [several for _, several in corpus]


@settings(max_examples=30)
@given(SEGMENTS)
def test_bleu_rouge_and_cider_equal_pycocoevalcap(corpus: Corpus) -> None:
    coco = pytest.importorskip("pycocoevalcap.bleu.bleu").Bleu(4)
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge").Rouge()
    cider = pytest.importorskip("pycocoevalcap.cider.cider").Cider()
    expected, _ = coco.compute_score(*theirs(corpus), verbose=0)
    assert bleu(*ours(corpus)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    _, segments = rouge.compute_score(*theirs(corpus))
    assert rouge_l(*ours(corpus)) == pytest.approx(segments.tolist(), abs=1e-12)
    _, segments = cider.compute_score(*theirs(corpus))
    assert cider_d(*ours(corpus)) == pytest.approx(segments.tolist(), abs=1e-9)


def test_real_captions_equal_pycocoevalcap(shared_data: Path) -> None:
    """Captions of MSVD, each clip's first one scored against its others."""
    cider = pytest.importorskip("pycocoevalcap.cider.cider").Cider()
    coco = pytest.importorskip("pycocoevalcap.bleu.bleu").Bleu(4)
    corpus = real_corpus(shared_data)
    assert len(corpus) > 50
    figure, _ = cider.compute_score(*theirs(corpus))
    found = cider_d(*ours(corpus))
    assert sum(found) / len(found) == pytest.approx(figure, rel=1e-9)
    expected, _ = coco.compute_score(*theirs(corpus), verbose=0)
    assert bleu(*ours(corpus)) == pytest.approx(expected, rel=1e-9)


def real_corpus(shared_data: Path) -> Corpus:
    folder = sorted(shared_data.glob("annotations/msvd_dual_encoding/**/*caption*.txt"))
    if not folder:
        pytest.skip("no captions of MSVD at hand")
    clips: dict[str, list[list[str]]] = {}
    for line in folder[0].read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, text = line.partition(" ")
        clips.setdefault(name.partition("#")[0], []).append(text.lower().split())
    several = [texts for texts in clips.values() if len(texts) > 2][:200]
    return [(texts[0], texts[1:]) for texts in several]


def test_numbers_by_hand() -> None:
    found, truth = [["a", "b", "c", "d"]], [[["a", "b", "x", "d"]]]
    assert bleu(found, truth)[0] == pytest.approx(3 / 4)
    assert bleu(found, truth)[1] == pytest.approx((3 / 4 * 1 / 3) ** 0.5)
    assert rouge_l(found, truth) == [pytest.approx(3 / 4)]
    assert cider_d(found, truth) == [0.0], "in a corpus of one segment no n-gram is rare"
    assert bleu([["a", "a", "a"]], [[["a"]]])[0] == pytest.approx(1 / 3), "counts are clipped"
    assert bleu([["a"]], [[["a", "b"]]])[0] == pytest.approx(2.718281828 ** (1 - 2)), "brevity"


def test_bleu_of_many_draws_is_that_of_each() -> None:
    rng = np.random.default_rng(3)
    made = np.cumsum(rng.integers(0, 5, (200, 4))[:, ::-1], axis=1)[:, ::-1]
    right = rng.integers(0, made + 1)
    lengths = rng.integers(0, 30, (200, 2))
    rows = np.concatenate([right, made, lengths], axis=1) / 7
    rows[0] = 0
    np.testing.assert_allclose(bleus_of(rows), [bleu_of(row) for row in rows], rtol=1e-12)
    with pytest.raises(FloatingPointError):
        bleus_of(-rows[1:])


def test_the_same_sentence_is_worth_everything() -> None:
    truth = ["a man cuts an onion .", "two dogs run over the green field ."]
    report = caption_report(
        {"x": truth[0], "y": truth[1]}, {"x": truth[:1], "y": truth[1:]}, with_meteor=False
    )
    for name in ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L"):
        assert report.figures[name] == pytest.approx(100, abs=1e-5)
    assert report.figures["CIDEr-D"] == pytest.approx(1000)
    assert (report.clips, report.references, report.tokens) == (2, (1, 1), "bert")


@settings(max_examples=30)
@given(SEGMENTS, st.randoms(use_true_random=False))
def test_order_of_clips_and_of_references_does_not_matter(
    corpus: Corpus, source: random.Random
) -> None:
    moved = [(words, source.sample(several, len(several))) for words, several in corpus]
    moved = source.sample(moved, len(moved))
    assert bleu(*ours(moved)) == pytest.approx(bleu(*ours(corpus)))
    assert sorted(cider_d(*ours(moved))) == pytest.approx(sorted(cider_d(*ours(corpus))))
    assert sorted(rouge_l(*ours(moved))) == pytest.approx(sorted(rouge_l(*ours(corpus))))


@settings(max_examples=40)
@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_that_of_all_subsequences(
    a: list[str], b: list[str]
) -> None:
    def subsequences(words: list[str]) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = {()}
        for word in words:
            found |= {(*before, word) for before in found}
        return found

    assert longest_common(a, b) == max(map(len, subsequences(a) & subsequences(b)))


def test_every_reference_counts() -> None:
    one = caption_report({"x": "a dog runs"}, {"x": ["a cat sits"]}, with_meteor=False)
    more = caption_report(
        {"x": "a dog runs"}, {"x": ["a cat sits", "the dog runs"]}, with_meteor=False
    )
    assert more.figures["BLEU-1"] > one.figures["BLEU-1"]
    assert more.references == (2, 2)


def test_bert_splits_as_the_tokeniser_of_the_model_wrote() -> None:
    raw, written = "Café: stir-fry, don't burn!", "cafe : stir - fry , don ' t burn !"
    assert split_words([raw], "bert")[0] == written.split()
    assert split_words([written], "bert")[0] == written.split()


def test_empty_captions_score_nothing_and_break_nothing() -> None:
    report = caption_report({"x": "", "y": "a b"}, {"x": ["a"], "y": ["a b"]}, with_meteor=False)
    assert report.segments["ROUGE-L"] == {"x": 0.0, "y": pytest.approx(100)}


def test_odd_clips_are_named() -> None:
    with pytest.raises(DataError, match=r"no caption to score"):
        caption_report({}, {})
    with pytest.raises(
        DataError, match=r"a caption or references and not both: 2, such as 'x'; give"
    ):
        caption_report({"x": "a"}, {"y": ["a"]})
    with pytest.raises(DataError, match=r"clips without a reference: 1, such as 'x'; leave"):
        caption_report({"x": "a"}, {"x": []})


def test_without_java_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "METEOR" not in caption_report({"x": "a"}, {"x": ["a"]}).figures
    with pytest.raises(ConfigError, match=r"METEOR was asked for, but there is no java.*install"):
        caption_report({"x": "a"}, {"x": ["a"]}, with_meteor=True)
    with pytest.raises(ConfigError, match=r"stanford.* cannot run: there is no java"):
        caption_report({"x": "a"}, {"x": ["a"]}, tokens="ptb")


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_java, "find_spec", lambda name: None)
    monkeypatch.setattr(_java.shutil, "which", lambda name: "/usr/bin/java")
    with pytest.raises(ConfigError, match=r"pip install 'reeltune\[captions\]'"):
        caption_report({"x": "a"}, {"x": ["a"]}, with_meteor=True)


@needs_java
def test_ptb_equals_the_wrapper_of_pycocoevalcap() -> None:
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    texts = ["A man's cutting red onions.", "", "Don't stop, please!", "two dogs run"]
    theirs_ptb = PTBTokenizer().tokenize({i: [{"caption": t}] for i, t in enumerate(texts)})
    assert _java.ptb(texts) == [theirs_ptb[i][0] for i in range(len(texts))]
    assert _java.ptb(["naïve\nlines ||| 日本"]) == ["naïve lines 日本"]


ANSWERS = """
import sys
for line in sys.stdin:
    scored = line.split(" ||| ")
    if scored[0] == "EVAL":
        print(*["0.5"] * len(scored), sep="\\n", flush=True)
    elif "die" in line:
        sys.exit()
    else:
        print("1 1 1", flush=True)
"""


def test_one_process_of_meteor_is_asked_again_and_again_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scorer.py").write_text(ANSWERS)
    monkeypatch.setattr(_java, "JAVA", [sys.executable, str(tmp_path / "scorer.py")])
    monkeypatch.setattr(_java, "_archive", lambda name: tmp_path / name)
    archive = tmp_path / _java.METEOR
    assert _java.meteor(["a dog", "a cat"], [["dogs"], ["cats"]]) == (0.5, [0.5, 0.5])
    first = _java._KEPT[archive]
    assert _java.meteor(["a dog"], [["dogs", "a dog"]]) == (0.5, [0.5])
    assert _java._KEPT[archive] is first
    first.kill()
    first.wait()
    assert _java.meteor(["a dog"], [["dogs"]]) == (0.5, [0.5])
    second = _java._KEPT[archive]
    assert second is not first
    with pytest.raises(DataError, match=r"METEOR has no answer to 'SCORE .* see whether java runs"):
        _java.meteor(["die"], [["dogs"]])
    assert second.poll() is not None
    assert _java.meteor(["a dog"], [["dogs"]]) == (0.5, [0.5])
    _java._end(archive)


@needs_java
def test_a_report_with_everything_in_java_has_the_meteor_of_pycocoevalcap() -> None:
    from pycocoevalcap.meteor.meteor import Meteor

    report = caption_report(
        {"x": "A dog runs.", "y": "a man |||\ncuts onions", "z": ""},
        {"x": ["a dog runs !"], "y": ["a man is cutting an onion", "someone cuts"], "z": ["a"]},
        tokens="ptb",
        with_meteor=True,
    )
    scorer = Meteor()
    corpus, segments = scorer.compute_score(
        {0: ["a dog runs"], 1: ["a man is cutting an onion", "someone cuts"], 2: ["a"]},
        {0: ["a dog runs"], 1: ["a man cuts onions"], 2: [""]},
    )
    for pipe in (scorer.meteor_p.stdout, scorer.meteor_p.stderr):
        pipe.close()
    assert report.figures["METEOR"] == pytest.approx(100 * corpus)
    assert [*report.segments["METEOR"].values()] == pytest.approx([100 * s for s in segments])
    assert report.segments["METEOR"]["x"] == pytest.approx(100)
    assert captions.CaptionReport(**report.as_dict()) == report  # type: ignore[arg-type]
