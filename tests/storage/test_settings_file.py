"""Files that strangers wrote: neither size, depth, aliases nor a named pipe does any harm."""

import os
from pathlib import Path

import pytest

from reeltune.storage.regular_file import read_bytes
from reeltune.storage.settings_file import MOST_YAML, read_json, read_named, read_yaml

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (read_bytes, read_json, read_yaml):
        with pytest.raises(OSError, match="it is not a regular file"):
            read(tmp_path / "pipe")  # type: ignore[operator]
    with pytest.raises(OSError, match="it is not a regular file"):
        read_bytes("/dev/null")
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)


def test_a_file_that_is_too_long_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"12345")
    assert read_bytes(path, at_most=5) == b"12345"
    with pytest.raises(ValueError, match="it has more than 4 bytes"):
        read_bytes(path, at_most=4)
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on disk
    for read in (read_json, read_yaml):
        with pytest.raises(ValueError, match=r"it has more than [\d,]+ bytes"):
            read(path)


def test_json_and_yaml_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"a": [1, "x", null]}')
    assert read_json(tmp_path / "a") == read_yaml(tmp_path / "a") == {"a": [1, "x", None]}
    (tmp_path / "a").write_text("a: &a 1")
    assert read_yaml(tmp_path / "a") == {"a": 1}, "an anchor alone is harmless"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000], ids=["lists", "objects"])
def test_what_is_nested_too_deeply_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(ValueError, match="it is nested too deeply"):
        read_json(tmp_path / "a")
    with pytest.raises(ValueError, match="it is nested too deeply"):
        read_yaml(tmp_path / "a")


def test_aliases_of_yaml_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(BOMB)
    with pytest.raises(ValueError, match=r"it has an alias of YAML.*write the value out"):
        read_yaml(tmp_path / "a")


@pytest.mark.parametrize("text", ["a: [", "!!python/object/apply:os.system [true]", "a: !x 1"])
def test_what_is_no_plain_yaml_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read_yaml(tmp_path / "a")


def test_the_bound_leaves_room_for_long_lists_of_answers() -> None:
    assert MOST_YAML > 5000 * 100


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "nothing"),
        ("# alone", "nothing"),
        ("word", "one value"),
        ("- a", "a list"),
        ("3", "one value"),
    ],
)
def test_what_is_no_settings_by_name_is_said_so(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(ValueError, match=f"it holds {fault}, where settings by name are wanted"):
        read_named(tmp_path / "a")
    (tmp_path / "a").write_text("a: 1")
    assert read_named(tmp_path / "a") == {"a": 1}
