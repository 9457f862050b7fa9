"""YouCook2: UniVL's layout made by hand, the official one with the published counts."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from media.numbered_video import write_numbered
from reeltune.data._youcook2 import DATA, OFFICIAL
from reeltune.data.released.univl_pickles import convert_s3d
from reeltune.data.released.youcook2 import convert
from reeltune.data.youcook2 import Config, whole_rows
from reeltune.errors import DataError
from reeltune.features.store import FeatureReader, Features
from reeltune.runs.make_features import FeatureOptions, make_features

SPOKEN = ["first take two slices", "NONE", " then flip it "]


def write_release(folder: Path, transcripts: list[str]) -> None:
    """UniVL's files: three videos with three steps each, features of two of them and one more."""
    folder.mkdir()
    videos = ["GLd3aX16zBg", "-4B6j3gYkvr", "xHr8X2Wpmno"]
    columns = {
        "start": np.array([0.08, 7.37, 15], dtype=object),
        "end": np.array([9.96, 16.98, 27], dtype=object),
        "text": np.array(["spread margarine", "flip it", "cut it in half"], dtype=object),
        "transcript": np.array(transcripts, dtype=object),
    }
    (folder / "data.pickle").write_bytes(pickle.dumps(dict.fromkeys(videos, columns)))
    features = {video: s3d(n, 20) for n, video in enumerate([*videos[1:], "unused"])}
    (folder / "s3d.pickle").write_bytes(pickle.dumps(features))
    header = "video_id,feature_file\n"
    (folder / "youcookii_train.csv").write_text(header + "".join(f"{v},{v}\n" for v in videos[:2]))
    (folder / "youcookii_val.csv").write_text(f"{header}{videos[2]},{videos[2]}\n")


def s3d(number: int, seconds: int) -> np.ndarray:
    """Rows that say which video and which second they are."""
    return np.stack([np.full(seconds, number), np.arange(seconds)], axis=1).astype(np.float32)


def converted(folder: Path, transcripts: list[str] = SPOKEN) -> Config:
    write_release(folder, transcripts)
    convert(folder / "data.pickle", folder)
    convert_s3d(folder / "s3d.pickle", folder / "features")
    return Config(folder=folder, hold_out=1)


def test_clips_are_the_rows_that_univl_cuts(tmp_path: Path) -> None:
    config = converted(tmp_path / "release")
    split = config.read("test")
    assert [pair.video for pair in split.pairs] == [f"xHr8X2Wpmno#{n}" for n in range(3)]
    assert [pair.caption for pair in split.pairs][1:] == ["flip it", "cut it in half"]
    assert split.captions == "single"
    assert [(e.names, e.missing) for e in split.left_out] == [(("unused",), False)]
    reader, rows = FeatureReader(Features(config.features("test"))), s3d(1, 20)
    for pair, (start, end) in zip(
        split.pairs, [(0.08, 9.96), (7.37, 16.98), (15, 27)], strict=True
    ):
        np.testing.assert_array_equal(reader.read(pair), rows[int(start) : int(end) + 1])


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.5, 4.0])
def test_spans_hold_the_middles_of_just_those_rows(rate: float) -> None:
    """By another road: the slice of UniVL against the middles of rows in the span."""
    middles = (np.arange(400) + 0.5) / rate
    for start, end in np.random.default_rng(0).uniform(0, 60, (200, 2)):
        start, end = sorted([round(start, 2), round(end, 2) + 0.5])
        first, last = whole_rows(start, end, rate)
        found = np.flatnonzero((middles >= first) & (middles < last))
        wanted = np.arange(400)[int(start * rate) : int(end * rate) + 1]
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("spacing", [290, 700, 2300])  # ms between frames; one still of 7 s
def test_clips_of_a_slow_video_are_the_frames_at_their_marks(spacing: int, tmp_path: Path) -> None:
    """Features are made at every second, and a frame that is shown at several is stored once."""
    frames = [*range(0, 9_000, spacing), *range(16_000, 24_000, spacing)]
    (tmp_path / "videos").mkdir()
    write_numbered(tmp_path / "videos" / "v.mp4", frames)
    make_features(
        [str(tmp_path / "videos")],
        "tiny-clip",
        tmp_path / "features",
        FeatureOptions(every=1.0, dtype="float32"),
    )
    starts, ends = [0.08, 3, 7.5, 10.2, 15.5], [2.9, 5, 12, 11.9, 19.3]
    told = {"start": starts, "end": ends, "text": ["stir"] * 5}
    (tmp_path / DATA).write_text(json.dumps({"v": told, "w": told}))
    for part, video in (("train", "w"), ("val", "v")):
        (tmp_path / f"youcookii_{part}.csv").write_text(f"video_id,feature_file\n{video},{video}\n")
    config = Config(folder=tmp_path)
    features = Features(config.features("test"))
    edges = features.edges("v")
    assert edges is not None
    shown = [max(f for f in frames if f <= mark) for mark in range(0, 24_000, 1_000)]
    kept = list(dict.fromkeys(shown))
    np.testing.assert_allclose(edges[: len(kept)], np.array(kept) / 1000, atol=1e-6)
    reader, rows = FeatureReader(features), features.of("v")
    for pair, start, end in zip(config.read("test").pairs, starts, ends, strict=True):
        wanted = dict.fromkeys(shown[mark] for mark in range(int(start), int(end) + 1))
        np.testing.assert_array_equal(reader.read(pair), rows[[kept.index(f) for f in wanted]])


