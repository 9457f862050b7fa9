"""Feature pickles of UniVL: read without running anything in them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from reeltune.data._features import Features
from reeltune.data._s3d_pickle import convert_s3d, read_s3d
from reeltune.errors import DataError


def videos() -> dict[str, np.ndarray]:
    source = np.random.default_rng(0)
    made = {f"video{n}": source.standard_normal((n, 6)).astype(np.float32) for n in (1, 4)}
    made["other"] = np.asfortranarray(source.standard_normal((3, 6)).astype(">f8"))
    return made


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


def test_names_of_older_numpy_are_known(tmp_path: Path) -> None:
    path = stored(tmp_path, videos(), 2)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert list(read_s3d(path)) == list(videos())


def test_converted_features_are_those_of_the_file_with_times(tmp_path: Path) -> None:
    assert convert_s3d(stored(tmp_path, videos()), tmp_path / "own", rate=2.0) == 3
    features = Features(tmp_path / "own")
    np.testing.assert_array_equal(features.of("video4"), videos()["video4"])
    assert features.times("video4").tolist() == [0.25, 0.75, 1.25, 1.75]
    assert features.making.sampling == "fps 2"


def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    with pytest.raises(DataError, match=r"is refused: it names .*, which is no part of an array"):
        read_s3d(stored(tmp_path, {"x": Evil()}))
    assert not (tmp_path / "ran").exists()


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds a list; wanted is a dict of features"):
        read_s3d(stored(tmp_path, [1, 2]))
    with pytest.raises(DataError, match=r"x has \(3,\); wanted are numbers \(frames, width\)"):
        read_s3d(stored(tmp_path, {"x": np.zeros(3)}))
    with pytest.raises(DataError, match=r"x has str; wanted"):
        read_s3d(stored(tmp_path, {"x": "features"}))
    with pytest.raises(DataError, match=r"an array holds 'O8', and features are numbers"):
        read_s3d(stored(tmp_path, {"x": np.array([[None]])}))
    path = stored(tmp_path, videos())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cannot be read as a pickle of features"):
        read_s3d(path)
