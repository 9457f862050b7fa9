"""The manifest: written whole, read with care."""

import json
from pathlib import Path

import pytest

from reeltune.errors import LibraryError
from reeltune.search.store.manifest import FILE_NAME, Manifest

MANIFEST = Manifest(model="lite", fingerprint="f00", dim=8, sampling="gap 2", segments="shots")


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    assert Manifest.read(tmp_path) == MANIFEST
    assert [f.name for f in tmp_path.iterdir()] == [FILE_NAME], "no temporary file is left"


def test_any_setting_changes_the_hash() -> None:
    changed = [
        MANIFEST.model_copy(update={name: value})
        for name, value in {"fingerprint": "f01", "sampling": "fps 1", "segments": "m"}.items()
    ]
    assert len({m.settings_hash() for m in [MANIFEST, *changed]}) == 4


def test_a_folder_without_one_says_how_to_make_a_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"is no library.*reeltune index VIDEOS --library"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', "null"])
def test_a_damaged_one_names_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(LibraryError, match=r"is damaged.*reeltune library repair"):
        Manifest.read(tmp_path)


def test_a_damaged_one_names_the_field_that_is_wrong(tmp_path: Path) -> None:
    fields = json.loads(MANIFEST.model_dump_json()) | {"dim": "wide"}
    (tmp_path / FILE_NAME).write_text(json.dumps(fields))
    with pytest.raises(LibraryError, match=r"is damaged \(dim: Input should be a valid integer"):
        Manifest.read(tmp_path)


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    fields = json.loads(MANIFEST.model_dump_json()) | {"schema_version": 99}
    (tmp_path / FILE_NAME).write_text(json.dumps(fields))
    with pytest.raises(LibraryError, match=r"schema version 99, this Reeltune reads 1.*--library"):
        Manifest.read(tmp_path)