def test_clips_without_features_are_missing(tmp_path: Path) -> None:
    folder = converted(tmp_path / "release").folder
    split = Config(folder=folder, hold_out=0).read("train")
    assert {pair.path.name for pair in split.pairs} == {"-4B6j3gYkvr"}
    entry = split.left_out[0]
    assert (entry.count, entry.missing, entry.reason) == (3, True, "not in the folder features")
    assert entry.names == tuple(f"GLd3aX16zBg#{n}" for n in range(3))
    (folder / "youcookii_train.csv").write_text("video_id,feature_file\nxHr8X2Wpmno,x\n")
    (folder / "youcookii_val.csv").write_text("video_id,feature_file\nGLd3aX16zBg,GLd\n")
    with pytest.raises(DataError, match=r"features of none of the 1 video of test .*for GLd\)"):
        Config(folder=folder).read("test")


def test_transcripts_are_those_of_the_clip(tmp_path: Path) -> None:
    config = converted(tmp_path / "release")
    said = [config.transcript(pair) for pair in config.read("test").pairs]
    assert said == ["first take two slices", "", "then flip it"]


def test_without_transcripts_the_remedy_is_named(tmp_path: Path) -> None:
    config = converted(tmp_path / "release", ["NONE", "none", ""])
    [pair, *_] = config.read("test").pairs
    with pytest.raises(DataError, match=r"no transcript of any clip.*youcookii_data\.json.*univl-"):
        config.transcript(pair)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    config = converted(tmp_path / "release")
    (config.folder / "features").rename(config.folder / "elsewhere")
    with pytest.raises(DataError, match=r"features is not there; .*convert s3d youcookii_videos_f"):
        config.read("test")
    (config.folder / DATA).write_text("{}")
    (config.folder / "elsewhere").rename(config.folder / "features")
    with pytest.raises(DataError, match=r"no steps of 1 of the 1 video of test, first xHr8X2Wpmno"):
        config.read("test")
    (config.folder / DATA).unlink()
    with pytest.raises(DataError, match=r"hold no youcookii_data\.json or youcookii_annotations"):
        config.read("test")
    (config.folder / "youcookii_val.csv").unlink()
    with pytest.raises(DataError, match=r"hold no youcookii_val\.csv; `reeltune datasets"):
        config.read("test")
    (config.folder / "youcookii_train.csv").unlink()
    with pytest.raises(DataError, match=r"neither youcookii_train\.csv and .* nor youcookii_annot"):
        config.read("test")
    with pytest.raises(DataError, match=r"nowhere is not a folder; `reeltune datasets youcook2`"):
        Config(folder=tmp_path / "nowhere").features("test")


def test_one_list_alone_is_not_passed_over_for_the_official_splits(tmp_path: Path) -> None:
    Config.tiny(tmp_path)
    steps = [{"segment": [0, 2], "sentence": "flip it"}]
    subsets = {"GLd3aX16zBg": "validation", "4B6j3gYkvr4": "training", "xHr8X2Wpmno": "validation"}
    database = {name: {"subset": one, "annotations": steps} for name, one in subsets.items()}
    official = tmp_path / "youcookii_annotations_trainval.json"
    official.write_text(json.dumps({"database": database}))
    (tmp_path / "youcookii_val.csv").unlink()
    with pytest.raises(DataError, match=r"hold no youcookii_val\.csv"):
        Config(folder=tmp_path).read("test")
    (tmp_path / "youcookii_train.csv").unlink()
    assert {
        pair.video.partition("#")[0] for pair in Config(folder=tmp_path).read("test").pairs
    } == {
        "GLd3aX16zBg",
        "xHr8X2Wpmno",
    }
    database["GLd3aX16zBg"]["subset"] = "Validation"
    official.write_text(json.dumps({"database": database}))
    with pytest.raises(DataError, match=r"GLd3aX16zBg\.subset: Input should be 'training', 'valid"):
        Config(folder=tmp_path).read("test")


