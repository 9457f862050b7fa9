"""Datasets with questions, classes and ratings: what they make of their files, and what they leave
out."""

import json
import shutil
from pathlib import Path

import pytest

from reeltune.batches.loader import FrameReader
from reeltune.data import cmu_mosi, kinetics_400, msvd_qa, tgif_qa
from reeltune.data.splits.part import PARTS, Part
from reeltune.errors import DataError
from reeltune.features.store import FeatureReader, Features
from reeltune.types import Pair, Pixels, Split


def said(split: Split) -> list[str]:
    return list(map(str, split.left_out))


# TGIF-QA


def test_an_option_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    config = tgif_qa.Config.tiny(tmp_path)
    path = tmp_path / "Test_action_question.csv"
    path.write_text(path.read_text().replace("\tnod\t", "\tjump\t"))
    with pytest.raises(DataError, match=r"line 2: the option 'jump' is there more th"):
        config.read("test")


def tgif(folder: Path, shared_data: Path, asks: str, hold_out: int = 500) -> tgif_qa.Config:
    """The published files, with an empty file for every GIF that they name."""
    (folder / "gifs").mkdir()
    for path in (shared_data / "annotations" / "tgif_qa").glob("*.csv"):
        shutil.copyfile(path, folder / path.name)
        if tgif_qa.FILES[asks] in path.name:
            for line in path.read_text(encoding="utf-8").splitlines()[1:]:
                (folder / "gifs" / f"{line.split(chr(9))[0]}.gif").touch()
    return tgif_qa.Config(folder=folder, asks=asks, hold_out=hold_out)


def test_tgif_actions_have_the_published_counts(tmp_path: Path, shared_data: Path) -> None:
    config = tgif(tmp_path, shared_data, "action")
    splits = {part: config.read(part) for part in PARTS}
    assert {part: split.videos for part, split in splits.items()} == {
        part: size.videos for part, size in config.published().items()
    }
    assert {p: len(s.pairs) for p, s in splits.items()} == {
        "train": 19_971,
        "val": 500,
        "test": 2_274,
    }
    assert not any(split.left_out for split in splits.values())
    first = splits["test"].pairs[0]
    assert first == Pair(
        video="tumblr_nk172bbdPI1u1lr18o1_250",
        path=tmp_path / "gifs" / "tumblr_nk172bbdPI1u1lr18o1_250.gif",
        caption="What does the butterfly do 10 or more than 10 times ?",
        options=(
            "stuff marshmallow",
            "holds a phone towards face",
            "fall over",
            "talk",
            "flap wings",
        ),
        answer="flap wings",
    )
    assert all(pair.answer in pair.options for pair in splits["train"].pairs)


def test_tgif_transitions_and_frames_have_the_published_counts(
    tmp_path: Path, shared_data: Path
) -> None:
    for asks in ("transition", "frame"):
        (tmp_path / asks).mkdir()
        config = tgif(tmp_path / asks, shared_data, asks)
        test = config.read("test")
        size = config.published()["test"]
        assert (test.videos, len(test.pairs)) == (size.videos, size.captions)
    assert {pair.tags for pair in test.pairs} == {(kind,) for kind in tgif_qa.TYPES}
    assert (test.pairs[0].answer, test.pairs[0].options) == ("cookie", ())


def test_answers_in_quotes_are_read_as_they_are_meant(tmp_path: Path, shared_data: Path) -> None:
    test = tgif(tmp_path, shared_data, "transition").read("test")
    assert any('write "i love you"' in pair.options for pair in test.pairs)


def test_a_gif_of_tgif_is_read_as_frames(tmp_path: Path, shared_data: Path) -> None:
    config = tgif_qa.Config.tiny(tmp_path)
    pair = config.read("test").pairs[0]
    shutil.copyfile(shared_data / "clips" / "tgif" / "action_1.gif", pair.path)
    with FrameReader(Pixels(size=32), 4, None) as reader:
        assert reader.read(pair).shape == (4, 3, 32, 32)


def test_tgif_counts_what_is_absent_and_what_has_no_answer(tmp_path: Path) -> None:
    config = tgif_qa.Config.tiny(tmp_path)
    path = tmp_path / "Test_action_question.csv"
    rows = path.read_text().splitlines()
    gone = rows[1].replace("tumblr_no73", "tumblr_gone")
    open_ = rows[1].replace("\t0\tACTION0", "\t\tACTION0")
    path.write_text("\n".join([*rows, gone, open_]))
    split = config.read("test")
    assert len(split.pairs) == 1
    assert said(split) == [
        "1 video (not in the folder gifs): tumblr_gone",
        "1 question (without an answer): tumblr_no73: What does he do 3 times ?",
    ]


def test_tgif_refuses_an_answer_that_is_no_option_and_a_file_without_names(
    tmp_path: Path,
) -> None:
    config = tgif_qa.Config.tiny(tmp_path)
    path = tmp_path / "Test_action_question.csv"
    right = path.read_text()
    path.write_text(right.replace("\t0\tACTION0", "\t5\tACTION0"))
    with pytest.raises(
        DataError, match=r"Test_action_question\.csv, line 2, answer: .* \(got '5'\)"
    ):
        config.read("test")
    path.write_text(right.replace("\t", " "))
    with pytest.raises(DataError, match="names the columns, with commas, tabs, semicolons between"):
        config.read("test")
    with pytest.raises(DataError, match=r"hold no Test_frameqa_question\.csv"):
        config.model_copy(update={"asks": "frame"}).read("test")


# MSVD-QA


def test_msvd_questions_are_about_clips_by_their_names_on_youtube(tmp_path: Path) -> None:
    split = msvd_qa.Config.tiny(tmp_path).read("val")
    assert [(pair.video, pair.caption, pair.answer) for pair in split.pairs] == [
        ("zv2RIbUsnSw_159_162", "what is eating?", "squirrel"),
        ("zv2RIbUsnSw_159_162", "who eats?", "animal"),
    ]


