"""Concepts from captions, against a slow obvious version and by hand."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.hybrid_space import read_captions
from reeltune.errors import ConfigError, DataError
from reeltune.features import concepts as _concepts
from reeltune.features.concepts import (
    Concepts,
    annotate,
    most_frequent,
    read_concepts,
    read_tags,
    stop_words,
    words_of,
    write_concepts,
)
from reeltune.types import Caption


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A woman is putting make-up on her face.", ["woman", "put", "make", "face"]),
        ("Two young men were playing soccer!", ["young", "man", "play", "soccer"]),
        ("The children's dogs ran quickly", ["child", "dog", "run"]),
        ("someone doesn't have it", []),
        ("...", []),
        ("", []),
    ],
)
def test_adjectives_verbs_and_nouns_are_kept_as_lemmas(caption: str, words: list[str]) -> None:
    assert words_of(caption) == words


def test_no_stop_word_has_an_apostrophe_and_each_is_once() -> None:
    path = Path(_concepts.__file__).with_name("_stop_words.txt")
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    words = " ".join(lines).split()
    assert sorted(set(words)) == sorted(words) == sorted(stop_words())
    assert all(word.isalpha() and word.islower() for word in words)


def test_words_said_once_are_no_tags_but_in_tgif() -> None:
    captions = [Caption("v", "dog runs"), Caption("tgif9", "cat"), Caption("v", "dog"), *[]]
    tags = annotate(captions, str.split)
    assert tags == {"v": {"dog": 2}, "tgif9": {"cat": 1}}
    assert annotate(captions, str.split, at_least=1)["v"] == {"dog": 2, "runs": 1}
    assert annotate([Caption("w", "a b")], str.split) == {"w": {}}


CAPTIONS = st.lists(
    st.builds(
        Caption,
        st.sampled_from(["v", "w", "tgif1"]),
        st.lists(st.sampled_from("abcdef"), max_size=6).map(" ".join),
    ),
    max_size=12,
)


def slow_targets(
    captions: list[Caption], size: int, largest: str
) -> tuple[list[str], dict[str, list[float]]]:
    """The recipe of section 5 of the TPAMI code, in loops."""
    tags: dict[str, list[tuple[str, int]]] = {}
    for video in dict.fromkeys(caption.video for caption in captions):
        words = [w for c in captions if c.video == video for w in c.text.split()]
        distinct = sorted(dict.fromkeys(words), key=lambda w: -words.count(w))
        least = 0 if video.startswith("tgif") else 1
        tags[video] = [(w, words.count(w)) for w in distinct if words.count(w) > least]
    totals: dict[str, int] = {}
    for pairs in tags.values():
        for word, count in pairs:
            totals[word] = totals.get(word, 0) + count
    names = sorted(totals, key=lambda word: -totals[word])[:size]
    targets = {}
    for video, pairs in tags.items():
        counts = [c for w, c in pairs if largest == "video" or w in names]
        found = dict(pairs)
        targets[video] = [found.get(name, 0) / max(counts, default=1) for name in names]
    return names, targets


@given(CAPTIONS, st.integers(1, 6), st.sampled_from(["video", "concepts"]))
def test_targets_equal_the_slow_way(captions: list[Caption], size: int, largest: str) -> None:
    names, targets = slow_targets(captions, size, largest)
    tags = annotate(captions, str.split)
    assert most_frequent(tags, size) == names
    if names:
        concepts = Concepts(names, tags, "video" if largest == "video" else "concepts")
        assert list(concepts.videos) == list(targets)
        for video, expected in targets.items():
            np.testing.assert_allclose(concepts.targets(video), expected, rtol=1e-6)


def test_the_largest_count_may_be_that_of_a_tag_that_is_no_concept() -> None:
    tags = {"v": {"dog": 8, "cat": 4, "cow": 2}, "w": {}}
    official, later = Concepts(["cat", "cow"], tags), Concepts(["cat", "cow"], tags, "concepts")
    np.testing.assert_array_equal(official.targets("v"), np.float32([0.5, 0.25]))
    np.testing.assert_array_equal(later.targets("v"), np.float32([1.0, 0.5]))
    assert official.targets("v").dtype == np.float32
    assert not official.targets("w").any()
    with pytest.raises(DataError, match=r"no tags of 'x', only of 2 other videos; take tags"):
        official.targets("x")


def test_concepts_have_different_names() -> None:
    with pytest.raises(DataError, match=r"3 concepts are given, of which 2 differ; give each"):
        Concepts(["a", "b", "a"], {})


def test_files_are_written_as_hybrid_space_does_and_read_back(tmp_path: Path) -> None:
    tags = {"video0": {"man": 9, "sing": 3}, "video1": {}, "video2": {"sing": 7}}
    labels, vocabulary = write_concepts(tmp_path, tags, size=2)
    assert labels == tmp_path / "video_label_th_1.txt"
    assert vocabulary == tmp_path / "video_label_th_1" / "tag_vocab_2.json"
    assert labels.read_text() == "video0\tman:9 sing:3\nvideo1\t\nvideo2\tsing:7\n"
    assert json.loads(vocabulary.read_text()) == ["sing", "man"]
    concepts = read_concepts(labels, vocabulary)
    assert concepts.names == ("sing", "man")
    np.testing.assert_allclose(concepts.targets("video0"), [1 / 3, 1])
    assert not concepts.targets("video1").any()


def test_official_lines_end_in_a_space(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("video0\tman:9 sing:3 \nvideo1\t\n")
    assert read_tags(path) == {"video0": {"man": 9, "sing": 3}, "video1": {}}


@pytest.mark.parametrize("rest", ["man", "man:x", ":3 man:", "man:0"])
def test_broken_files_are_named(tmp_path: Path, rest: str) -> None:
    labels, vocabulary = write_concepts(tmp_path, {"v": {"man": 2}})
    labels.write_text(f"w\tman:1\nv\t{rest}\n")
    with pytest.raises(DataError, match=r"video_label_th_1.txt, line 2: .* is not tag:count"):
        read_concepts(labels, vocabulary)
    vocabulary.write_text('{"man": 0}')
    with pytest.raises(DataError, match=r"tag_vocab_512.json is not a list of words; give one"):
        read_concepts(labels, vocabulary)
    vocabulary.write_text("man")
    with pytest.raises(DataError, match=r"tag_vocab_512.json is not JSON .*give a list"):
        read_concepts(labels, vocabulary)
    with pytest.raises(
        DataError, match=r"none.txt cannot be read \(No such file or directory\); copy it again"
    ):
        read_tags(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v\tman:2 dog:1 man:3\n", r"line 1: tag 'man' of v is there twice; keep one count of it"),
        ("v\tman:2\nw\t\nv\tdog:1\n", r"line 3: tags of v are there twice; keep one line of each"),
    ],
)
def test_what_is_there_twice_in_a_file_of_tags_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"labels\.txt, {said}"):
        read_tags(path)


def test_without_hanta_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "HanTa.HanoverTagger", None)
    _concepts._tagger.cache_clear()
    with pytest.raises(ConfigError, match=r"needs HanTa.*pip install 'reeltune\[concepts\]'"):
        words_of("a dog")


def test_concepts_of_real_captions_are_what_people_name(shared_data: Path) -> None:
    """The 100 validation clips of MSVD, 4,291 sentences."""
    path = shared_data / "annotations" / "msvd_dual_encoding" / "msvdval.caption.txt"
    tags = annotate(read_captions(path), words_of)
    names = most_frequent(tags)
    assert len(tags) == 100
    assert len(names) == len(set(names)) == 512
    assert {"man", "woman", "play", "cut", "dog"} <= set(names[:60])
    assert not set(names) & stop_words()
    concepts = Concepts(names, tags)
    targets = np.stack([concepts.targets(video) for video in tags])
    assert (targets.max(axis=1) == 1).all()
    assert 3 < (targets > 0).sum(axis=1).mean() < 60
    sums = Counter({name: sum(t.get(name, 0) for t in tags.values()) for name in names})
    assert [sums[name] for name in names] == sorted(sums.values(), reverse=True)
