"""Pickles of UniVL: features and captions, read without running anything in them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from reeltune.data.released.univl_pickles import convert_s3d, read_columns, read_s3d
from reeltune.errors import DataError
from reeltune.features.store import Features


def videos() -> dict[str, np.ndarray]:
    source = np.random.default_rng(0)
    made = {f"video{n}": source.standard_normal((n, 6)).astype(np.float32) for n in (1, 4)}
    made["other"] = np.asfortranarray(source.standard_normal((3, 6)).astype(">f8"))
    return made


def steps() -> dict[str, dict[str, np.ndarray]]:
    """As UniVL writes them: arrays of objects, among which numbers may be numpy's."""
    return {
        "GLd3aX16zBg": {
            "start": np.array([90, 114.5, np.float64(132)], dtype=object),
            "end": np.array([np.int64(102), 127, 138], dtype=object),
            "text": np.array(["spread margarine", "Käse \N{CHEESE WEDGE}", "fry"], dtype=object),
            "transcript": np.array(["NONE", "NONE", "so then we"], dtype=object),
        }
    }


def stored(folder: Path, what: object, protocol: int = 4) -> Path:
    path = folder / "features.pickle"
    path.write_bytes(pickle.dumps(what, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_same_features(tmp_path: Path, protocol: int) -> None:
    found = read_s3d(stored(tmp_path, videos(), protocol))
    assert list(found) == list(videos())
    for name, rows in videos().items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], rows.astype(np.float32))


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_same_columns(tmp_path: Path, protocol: int) -> None:
    found = read_columns(stored(tmp_path, steps(), protocol))["GLd3aX16zBg"]
    wanted = steps()["GLd3aX16zBg"]
    assert found == {name: column.tolist() for name, column in wanted.items()}
    assert {type(value) for value in [*found["start"], *found["end"]]} <= {int, float}


@pytest.mark.parametrize("protocol", range(6))
def test_columns_may_be_lists_numbers_or_text_of_numpy(tmp_path: Path, protocol: int) -> None:
    columns = {"start": np.array([0.5, 2]), "text": np.array(["fry", "Käse"]), "end": [1, 3]}
    found = read_columns(stored(tmp_path, {"v": columns}, protocol))
    assert found == {"v": {"start": [0.5, 2.0], "text": ["fry", "Käse"], "end": [1, 3]}}


def test_names_of_older_numpy_are_known(tmp_path: Path) -> None:
    path = stored(tmp_path, videos(), 2)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert list(read_s3d(path)) == list(videos())


def test_converted_features_are_those_of_the_file_with_times(tmp_path: Path) -> None:
    assert convert_s3d(stored(tmp_path, videos()), tmp_path / "own", rate=2.0) == 3
    features = Features(tmp_path / "own")
    np.testing.assert_array_equal(features.of("video4"), videos()["video4"])
    assert (edges := features.edges("video4")) is not None
    assert edges.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert features.making.sampling == "fps 2"


@pytest.mark.parametrize("read", [read_s3d, read_columns])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path, read: type) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    inside = {"start": np.array([Evil()], dtype=object)}
    for value in (Evil(), inside):
        with pytest.raises(DataError, match=r"is refused: it names .*, which is no part of an arr"):
            read(stored(tmp_path, {"x": value}))
    assert not (tmp_path / "ran").exists()


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds a list; wanted is a dict of feature arrays"):
        read_s3d(stored(tmp_path, [1, 2]))
    with pytest.raises(DataError, match=r"x has float64 \(3,\); wanted are numbers \(frames, wid"):
        read_s3d(stored(tmp_path, {"x": np.zeros(3)}))
    with pytest.raises(DataError, match=r"x has str; wanted"):
        read_s3d(stored(tmp_path, {"x": "features"}))
    with pytest.raises(DataError, match=r"x has object \(1, 1\); wanted are numbers"):
        read_s3d(stored(tmp_path, {"x": np.array([[None]])}))
    with pytest.raises(DataError, match=r"an array holds 'M8', and wanted are numbers or text"):
        read_s3d(stored(tmp_path, {"x": np.array(["2020-01-01"], "M8[D]")}))
    path = stored(tmp_path, videos())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cannot be read as a pickle of feature arrays"):
        read_s3d(path)


@pytest.mark.parametrize("read", [read_s3d, read_columns])
def test_folders_and_files_of_numpy_are_told_what_is_read(tmp_path: Path, read: type) -> None:
    np.savez(tmp_path / "features.npz", video0=np.zeros((2, 3), np.float32))
    places = {
        tmp_path: "is a folder",
        tmp_path / "features.npz": r"is a file of numpy \(\.npz\)",
        tmp_path / "none.pickle": "is not there",
    }
    for path, found in places.items():
        message = rf"{path.name} {found}, and what is read is a file in which pickle has a dict of"
        with pytest.raises(DataError, match=message):
            read(path)


def test_captions_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds a list; wanted is a dict of columns for each vid"):
        read_columns(stored(tmp_path, ["fry"]))
    with pytest.raises(DataError, match=r"v has a list; wanted is a dict of columns"):
        read_columns(stored(tmp_path, {"v": ["fry"]}))
    with pytest.raises(DataError, match=r"v has \(1, 1\) for a column; wanted is a list"):
        read_columns(stored(tmp_path, {"v": {"text": np.array([["fry"]])}}))
    with pytest.raises(DataError, match=r"v has str for a column; wanted is a list"):
        read_columns(stored(tmp_path, {"v": {"text": "fry"}}))
