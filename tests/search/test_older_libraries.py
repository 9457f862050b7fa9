"""Libraries of older schema versions: read as they are, and brought up by the next run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.search.holdings import info
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import optimize, verify
from reeltune.search.repair import repair
from reeltune.search.store import table as _table
from reeltune.search.store.manifest import FILE_NAME, SCHEMA_VERSION, Manifest
from reeltune.search.store.schema import SINCE_4
from search.hybrid_model import write_hybrid
from search.made_once import MadeOnce
from search.older_libraries import make_older

Clip = Callable[..., Path]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a tiny Dual Encoding, some of whose columns are not indexed."""
    folder = tmp_path_factory.mktemp("hybrid")
    write_hybrid(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["1", "2", "3", "3 with a rest"])
def made(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    model: str,
    hybrid: str,
) -> MadeOnce:
    """A library of an older version over three clips, beside them."""
    kind = request.param

    def make(videos: Path) -> None:
        library, has_rest = videos.parent / "library", kind in ("2", "3 with a rest")
        index([str(videos)], library, Choice(model=hybrid if has_rest else model))
        assert make_older(library, captions=kind.startswith("3")) == int(kind[0])

    return MadeOnce(tmp_path_factory.mktemp("made"), make)


@pytest.fixture
def videos(made: MadeOnce) -> Path:
    return made.anew()


@pytest.fixture
def old(videos: Path) -> Path:
    return videos.parent / "library"


def moments(library: Path) -> list[dict[str, object]]:
    """All rows by their ids, without the columns of later versions."""
    rows = _table.open_table(library).to_table()
    later = [field.name for field in SINCE_4 if field.name in rows.column_names]
    return rows.drop_columns(later).sort_by("id").to_pylist()


def test_an_older_library_is_searched_checked_and_tidied_as_it_is(old: Path) -> None:
    before, version = moments(old), Manifest.read(old).schema_version
    assert verify(old).faults == []
    assert len(Library(old).search("red")) == 3
    assert info(old)["schema_version"] == version
    assert optimize(old)["schema_version"] == version
    assert repair(old) == []
    assert (moments(old), Manifest.read(old).schema_version) == (before, version)


def test_the_next_run_brings_it_up_and_makes_nothing_anew(
    old: Path, videos: Path, clip: Clip
) -> None:
    before = moments(old)
    report = index([str(videos)], old)
    assert (len(report.unchanged), report.indexed, report.exit_code) == (3, [], 0)
    assert Manifest.read(old).schema_version == SCHEMA_VERSION
    assert moments(old) == before
    assert {field.name for field in SINCE_4} <= set(_table.open_table(old).schema.names)
    assert verify(old).faults == []
    clip(videos / "red.mp4", (90, 0, 90), (0, 90, 90), seconds=4)
    clip(videos / "new.mp4", (9, 9, 90))
    assert len(index([str(videos)], old).indexed) == 2
    assert verify(old).faults == []
    assert len(Library(old).search("red", fold=False)) == 6


def test_a_run_killed_between_the_manifest_and_the_table_is_gone_on_with(
    old: Path, videos: Path
) -> None:
    before = moments(old)
    Manifest.read(old).upgraded().write(old)
    assert verify(old).faults == []
    assert len(Library(old).search("red")) == 3
    index([str(videos)], old)
    assert moments(old) == before
    assert {field.name for field in SINCE_4} <= set(_table.open_table(old).schema.names)


def test_a_lost_manifest_of_an_older_library_comes_back_in_the_layout_of_today(old: Path) -> None:
    before, kept = moments(old), Manifest.read(old)
    (old / FILE_NAME).unlink()
    assert repair(old) == [
        f"wrote {FILE_NAME} again from the table; it leaves out nothing and finds no words"
    ]
    assert Manifest.read(old) == kept.upgraded()
    assert (moments(old), verify(old).faults) == (before, [])


@pytest.mark.parametrize(
    ("indexed", "wanted"), [(None, "d72f91a4b3d8fed9"), (4, "b43dc189117aa6a0")]
)
def test_units_of_work_keep_their_names_whatever_the_version(
    indexed: int | None, wanted: str
) -> None:
    kept = Manifest(
        model="m", fingerprint="f", dim=8, sampling="gap 2", segments="s", indexed=indexed
    )
    for version in range(1, SCHEMA_VERSION + 1):
        same = kept.model_copy(update={"schema_version": version, "exclude": ("*.tmp",)})
        assert same.settings_hash() == wanted