def test_msvd_clips_may_have_their_aliases_and_no_mapping(tmp_path: Path) -> None:
    config = msvd_qa.Config.tiny(tmp_path)
    (tmp_path / "YouTubeClips").rename(tmp_path / "old")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "vid3.mp4").touch()
    assert config.read("test").pairs[0].video == "zzit5b_-ukg_5_20"
    (tmp_path / "youtube_mapping.txt").unlink()
    assert config.read("test").pairs[0].video == "vid3"


def test_msvd_questions_without_an_answer_are_counted(tmp_path: Path) -> None:
    config = msvd_qa.Config.tiny(tmp_path)
    path = tmp_path / "test_qa.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps([*told, {"video_id": 3, "question": "why?", "answer": " "}]))
    split = config.read("test")
    assert len(split.pairs) == 2
    assert said(split) == ["1 question (without an answer): zzit5b_-ukg_5_20: why?"]
    told[0]["video_id"] = 9
    path.write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"asks about video_id 9, .* does not name vid9"):
        config.read("test")
    told[0]["video_id"] = 1
    path.write_text(json.dumps(told))
    with pytest.raises(DataError, match="train and test share 1 video, first"):
        config.read("test")
    path.write_text(json.dumps([{"video_id": 3, "question": "why?"}]))
    with pytest.raises(DataError, match=r"every question of this split .* is without an answer"):
        config.read("test")


# Kinetics-400


def test_a_clip_of_kinetics_has_its_class_as_caption_and_answer(tmp_path: Path) -> None:
    config = kinetics_400.Config.tiny(tmp_path)
    [pair] = config.read("test").pairs
    assert pair == Pair(
        video="07x0gGr7fRA",
        path=tmp_path / "val" / "abseiling" / "07x0gGr7fRA_000095_000105.mp4",
        caption="abseiling",
        answer="abseiling",
    )


def test_clips_of_kinetics_may_lie_together_under_either_name(tmp_path: Path) -> None:
    config = kinetics_400.Config.tiny(tmp_path)
    for name in ("train", "val"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "videos").mkdir()
    for name in ("0347ZoDXyP0_000095_000105.mp4", "-0ka9nK7YGQ.webm", "07x0gGr7fRA.mp4"):
        (tmp_path / "videos" / name).touch()
    assert {p.video for part in PARTS for p in config.read(part).pairs} == {
        "0347ZoDXyP0",
        "-0ka9nK7YGQ",
        "07x0gGr7fRA",
    }


def test_kinetics_counts_what_is_absent_and_what_has_no_class(tmp_path: Path) -> None:
    config = kinetics_400.Config.tiny(tmp_path)
    path = tmp_path / "validate.csv"
    more = "abseiling,gone,0,10,validate\n,there,5,15,validate\n"
    path.write_text(path.read_text() + more)
    (tmp_path / "val" / "there_000005_000015.mp4").touch()
    split = config.read("test")
    assert [pair.video for pair in split.pairs] == ["07x0gGr7fRA"]
    assert said(split) == [
        "1 video (not in the folder val): gone",
        "1 video (without a class): there",
    ]
    path.write_text(path.read_text() + more)
    with pytest.raises(DataError, match="gone has 2 captions in this split"):
        config.read("test")


# CMU-MOSI


def test_a_span_of_mosi_has_its_words_its_rating_and_two_kinds_of_features(tmp_path: Path) -> None:
    config = cmu_mosi.Config.tiny(tmp_path)
    [pair] = config.read("val").pairs
    assert (pair.video, pair.caption) == ("0h-zjBukYpk_1", "I LOVED IT 1 TIMES")
    assert pair.rating == pytest.approx(0.4)
    for place, width in ((config.features("val"), 4), (config.audio("val"), 3)):
        rows = FeatureReader(Features(place)).read(
            Pair(video="", path=place / pair.video, caption="")
        )
        assert rows.shape == (2, width)


def test_mosi_counts_what_is_absent_and_what_has_no_label(tmp_path: Path) -> None:
    config = cmu_mosi.Config.tiny(tmp_path)
    path = tmp_path / "label.csv"
    right = path.read_text()
    path.write_text(
        right + "1DmNV9C1hbY,7,GONE,1,Positive,test\n" + "0h-zjBukYpk,2,ABSENT,,Neutral,valid\n"
    )
    assert said(config.read("test")) == ["1 video (not in the folder features): 1DmNV9C1hbY_7"]
    path.write_text(right.replace(",1.4,", ",,"))
    with pytest.raises(DataError, match="features of none of the 1 span of test that have text"):
        config.read("test")
    path.write_text(right.replace("1.4", "4.4"))
    with pytest.raises(DataError, match=r"label\.csv, line 4, label: .*less than or equal to 3"):
        config.read("test")
    path.write_text(right + right.splitlines()[1])
    with pytest.raises(DataError, match=r"line 5: 03bSnISJMiM_0 is there a second time"):
        config.read("test")
    path.write_text(right.replace("0h-zjBukYpk", "03bSnISJMiM"))
    with pytest.raises(DataError, match="train and val share 1 video, first"):
        config.read("test")


@pytest.mark.parametrize("part", PARTS)
def test_mosi_without_its_audio_says_so_where_a_model_reads_it(tmp_path: Path, part: Part) -> None:
    config = cmu_mosi.Config.tiny(tmp_path)
    shutil.rmtree(tmp_path / "audio")
    assert config.read(part).pairs
    with pytest.raises(DataError, match=r"audio is not there, .*`reeltune datasets cmu-mosi`"):
        config.audio(part)
