"""SHA-256 of files, with what the cache knows of them."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from reeltune.storage.known_files import sha256_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def old(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that was written long ago, as the clock has it, and its SHA-256."""
    path.write_bytes(content)
    now = path.stat().st_ctime + 60
    monkeypatch.setattr("reeltune.storage.known_files.time.time", lambda: now)
    return hashlib.sha256(content).hexdigest()


def records(cache: Path) -> list[Path]:
    return [*cache.rglob("*.json")]


def test_a_file_that_has_not_changed_is_not_read_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = old(tmp_path / "a", b"one", monkeypatch)
    assert sha256_of(tmp_path / "a") == digest
    (record,) = records(cache)
    found = json.loads(record.read_text())
    record.write_text(json.dumps({**found, "sha256": "as the cache says"}))
    assert sha256_of(tmp_path / "a") == "as the cache says"
    assert sha256_of(tmp_path / "a", anew=True) == digest
    assert sha256_of(tmp_path / "a") == digest  # as was kept anew
    written = record.stat().st_ino
    assert sha256_of(tmp_path / "a", anew=True) == digest
    assert record.stat().st_ino == written, "nothing is written where all is as it was"


def test_a_file_of_another_time_or_inode_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    first = old(path, b"one", monkeypatch)
    assert sha256_of(path) == first
    times = path.stat()
    second = old(path, b"two", monkeypatch)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # which the change of state tells
    assert sha256_of(path) == second
    (tmp_path / "b").write_bytes(b"six")
    (tmp_path / "b").replace(path)
    assert sha256_of(path) == hashlib.sha256(b"six").hexdigest()


def test_a_file_that_was_just_written_is_not_kept(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"one").hexdigest()
    assert records(cache) == []


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"path": 1'])
def test_a_damaged_record_is_no_record(
    damage: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = old(tmp_path / "a", b"one", monkeypatch)
    sha256_of(tmp_path / "a")
    records(cache)[0].write_text(damage)
    assert sha256_of(tmp_path / "a") == digest


def test_no_cache_is_no_error(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = old(tmp_path / "a", b"one", monkeypatch)
    cache.write_text("a file is no folder")
    assert sha256_of(tmp_path / "a") == digest
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "gone")