def test_a_video_with_two_names_among_the_features_is_refused(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    with (tmp_path / "youcookii_val.csv").open("a") as file:
        file.write("xHr8X2Wpmno,xHr8X2Wpmno\nxHr8X2Wpmno,4B6j3gYkvr4\n")
    with pytest.raises(DataError, match=r"val\.csv, line 4: xHr8X2Wpmno is there a second time"):
        config.read("test")


def test_a_video_in_both_lists_is_refused(tmp_path: Path) -> None:
    config = converted(tmp_path / "release")
    (config.folder / "youcookii_val.csv").write_text("video_id,feature_file\n-4B6j3gYkvr,x\n")
    with pytest.raises(DataError, match=r"train and test share 1 video, first -4B6j3g"):
        config.read("test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": [1.0]}, r"start, end, text and transcript have 2, 1, 2 and 0 items"),
        ({"transcript": ["a"]}, r"have 2, 2, 2 and 1 items; give one for each step"),
        ({"end": [1.0, 3.0]}, r"a step begins at 3 s and ends at 3 s"),
        (
            {"text": ["fry", " "]},
            r"text\.1: (String should have at least 1 character|the text is empty)",
        ),
        ({"start": [-1.0, 3.0]}, r"start\.0: Input should be greater than or equal to 0"),
    ],
)
def test_steps_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, list[object]], message: str
) -> None:
    steps = {"start": [0.0, 3.0], "end": [2.0, 4.0], "text": ["fry", "serve"], **change}
    source = tmp_path / "data.pickle"
    source.write_bytes(pickle.dumps({"v": steps}))
    with pytest.raises(DataError, match=r"data\.pickle: .*" + message):
        convert(source, tmp_path)
    (tmp_path / DATA).write_text(json.dumps({"v": steps}))
    for name, video in (("train", "w"), ("val", "v")):
        lines = f"video_id,feature_file\n{video},{video}\n"
        (tmp_path / f"youcookii_{name}.csv").write_text(lines)
    with pytest.raises(DataError, match=r"youcookii_data\.json, .*" + message):
        Config(folder=tmp_path).read("test")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    config = Config.tiny(tmp_path)
    before = config.read("test")
    told = json.loads((tmp_path / DATA).read_text())
    told["xHr8X2Wpmno"]["text"][0] = "serve"
    (tmp_path / DATA).write_text(json.dumps(told))
    assert before.pairs[0].caption != config.read("test").pairs[0].caption == "serve"


def test_the_official_file_has_the_published_counts(tmp_path: Path, shared_data: Path) -> None:
    """1,333 / 457 videos and 10,337 / 3,492 steps, as the annotations of PDVC have them."""
    database: dict[str, object] = {}
    for part, subset in (("train", "training"), ("val", "validation")):
        path = shared_data / "annotations" / "youcook2" / f"yc2_{part}.json"
        for video, told in json.loads(path.read_text()).items():
            spans = zip(told["timestamps"], told["sentences"], strict=True)
            steps = [{"id": n, "segment": s, "sentence": t} for n, (s, t) in enumerate(spans)]
            database[video.removeprefix("v_")] = {"subset": subset, "annotations": steps}
    (tmp_path / OFFICIAL).write_text(json.dumps({"database": database}))
    features = {video: s3d(n, 3) for n, video in enumerate(database)}
    (tmp_path / "s3d.pickle").write_bytes(pickle.dumps(features))
    convert_s3d(tmp_path / "s3d.pickle", tmp_path / "features")
    config = Config(folder=tmp_path)
    counts = {"train": 1233, "val": 100, "test": 457}
    splits = {part: config.read(part) for part in ("train", "val", "test")}
    assert {p: len({pair.path for pair in s.pairs}) for p, s in splits.items()} == counts
    assert len(splits["train"].pairs) + len(splits["val"].pairs) == 10_337
    assert len(splits["test"].pairs) == 3_492
    with pytest.raises(DataError, match="no transcript of any clip"):
        config.transcript(splits["test"].pairs[0])
