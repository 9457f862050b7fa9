"""What figures lack is counted, named and carried by the card, whichever kind of report it is."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.batches.unread import repeated, unread
from reeltune.errors import DataError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.left_out import sentences
from reeltune.evaluation.protocols import CaptionCard, ProtocolCard, also_without
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.tasks.finding.reports import read_report
from reeltune.types import LeftOut, Tokens, collect_left_out

REPEATED = "more than once for one video, and counted each time"
PAIRS, GALLERY = pairs_of(["a", "b"]), ["a", "b"]
GONE = LeftOut(what="video", reason="not in the folder videos", count=1, names=("c",))
IDLE = LeftOut(what="video", reason="named by no annotation", count=9, names=("d",), missing=False)


def card_without(**left_out: tuple[LeftOut, ...]) -> ProtocolCard:
    return card_for(PAIRS, GALLERY, left_out=left_out)


def report_without(**left_out: tuple[LeftOut, ...]) -> Report:
    return retrieval_report(np.eye(2), PAIRS, GALLERY, card_without(**left_out))


def test_names_are_collected_by_reason_and_the_first_few_are_named() -> None:
    reasons = {f"v{n}": "gone" if n % 2 else "broken" for n in range(13)}
    broken, gone = collect_left_out("video", reasons.items())
    assert (broken.count, broken.names) == (7, ("v0", "v2", "v4", "v6", "v8"))
    assert (gone.count, gone.names) == (6, ("v1", "v3", "v5", "v7", "v9"))
    assert str(gone) == "6 videos (gone): v1, v3, v5, v7, v9, ..."
    assert collect_left_out("video", []) == ()
    assert [entry.count for entry in collect_left_out("caption", [("a", "long")] * 3)] == [3]


def tokenize(texts: Sequence[str]) -> Tokens:
    """Knows words of letters a to z, and reads three of them."""
    words = [[word.isascii() for word in text.split()] for text in texts]
    known = torch.tensor([any(some) for some in words])
    cut = torch.tensor([len(some) > 3 for some in words])
    ids = torch.zeros(len(texts), 1, dtype=torch.long)
    return Tokens(ids, ids == 0, known, cut)


def test_texts_that_count_more_than_once_are_named() -> None:
    first, second = pairs_of(["a", "b"])
    asked = [replace(first, answer=answer) for answer in ("yes", "no", "no")]
    (told,) = repeated([first, second, first, first, replace(second, caption=first.caption)])
    assert str(told) == f"1 text ({REPEATED}): a: {first.caption}"
    assert not told.missing
    assert [entry.count for entry in repeated(asked)] == [1]
    assert repeated([first, second, *asked[:2]]) == ()


def test_captions_that_a_model_cannot_read_are_counted_each_and_named_with_their_video() -> None:
    texts = [("v0", "a dog"), ("v0", "собака"), ("v1", "собака"), ("v2", "a b c " + "d" * 99)]
    unknown, cut = unread(tokenize, [*texts, ("v3", "a b c d")], "caption")
    assert str(unknown) == "2 captions (no word that the model knows): v0: собака, v1: собака"
    assert (cut.count, cut.reason) == (2, "longer than the model reads, and cut")
    assert cut.names == ("v2: a b c " + "d" * 54, "v3: a b c d")
    assert not cut.missing
    assert not unknown.missing


def test_one_thing_is_told_in_the_singular_and_without_names_there_is_no_list() -> None:
    assert str(GONE) == "1 video (not in the folder videos): c"
    assert str(replace(GONE, names=(), count=1200)) == "1,200 videos (not in the folder videos)"


def test_what_all_splits_lack_is_said_once() -> None:
    assert sentences({"train": (IDLE,), "test": (GONE, IDLE)}) == [
        "note on train, test: 9 videos (named by no annotation): d, ...",
        "left out of test: 1 video (not in the folder videos): c",
    ]


def test_a_card_is_incomplete_where_its_own_split_lacks_something() -> None:
    assert card_without(test=(IDLE, GONE)).incomplete
    assert not card_without(test=(IDLE,), train=(GONE,)).incomplete
    assert not card_without().incomplete


def test_splits_that_lack_nothing_are_not_on_the_card() -> None:
    card = also_without(card_without(test=(GONE,)), {"train": (IDLE,), "val": ()})
    assert card.left_out == {"test": (GONE,), "train": (IDLE,)}


def test_the_card_as_markdown_says_it() -> None:
    assert "| left out | nothing |" in card_without().markdown()
    row = "| left out | left out of test: 1 video (not in the folder videos): c |"
    assert row in card_without(test=(GONE,)).markdown()
    piped = replace(GONE, names=("a|b",))
    assert "): a\\|b |" in card_without(test=(piped,)).markdown()


def test_a_report_on_disk_keeps_it(tmp_path: Path) -> None:
    report = report_without(test=(GONE,))
    report.write(tmp_path / "report.json")
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["protocol"]["left_out"]["test"][0]["names"] == ["c"]
    assert read_report(tmp_path / "report.json") == report
    stored["protocol"]["left_out"]["test"][0]["why"] = "gone"
    (tmp_path / "report.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match=r"protocol.left_out.test.0.why: .*make one with"):
        read_report(tmp_path / "report.json")


def test_a_report_from_before_it_was_kept_is_read(tmp_path: Path) -> None:
    report = report_without()
    stored = report.as_dict()
    card = dict(stored["protocol"])  # type: ignore[call-overload]
    card.pop("left_out")
    assert Report.from_dict({**stored, "protocol": card}) == report


def test_comparisons_show_it_and_are_not_refused_for_it() -> None:
    found = compare(report_without(), report_without(test=(GONE,)))
    assert found.lacks()[0] == "B: left out of test: 1 video (not in the folder videos): c"
    assert found.as_dict()["left_out"]["b"]["test"][0]["count"] == 1  # type: ignore[index]


def test_cards_of_captions_carry_it_too() -> None:
    card = CaptionCard(
        dataset="msrvtt",
        split="test",
        split_hash="f00d",
        frames="features tiny-clip fps 5",
        reads="V",
        beams=5,
        longest=48,
        clips=2,
        references=(1, 20),
        words=("bert",),
        model="univl",
        fingerprint="beef",
        seed=0,
        left_out={"test": (GONE,)},
    )
    assert card.incomplete
    assert card.unlike(replace(card, left_out={})) == {}
    assert "): c |" in card.markdown()
