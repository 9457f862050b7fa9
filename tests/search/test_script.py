"""Words beside moments: what they add to an answer, where, and when they change nothing."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from moment_tables import DIM, moments, rows_of, shots, unit
from script_tables import Line, galleries, question, script, told

from reeltune.search._confidence import confidence
from reeltune.search._usual import Usual
from reeltune.search.query import Ask, answer
from reeltune.search.script import LITERALLY, Evidence, Script
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.types import Hit

USUAL = Usual(texts=0.1, spread=0.2, pictures=0.5)
CHANCE = partial(confidence, usual=USUAL, kind="short")
LINES: dict[str, list[Line]] = {
    "v0": [(0.5, 2.5, "we wish you a happy birthday"), (4.5, 6, "and now for the cake")],
    "v1": [(3, 5, "the engine has twelve cylinders"), (8.5, 9, "it is loud")],
    "v2": [(1, 2, "nothing of note is said here")],
}
QUERY = unit(np.random.default_rng(7), DIM)


def held(words: Script, text: str, *channels: str, scale: float = 0.2) -> Evidence:
    chosen = channels or ("seen", "said", "shown")
    return words.hold([(1.0, question(text))], chosen, scale, USUAL.texts)  # type: ignore[arg-type]


def ask(gallery: Gallery, words: Evidence | None, **wishes: object) -> list[Hit]:
    return answer(gallery, QUERY, Ask(**wishes), CHANCE, words=words)  # type: ignore[arg-type]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return galleries(tmp_path, 5)


@pytest.fixture
def words(tmp_path: Path, gallery: Gallery) -> Script:
    told(tmp_path, "said", LINES)
    told(tmp_path, "shown", {"v3": [(0, 12, "EXIT 300")], "v4": []})
    return script(tmp_path, gallery)


def test_a_phrase_is_found_at_its_own_time(gallery: Gallery, words: Script) -> None:
    first = ask(gallery, held(words, "happy birthday"))[0]
    assert (first.path, first.start, first.end) == ("v0.mp4", 0.5, 2.5)
    assert first.said is not None
    assert first.said.text == "we wish you a happy birthday"
    assert [first.said.text[a:b] for a, b in first.said.marks] == ["happy", "birthday"]
    assert first.shown is None
    assert first.confidence is not None
    assert first.confidence >= LITERALLY


@pytest.mark.parametrize(
    ("asked", "marked"),
    [
        ("the happy birthday", ["happy", "birthday"]),
        ('"a happy birthday" of the cake', ["a", "happy", "birthday"]),
        ("we wish", ["wish"]),
        ("you we", ["we", "you"]),
    ],
)
def test_stop_words_are_marked_only_in_quotes_or_alone(
    tmp_path: Path, gallery: Gallery, asked: str, marked: list[str]
) -> None:
    told(tmp_path, "said", {"v0": [(0.5, 2.5, "we wish you a happy birthday on a day")]})
    first = ask(gallery, held(script(tmp_path, gallery), asked, "said"))[0]
    assert first.said is not None
    assert [first.said.text[a:b] for a, b in first.said.marks] == marked


def test_a_phrase_across_two_shots_is_one_hit(gallery: Gallery, words: Script) -> None:
    hits = ask(gallery, held(words, "twelve cylinders"), k=50)
    times = [(hit.start, hit.end) for hit in hits if hit.path == "v1.mp4"]
    assert times.count((3, 5)) == 1
    assert (0, 4) not in times
    assert (4, 8) not in times


def test_parts_add_up_to_the_score(gallery: Gallery, words: Script) -> None:
    plain = {hit.id: hit.score for hit in ask(gallery, None, k=50)}
    for hit in ask(gallery, held(words, "happy birthday exit"), k=50):
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
        assert hit.parts["seen"] == plain.get(hit.id, hit.parts["seen"])
    assert all(hit.parts == {"seen": hit.score} for hit in ask(gallery, None, k=50))


def test_a_moment_without_words_is_where_it_was(gallery: Gallery, words: Script) -> None:
    before = [hit for hit in ask(gallery, None, k=50) if hit.path in ("v3.mp4", "v4.mp4")]
    after = ask(gallery, held(words, "happy birthday", "seen", "said"), k=50)
    assert [hit for hit in after if hit.path in ("v3.mp4", "v4.mp4")] == before


def test_words_that_nothing_has_to_do_with_change_no_score_by_much(
    gallery: Gallery, words: Script
) -> None:
    for text in ("zebra", "a zebra and its stripes in the desert"):
        for hit in ask(gallery, held(words, text), k=50):
            assert abs(hit.score - hit.parts["seen"]) < 0.2 * 0.2, "a fifth of a natural logarithm"


def test_many_phrases_gain_no_more_than_one(tmp_path: Path) -> None:
    gallery = galleries(tmp_path, 3)
    line = "the red boat sails"
    told(
        tmp_path,
        "said",
        {"v0": [(0, 4, line)], "v1": [(i / 4, (i + 1) / 4, line) for i in range(16)]},
    )
    gains = held(script(tmp_path, gallery), "a red boat").gain
    by_video = {id: gains.value[row] for id, row in gains.row.items()}
    first = {hit.path: by_video[hit.id] for hit in ask(gallery, None) if hit.id in by_video}
    assert gains.value.max() > 0.4
    assert len({round(float(gain), 6) for gain in first.values()} - {0.0}) <= 2


def test_words_alone(gallery: Gallery, words: Script) -> None:
    hits = ask(gallery, held(words, "exit", "shown"), k=50)
    assert {hit.path for hit in hits} == {"v3.mp4"}
    assert [(hit.start, hit.end) for hit in hits] == [(0, 12)]
    assert hits[0].parts.keys() == {"shown"}
    assert hits[0].score == hits[0].parts["shown"]
    assert {hit.path for hit in ask(gallery, held(words, "exit", "said"))} == {
        "v0.mp4",
        "v1.mp4",
        "v2.mp4",
    }


def test_what_is_in_quotes_must_be_there(gallery: Gallery, words: Script) -> None:
    assert [h.path for h in ask(gallery, held(words, '"twelve cylinders"'))] == ["v1.mp4"]
    assert ask(gallery, held(words, '"cylinders twelve"')) == []
    assert ask(gallery, held(words, '"birth"')) == [], "a quotation is of whole words"
    both = ask(gallery, held(words, '"twelve" "loud"'))
    assert both == [], "no moment has both"


@pytest.mark.parametrize("text", ["happy birthday", '"twelve cylinders"', "zebra"])
@pytest.mark.parametrize("channels", [("seen", "said", "shown"), ("said",)])
def test_an_index_answers_as_memory_does(
    tmp_path: Path, gallery: Gallery, words: Script, text: str, channels: tuple[str, ...]
) -> None:
    by_index = Gallery(Table.open(tmp_path / "moments.lance"), ann_rows=0)
    again = script(tmp_path, by_index)
    expected = ask(gallery, held(words, text, *channels))
    assert ask(by_index, held(again, text, *channels)) == expected


def test_a_filter_holds_for_words_as_well(tmp_path: Path, gallery: Gallery, words: Script) -> None:
    by_index = Gallery(Table.open(tmp_path / "moments.lance"), ann_rows=0)
    for one, kept in ((gallery, words), (by_index, script(tmp_path, by_index))):
        hits = ask(one, held(kept, "happy birthday"), where="path <> 'v0.mp4'", k=50)
        assert hits
        assert "v0.mp4" not in {hit.path for hit in hits}


def test_the_least_confidence_keeps_the_very_words(gallery: Gallery, words: Script) -> None:
    hits = ask(gallery, held(words, "birthday"), min_confidence=LITERALLY)
    assert "v0.mp4" in {hit.path for hit in hits}
    assert all(hit.confidence is not None and hit.confidence >= LITERALLY for hit in hits)


def test_words_of_one_picture_are_not_folded_into_each_other(tmp_path: Path) -> None:
    same = np.repeat(unit(np.random.default_rng(0), 1, DIM), 1, axis=0)
    files = [shots(moments(f"v{i}", same, np.zeros(1, np.int64))) for i in range(3)]
    gallery = Gallery.read(Table.create(tmp_path / "moments.lance", rows_of(*files)))
    assert len(ask(gallery, None)) == 1
    told(tmp_path, "said", {f"v{i}": [(0, 1, "the red boat")] for i in range(2)})
    hits = ask(gallery, held(script(tmp_path, gallery), "red boat"))
    assert [hit.path for hit in hits][:2] == ["v0.mp4", "v1.mp4"]


def test_phrases_beside_all_moments_are_the_nearest_ones(tmp_path: Path) -> None:
    gallery = galleries(tmp_path, 2)
    told(tmp_path, "said", {"v0": [(50, 51, "the red boat")], "v1": [(2, 2, "a short note")]})
    hits = ask(gallery, held(script(tmp_path, gallery), "red boat", "said"), k=9)
    assert [(hit.path, hit.start) for hit in hits] == [("v0.mp4", 50), ("v1.mp4", 2)]


def test_words_of_contents_without_moments_count_for_nothing(tmp_path: Path) -> None:
    gallery = galleries(tmp_path, 2)
    told(tmp_path, "said", {"gone": [(0, 1, "the red boat")], "v1": [(0, 1, "the red boat")]})
    hits = ask(gallery, held(script(tmp_path, gallery), "red boat", "said"))
    assert [hit.path for hit in hits] == ["v1.mp4"]


def test_a_score_of_a_models_own_is_stretched(gallery: Gallery, words: Script) -> None:
    evidence = held(words, "happy birthday")

    def own(vectors: np.ndarray) -> np.ndarray:
        return 10 * (vectors @ QUERY.astype(np.float64)) + 3

    hits = answer(gallery, QUERY, Ask(k=50), own=own, words=evidence)
    plain = answer(gallery, QUERY, Ask(k=50), CHANCE, words=evidence)
    assert [hit.id for hit in hits] == [hit.id for hit in plain]
    assert hits[0].score == pytest.approx(10 * plain[0].score + 3, rel=1e-3)
    assert hits[0].confidence is None


def test_a_question_that_counts_against_lowers_what_has_its_words(
    gallery: Gallery, words: Script
) -> None:
    questions = [(1.0, question("happy birthday")), (-1.0, question("happy birthday"))]
    evidence = words.hold(questions, ("seen", "said", "shown"), 0.2, USUAL.texts)
    assert np.abs(evidence.gain.value).max() < 1e-9
    assert replace(evidence, weighed={}, tracks={}).gain.value.tolist() == [0.0] * len(words.place)
