"""Datasets whose files are elsewhere, incomplete or broken: what is found, named or refused."""

import json
import re
from pathlib import Path

import pytest

from reeltune.data import activitynet, didemo, folder, lsmdc, msrvtt, msvd
from reeltune.data._videos import list_videos
from reeltune.errors import ConfigError, DataError, NoSplitError
from reeltune.media.names import stem
from reeltune.registry import names

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"


def refused(wanted: str) -> "pytest.RaisesExc[DataError]":
    return pytest.raises(DataError, match=re.escape(wanted).replace(r"\.\.\.", ".*"))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("video7.mp4", "video7"),
        ("v_x.MKV", "v_x"),
        ("a.mov.mp4", "a"),  # DiDeMo, converted
        ("a.", "a"),  # DiDeMo, as published
        ("0001_A_00.23.23.000-00.23.28.886.avi", "0001_A_00.23.23.000-00.23.28.886"),
        ("0001_A_00.23.23.000-00.23.28.886", "0001_A_00.23.23.000-00.23.28.886"),
        (".mp4", ".mp4"),
    ],
)
def test_a_name_loses_its_suffixes_alone(name: str, wanted: str) -> None:
    assert stem(name) == wanted


def test_videos_are_found_in_the_folder_and_one_level_below(tmp_path: Path) -> None:
    for name in ("a.mp4", "all/b.webm", "all/a.avi", "all/deeper/c.mp4", ".cache/d.mp4", "e.txt"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    found = list_videos(tmp_path, ["videos"], "msrvtt").paths
    below = {name: str(path.relative_to(tmp_path / "videos")) for name, path in found.items()}
    assert below == {"a": "a.mp4", "b": "all/b.webm"}


def test_videos_beside_the_annotations_are_found(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    for path in (tmp_path / "videos" / "all").iterdir():
        path.rename(tmp_path / path.name)
    (tmp_path / "videos" / "all").rmdir()
    (tmp_path / "videos").rmdir()
    assert config.read("test").pairs[0].path == tmp_path / "video7010.mp4"


def test_missing_and_extra_videos_are_named(tmp_path: Path) -> None:
    config = msvd.Config.tiny(tmp_path)
    (tmp_path / msvd.SENTENCES.format("test")).write_text("vid3\ta squirrel\nvid4\ta nut\n")
    with (tmp_path / msvd.MAPPING).open("a") as file:
        file.write("gone_1_2 vid4\n")
    (tmp_path / "YouTubeClips" / "b.avi").touch()
    split = config.read("test")
    assert [pair.caption for pair in split.pairs] == ["a squirrel"]
    assert [(entry.reason, entry.names, entry.missing) for entry in split.left_out] == [
        ("not in the folder YouTubeClips", ("gone_1_2",), True),
        ("named by no annotation", ("b",), False),
    ]


def test_without_any_video_it_is_said_what_was_looked_for(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    (tmp_path / "videos/all/video7010.mp4").unlink()
    with refused("videos and ... none of the 1 video ... video7010 ... `reeltune datasets msrvtt`"):
        config.read("test")


def test_a_list_of_headers_alone_is_not_taken_for_absent_videos(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    path = tmp_path / "MSRVTT_JSFUSION_test.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with refused("msrvtt name no video of this split; take ... (`reeltune datasets msrvtt`"):
        config.read("test")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    for component in (msrvtt, msvd, didemo, activitynet, lsmdc, folder):
        with refused(f"{tmp_path}/no is not a folder; `reeltune datasets "):
            component.Config(folder=tmp_path / "no").read("train")
    with refused("no cannot be listed ... give a folder you can read"):
        list_videos(tmp_path / "no", [], "msrvtt")


def test_an_absent_annotation_file_is_named(tmp_path: Path) -> None:
    for component, name in (
        (msrvtt, "MSRVTT_JSFUSION_test.csv"),
        (msvd, "test_list.txt or sents_test_lc_nopunc.txt"),
        (didemo, "test_data.json"),
        (activitynet, "val_1.json"),
        (lsmdc, "LSMDC16_challenge_1000_publictect.csv"),
        (folder, "captions.csv or captions.jsonl"),
    ):
        with refused(f"{tmp_path} and the folders in it hold no {name}; `reeltune datasets "):
            component.Config(folder=tmp_path).read("test")


def test_a_broken_json_file_is_named_with_the_key(tmp_path: Path) -> None:
    config = activitynet.Config.tiny(tmp_path)
    path = tmp_path / "val_1.json"
    path.write_text('{"v_x": {"sentences": ["a man", "  "]}}')
    with refused("val_1.json, v_x.sentences.1: the text is empty; fill it or remove"):
        config.read("test")
    path.write_text('{"v_x": {"timestamps": []}}')
    with refused("val_1.json, v_x.sentences: Field required; ...`reeltune datasets activitynet`"):
        config.read("test")
    path.write_text('{"v_x": {"sentences": ["a man"]}, "v_x": {"sentences": ["a dog"]}}')
    with refused("val_1.json: the key 'v_x' is there 2 times in one object; give it once"):
        config.read("test")
    path.write_text('{"v_x": ')
    with refused("val_1.json: Invalid JSON: EOF ... line 1 column 8; mend"):
        config.read("test")
    path.write_bytes(b"\xff")
    with refused("val_1.json cannot be read as text (line 1 is not UTF-8: ... `reeltune datasets"):
        config.read("test")


def test_a_broken_line_of_a_table_is_named(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    path, header = tmp_path / msrvtt.TEST, "key,vid_key,video_id,sentence\n"
    path.write_text(header + "ret0,msr7010,video7010,\n")
    with refused("test.csv, line 2, sentence: the cell is empty; fill it or remove the line (`re"):
        config.read("test")
    path.write_text(header + "ret0,msr7010,video7010,a man, a dog\n")
    with refused("test.csv, line 2, has 1 cell more than the 4 wanted ('a dog' is too many)"):
        config.read("test")
    path.write_text(header + 'ret0,msr7010,video7010,"a man\n')
    with refused("test.csv, line 2: what begins there is not CSV (unexpected end of data); mend"):
        config.read("test")
    path.write_text("key|video_id|sentence\n")
    with refused("line 1: there is no column video_id or sentence among key|video_id|sentence;"):
        config.read("test")


def test_a_broken_line_between_tabs_is_named(tmp_path: Path) -> None:
    config = lsmdc.Config.tiny(tmp_path)
    path = tmp_path / lsmdc.FILES["test"]
    good = path.read_text()
    path.write_text(good.replace(".\n", ".\t\n"))
    assert len(config.read("test").pairs) == 1, "a tab at the end is no cell"
    path.write_text(good + "3086_UGLY_TRUTH_x\t00.23.23.000\n")
    with refused("publictect.csv, line 2, ends after 2 of 6 cells, before sentence (at a line"):
        config.read("test")
    path.write_text(good + "3086_UGLY_TRUTH_x" + "\t00.23.23.000" * 4 + "\t \n")
    with refused("publictect.csv, line 2, sentence: the cell is empty; fill it or remove the line"):
        config.read("test")
    path.write_text(good.replace("her hips", "her\thips"))
    with refused("line 1, has 1 cell more than the 6 wanted ('hips.' is too many); put a text"):
        config.read("test")


def test_a_clip_of_lsmdc_may_have_several_sentences_but_not_in_two_splits(tmp_path: Path) -> None:
    config = lsmdc.Config.tiny(tmp_path)
    path = tmp_path / lsmdc.FILES["train"]
    path.write_text(path.read_text() + path.read_text().replace("hips", "knees"))
    assert (config.read("train").captions, config.read("test").captions) == ("multiple", "single")
    (tmp_path / lsmdc.FILES["val"]).write_text(path.read_text())
    with refused("train and val share 1 video, first 1001_Flight_00.23.23.000"):
        config.read("test")


def test_a_video_of_1ka_has_one_caption(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    with (tmp_path / msrvtt.TEST).open("a") as file:
        file.write("ret1,msr7010,video7010,another\n")
    with refused("video7010 has 2 captions in this split of msrvtt, ... among them, and each"):
        config.read("test")


def test_msrvtt_needs_a_caption_of_every_video_it_lists(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    (tmp_path / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\nvideo1\nvideo2\n")
    with refused(
        "no caption of 1 of 2 videos of this split is in MSRVTT_data.json ... first video2"
    ):
        config.read("train")


def test_msrvtt_never_trains_on_a_test_video(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    (tmp_path / "MSRVTT_train.9k.csv").write_text("video_id\nvideo0\nvideo7010\n")
    with refused("train and test share 1 video, first video7010; what is learned"):
        config.read("train")


def test_msrvtt_full_needs_the_official_split(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path).model_copy(update={"train": "full"})
    assert {pair.video for pair in config.read("train").pairs} == {"video0", "video1"}
    with refused("holds no MSRVTT_data.json or ... with clips whose split is 'validate';"):
        config.read("val")


def test_msrvtt_on_stored_features_says_how_they_are_made(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path).model_copy(update={"stored": True})
    with refused("features is not there; ... reeltune convert s3d msrvtt_videos_features.pickle"):
        config.read("test")


def test_1ka_can_be_tested_without_the_training_captions(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path)
    (tmp_path / "MSRVTT_data.json").unlink()
    assert len(config.read("test").pairs) == 1


def test_without_hold_out_there_is_no_val(tmp_path: Path) -> None:
    config = activitynet.Config.tiny(tmp_path).model_copy(update={"hold_out": 0})
    assert len(config.read("train").pairs) == 2
    with pytest.raises(NoSplitError, match=r"no val split; --set options\.hold_out=500"):
        config.read("val")
    with pytest.raises(
        ConfigError, match=r"hold_out is 2 of 2 training videos; .*--set options\.hold_out=1"
    ):
        config.model_copy(update={"hold_out": 2}).read("train")


def test_msvd_reads_lists_and_descriptions_but_no_pickle(tmp_path: Path) -> None:
    config = msvd.Config.tiny(tmp_path)
    for part in ("train", "val", "test"):
        (tmp_path / msvd.SENTENCES.format(part)).unlink()
        (tmp_path / msvd.LIST.format(part)).write_text("zzit5b_-ukg_5_20\n" * (part == "test"))
    (tmp_path / "raw-captions.pkl").touch()
    with refused("has its captions in raw-captions.pkl, a pickle, which can run code when it is"):
        config.read("test")
    path = tmp_path / msvd.DESCRIPTIONS
    path.write_text("# by the University of Texas\n\nzzit5b_-ukg_5_20 A man eats.\nother A dog.\n")
    assert [pair.caption for pair in config.read("test").pairs] == ["A man eats."]
    path.write_text("other A dog.\n")
    with refused("AllVideoDescriptions.txt has no caption of 1 of the 1 listed clip, first zzit5"):
        config.read("test")
    path.write_text("zzit5b_-ukg_5_20\n")
    with refused("line 1: got 'zzit5b_-ukg_5_20', ... a space ... take AllVideoDesc"):
        config.read("test")


def test_msvd_refuses_a_caption_of_a_clip_without_name(tmp_path: Path) -> None:
    config = msvd.Config.tiny(tmp_path)
    (tmp_path / msvd.SENTENCES.format("test")).write_text("vid9\ta squirrel\n")
    with refused("has a caption of vid9, which ...youtube_mapping.txt does not name; take both"):
        config.read("test")
    (tmp_path / msvd.SENTENCES.format("test")).write_text("vid1 a squirrel\n")
    with refused("line 1: got 'vid1 a squirrel', ... with a tab between; correct the line"):
        config.read("test")


def test_didemo_shows_what_the_annotators_saw(tmp_path: Path) -> None:
    pair = didemo.Config.tiny(tmp_path).read("test").pairs[0]
    assert (pair.caption, pair.start, pair.end) == ("a man bends he rises", 0.0, 30.0)


def test_msvd_refuses_a_clip_whose_sentences_are_in_two_splits(tmp_path: Path) -> None:
    config = msvd.Config.tiny(tmp_path)
    with (tmp_path / msvd.SENTENCES.format("train")).open("a") as file:
        file.write("vid3\ta nut\n")
    for part in ("train", "test"):
        with refused("train and test share 1 video, first zzit5b_-ukg_5_20; what is learned"):
            config.read(part)


@pytest.mark.parametrize(
    "line", ["zzit5b_-ukg_5_20 vid1", "other_1_2 vid3", "zzit5b_-ukg_5_20 vid9"]
)
def test_msvd_refuses_a_clip_of_two_aliases_and_an_alias_of_two_clips(
    tmp_path: Path, line: str
) -> None:
    config = msvd.Config.tiny(tmp_path)
    with (tmp_path / msvd.MAPPING).open("a") as file:
        file.write(f"zzit5b_-ukg_5_20 vid3\n{line}\n")
    with refused(f"youtube_mapping.txt has {line} beside "):
        config.read("test")


def test_files_of_one_video_are_named_but_for_the_one_that_is_read(tmp_path: Path) -> None:
    config = msvd.Config.tiny(tmp_path)
    place = tmp_path / "YouTubeClips"
    (place / "small").mkdir()
    for name in ("vid3.mp4", "small/zzit5b_-ukg_5_20.avi", "small/vid1.avi"):
        (place / name).touch()
    split = config.read("test")
    (told,) = split.left_out
    assert (told.what, told.count, told.missing) == ("file", 2, False)
    assert {*told.names} == {
        "small/zzit5b_-ukg_5_20.avi (not vid3.mp4)",
        "zzit5b_-ukg_5_20.avi (not vid3.mp4)",
    }
    assert split.pairs[0].path == place / "vid3.mp4"


def test_msrvtt_full_refuses_a_clip_of_no_split_or_of_two(tmp_path: Path) -> None:
    config = msrvtt.Config.tiny(tmp_path).model_copy(update={"train": "full"})
    path = tmp_path / "MSRVTT_data.json"
    told = json.loads(path.read_text())
    told["videos"][1]["split"] = "val"
    path.write_text(json.dumps(told))
    with refused("video1 has split 'val' ... an official split is one of train, validate, test;"):
        config.read("train")
    told["videos"][1]["split"] = "validate"
    told["videos"].append({"video_id": "video0", "split": "test"})
    path.write_text(json.dumps(told))
    with refused("train and test share 1 video, first video0; what is learned"):
        config.read("train")


def test_activitynet_finds_videos_without_v(tmp_path: Path) -> None:
    split = activitynet.Config.tiny(tmp_path).read("test")
    assert split.pairs[0].video == "v_uqiMw7tQ1Cc"
    assert split.pairs[0].path.name == "uqiMw7tQ1Cc.mp4"


@pytest.mark.parametrize("component", [msrvtt, didemo, activitynet])
def test_a_byte_order_mark_is_no_part_of_the_file(component: object, tmp_path: Path) -> None:
    config = component.Config.tiny(tmp_path)  # type: ignore[attr-defined]
    for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.csv")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(config.read("test").pairs) == 1


def test_tiny_writes_what_others_can_read(tmp_path: Path) -> None:
    msrvtt.Config.tiny(tmp_path)
    data = json.loads((tmp_path / "MSRVTT_data.json").read_text())
    assert data.keys() == {"info", "videos", "sentences"}
    assert data["sentences"][0].keys() == {"sen_id", "video_id", "caption"}


def test_the_docs_have_a_row_for_each_dataset() -> None:
    text = DOCS.read_text()
    assert all(f"| `{name}` |" in text for name in names("data"))
