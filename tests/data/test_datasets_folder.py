"""The dataset `folder`: captions that users write themselves."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from pydantic import ValidationError

from reeltune.data._annotations import read_csv
from reeltune.data._nearest import hint, nearest
from reeltune.data.folder import Config, Line
from reeltune.data.splits.part import PARTS
from reeltune.errors import DataError, NoSplitError
from reeltune.types import Split


def refused(wanted: str) -> "pytest.RaisesExc[DataError]":
    return pytest.raises(DataError, match=re.escape(wanted).replace(r"\.\.\.", ".*"))


def written(folder: Path, *lines: str, videos: tuple[str, ...] = ()) -> Config:
    """The lines as captions.csv, and empty files beside."""
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    for name in videos:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Config(folder=folder)


def everything(config: Config) -> list[Split]:
    return [config.read(part) for part in PARTS]


def test_csv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    rows = [
        {"path": "beach/children.mp4", "caption": "children build a castle of sand"}
        | {"split": "train"},
        {"path": "cat.mov", "caption": "a cat sleeps, then stretches", "start": 3.5, "end": 9}
        | {"split": "val", "tags": ["indoors", "temporal"]},
        {"path": "rain.webm", "caption": "rain on a window", "end": 2, "split": "test"}
        | {"tags": "indoors"},
    ]
    path = tmp_path / "told.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in rows))
    assert everything(Config(folder=tmp_path, captions=path)) == everything(config)


def test_a_key_that_is_there_twice_in_a_line_is_refused(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    path = tmp_path / "told.jsonl"
    line = '{"path": "cat.mov", "caption": "a cat", "caption": "a dog", "split": "val"}'
    path.write_text(f'{{"path": "rain.webm", "caption": "rain", "split": "test"}}\n{line}\n')
    with refused(
        "told.jsonl, line 2: the key 'caption' is there 2 times in one object; give it once ("
    ):
        config.model_copy(update={"captions": path}).read("val")


def test_moments_of_a_video_are_items_of_their_own(tmp_path: Path) -> None:
    split = Config.tiny(tmp_path).read("val")
    pair = split.pairs[0]
    assert (pair.video, pair.start, pair.end) == ("cat.mov#t=3.5,9", 3.5, 9.0)
    assert pair.tags == ("indoors", "temporal")
    assert split.captions == "single"


def test_without_a_split_column_all_lines_of_a_video_stay_together(tmp_path: Path) -> None:
    names = tuple(f"clips/{n}.mp4" for n in range(40))
    spans = ("0,5", "5,9", ",")
    lines = [f"{name},a toy,{span}" for span in spans for name in names]
    splits = everything(written(tmp_path, "path,caption,start,end", *lines, videos=names))
    files = [{pair.path for pair in split.pairs} for split in splits]
    assert sum(len(split.pairs) for split in splits) == 120
    assert sum(map(len, files)) == 40
    assert all(files)
    assert {split.captions for split in splits} == {"single"}


def test_several_captions_of_one_moment_are_used_each(tmp_path: Path) -> None:
    lines = ["path,caption,split", "a.mp4,a toy,test", "a.mp4,a plaything,test"]
    split = written(tmp_path, *lines, videos=("a.mp4",)).read("test")
    assert split.captions == "multiple"
    assert [pair.video for pair in split.pairs] == ["a.mp4", "a.mp4"]


def test_missing_and_extra_videos_are_named(tmp_path: Path) -> None:
    lines = ["path,caption,split", "a.mp4,a toy,test", "b.mp4,a box,test", "c.mp4,a ball,val"]
    split = written(tmp_path, *lines, videos=("a.mp4", "c.mp4", "d/e.mp4", "notes.txt")).read(
        "test"
    )
    assert [(entry.count, entry.names, entry.missing) for entry in split.left_out] == [
        (1, ("b.mp4",), True),
        (1, ("d/e.mp4",), False),
    ]


@pytest.mark.parametrize("name", ["children", "beach\\Children.mp4", "BEACH/children.MP4"])
def test_the_nearest_file_is_named_where_a_name_is_not_there(tmp_path: Path, name: str) -> None:
    near = f"the nearest to {name} is beach/children.mp4"
    files = ("beach/children.mp4", "cat.mov")
    given = written(tmp_path, "path,caption,split", f"{name},a toy,test", videos=files)
    with refused(f"holds none of the 1 video ... (looked for {name}, where {near})"):
        given.read("test")
    split = written(
        tmp_path, "path,caption,split", f"{name},a,test", "cat.mov,b,test", f"{name},c,test"
    ).read("test")
    assert split.left_out[0].reason == f"not in the folder {tmp_path.name}, where {near}"
    assert (split.left_out[0].count, split.left_out[0].names) == (1, (name,))


def test_a_name_with_few_other_letters_is_near_and_a_strange_one_is_not() -> None:
    there = ["a/children_1.mp4", "a/cat.mov", "b/cat.mov"]
    assert nearest(["zebra", "a/childern_1.mp4"], there) == ("a/childern_1.mp4", there[0])
    assert nearest(["b/cat"], there) == ("b/cat", "b/cat.mov")
    assert nearest(["zebra"], there) is None
    assert nearest(["zebra"], []) is None
    assert hint(["zebra"], there) == ""


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    lines = ["path,caption,rating,Seen by,split", "a.mp4,a toy,5,,train", "b.mp4,a box,,Ann,test"]
    split = written(tmp_path, *lines, videos=("a.mp4", "b.mp4")).read("test")
    (told,) = split.left_out
    assert (told.what, told.count, told.names) == ("column", 2, ("rating", "seen by"))
    assert not told.missing
    path = tmp_path / "told.jsonl"
    path.write_text('{"path": "a.mp4", "caption": "a toy", "split": "test", "by": {"name": "Ann"}}')
    assert Config(folder=tmp_path, captions=path).read("test").left_out[1].names == ("by",)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("strat", "start"), ("spilt", "split"), ("lable", "label"), ("ends", "end"), ("tag", "tags")],
)
def test_a_column_that_is_misspelt_is_refused(tmp_path: Path, wrong: str, meant: str) -> None:
    lines = [f"path,caption,{wrong}", "a.mp4,a toy,1"]
    config = written(tmp_path, *lines, videos=("a.mp4",))
    said = f"captions.csv: '{wrong}' is not read, and there is no {meant}, which it is spelt like;"
    with refused(said):
        config.read("test")
    path = tmp_path / "told.jsonl"
    path.write_text(json.dumps({"path": "a.mp4", "caption": "a toy", wrong.title(): 1}))
    with refused(f"told.jsonl: '{wrong.title()}' is not read, and there is no {meant}, which"):
        Config(folder=tmp_path, captions=path).read("test")


def test_captions_in_two_files_are_refused_and_not_read_from_one_of_them(tmp_path: Path) -> None:
    config = written(tmp_path, "path,caption,split", "a.mp4,a toy,test", videos=("a.mp4",))
    for name in ("more", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "captions.csv").write_text("path,caption,split\na.mp4,a box,test\n")
    with refused("captions.csv and .../more/captions.csv differ, and one of them alone would be"):
        config.read("test")
    (tmp_path / "more" / "captions.csv").write_bytes((tmp_path / "captions.csv").read_bytes())
    assert len(config.read("test").pairs) == 1
    line = {"path": "a.mp4", "caption": "a box", "split": "test"}
    (tmp_path / "captions.jsonl").write_text(json.dumps(line))
    with refused("has captions in .../captions.csv and in .../captions.jsonl, of which one alone"):
        config.read("test")
    named = Config(folder=tmp_path, captions=tmp_path / "captions.jsonl")
    assert [pair.caption for pair in named.read("test").pairs] == ["a box"]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with refused("captions.csv, line 1: the column caption is there 2 times"):
        written(tmp_path, "path,caption,caption", "a.mp4,a toy,a box").read("test")


def test_spelling_of_a_path_does_not_matter(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "café.mp4")
    apart = unicodedata.normalize("NFD", composed)
    names = (f"./{composed}", apart, f"{tmp_path}/b.mp4")
    lines = [f"{name}, hot tea, test" for name in names]
    config = written(tmp_path, "path, caption, split", *lines, videos=(apart, "b.mp4"))
    split = config.read("test")
    assert [pair.video for pair in split.pairs] == [composed, composed, "b.mp4"]
    assert all(pair.path.is_file() for pair in split.pairs)


@pytest.mark.parametrize("path", ["../a.mp4", "clips/../../a.mp4"])
def test_a_path_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with refused(f"captions.csv, line 2, path: '{path}' is not inside ...; name the folder that"):
        written(tmp_path, "path,caption", f"{path},a toy").read("test")


def test_absolute_paths_name_files_below_several_roots(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for place in ("one/a.mp4", "two/a.mp4"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(place)
    gone = f"{tmp_path}/three/a.mp4"
    rows = ["a.mp4", f"{tmp_path}/two/a.mp4", f"{tmp_path}/one/../one/a.mp4", gone]
    lines = ["path,caption,start,end,split", *(f"{path},a toy,1,2,test" for path in rows)]
    split = written(tmp_path / "one", *lines).read("test")
    assert [pair.video for pair in split.pairs] == [
        "a.mp4#t=1,2",
        f"{tmp_path}/two/a.mp4#t=1,2",
        "a.mp4#t=1,2",
    ]
    assert [pair.path.read_text() for pair in split.pairs] == [
        "one/a.mp4",
        "two/a.mp4",
        "one/a.mp4",
    ]
    assert [(left.reason, left.names) for left in split.left_out] == [("not there", (gone,))]


def test_what_is_labelled_wrong_is_no_pair_and_is_counted(tmp_path: Path) -> None:
    lines = [
        "path,caption,start,end,split,label",
        "a.mp4,a toy,,,test,",
        "a.mp4,a dog,1,2,test,wrong",
        "b.mp4,a dog,,,val,right",
        "gone.mp4,a dog,,,test,wrong",
    ]
    config = written(tmp_path, *lines, videos=("a.mp4", "b.mp4"))
    split = config.read("test")
    assert [(pair.video, pair.caption) for pair in split.pairs] == [("a.mp4", "a toy")]
    assert [(pair.video, pair.caption) for pair in split.wrong] == [("a.mp4#t=1,2", "a dog")]
    assert [(left.what, left.count, left.missing) for left in split.left_out] == [
        ("video", 1, True),
        ("caption", 1, False),
    ]
    assert config.read("val").wrong == ()
    with refused("'a toy' is labelled right and wrong for a.mp4; keep one of the lines"):
        written(tmp_path, *lines, "a.mp4,a toy,,,test,wrong").read("test")
    with refused("line 6, label: "):
        written(tmp_path, *lines, "a.mp4,a toy,,,test,so-so").read("test")


@pytest.mark.parametrize("end", ["3", "5"])
def test_a_span_that_ends_before_it_starts_is_refused(tmp_path: Path, end: str) -> None:
    with refused(f"line 2: end {end} is not after start 5, in seconds; mend"):
        written(tmp_path, "path,caption,start,end", f"a.mp4,a toy,5,{end}").read("test")


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ("a.mp4,a toy,-1,", "line 2, start: Input should be greater than or equal to 0 (got '-1')"),
        ("a.mp4,a toy,1:20,", "line 2, start: Input should be a valid number, ... (got '1:20')"),
        ("a.mp4,a toy,nan,", "line 2, start: Input should be a finite number (got 'nan')"),
        ("a.mp4,,,", "line 2, caption: the cell is empty; fill it or remove the line (`reeltune"),
        ('a.mp4," ",,', "line 2, caption: the cell is empty; fill it or remove the line"),
        (",a toy,,", "line 2, path: the cell is empty; fill it or remove the line"),
        ("a.mp4", "line 2, ends after 1 of 4 cells, before caption (at a line break within a"),
        ('a.mp4,"a\ntoy",-1,', "line 2, start: Input should be greater than or equal to 0"),
        ("\n\na.mp4,,,", "line 4, caption: the cell is empty"),
        ('a.mp4,"a\ntoy"\na.mp4,,,', "line 4, caption: the cell is empty"),
        ('a.mp4,"a toy\nand\nmore', "line 2: what begins there is not CSV (unexpected end of"),
        ("a.mp4,a toy,,,,b", "line 2, has 1 cell more than the 4 wanted ('b' is too many)"),
        ("a.mp4,a toy,,dev", "line 2, split: Input should be 'train', 'val' or 'test' (got 'dev')"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, cells: str, wanted: str) -> None:
    with refused(wanted):
        written(tmp_path, "path,caption,start,split", cells).read("test")


def test_optional_cells_may_be_empty_blank_or_not_there(tmp_path: Path) -> None:
    lines = ["a.mp4,a toy", "a.mp4,a toy,,,,", 'a.mp4,"a\ntoy", ," "', " ", "a.mp4,a toy,1,2"]
    (tmp_path / "captions.csv").write_text("\n".join(["path,caption,start,end", *lines]))
    rows = list(read_csv(tmp_path / "captions.csv", Line, "folder"))
    assert [number for number, _ in rows] == [2, 3, 4, 7]
    assert [(row.start, row.end) for _, row in rows] == [(0, None)] * 3 + [(1, 2)]


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_text_of_json_is_named(tmp_path: Path, text: str) -> None:
    line = json.dumps({"path": "a.mp4", "caption": text})
    (tmp_path / "captions.jsonl").write_text(line)
    with refused("captions.jsonl, line 1, caption: the text is empty; fill it or remove its entry"):
        Config(folder=tmp_path).read("test")


def test_a_broken_line_of_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"path": "a.mp4", "caption": "a toy"}\n{"path": "a.mp4"\n')
    with refused("captions.jsonl, line 2: Invalid JSON: EOF while parsing an object"):
        Config(folder=tmp_path).read("test")


def test_a_video_in_two_splits_is_refused(tmp_path: Path) -> None:
    lines = ["path,caption,split", "a.mp4,a toy,train", "a.mp4,a box,test"]
    with refused("captions.csv: train and test share 1 video, first a.mp4; what is"):
        written(tmp_path, *lines, videos=("a.mp4",)).read("train")


def test_a_split_for_some_lines_only_is_refused(tmp_path: Path) -> None:
    lines = ["path,caption,split", "a.mp4,a toy,train", "b.mp4,a box,"]
    with refused(
        "captions.csv: no split is given in 1 of 2 lines, first that of b.mp4; give train, val"
    ):
        written(tmp_path, *lines).read("train")


def test_a_split_without_lines_or_videos_is_refused(tmp_path: Path) -> None:
    config = written(tmp_path, "path,caption,split", "a.mp4,a toy,train")
    with pytest.raises(
        NoSplitError, match=r"captions\.csv has no line whose split is val; give some"
    ):
        config.read("val")
    with refused("holds none of the 1 video that ...captions.csv names for train (looked for a"):
        config.read("train")


def test_captions_of_another_kind_or_none_are_refused(tmp_path: Path) -> None:
    with refused("told.xlsx is none of .csv, .tsv, .txt, .jsonl; `reeltune datasets folder`"):
        Config(folder=tmp_path, captions=tmp_path / "told.xlsx").read("test")
    with refused("captions.csv holds no caption; `reeltune datasets folder` says how"):
        written(tmp_path, "path,caption").read("test")
    with pytest.raises(ValidationError, match="folder"):
        Config()
