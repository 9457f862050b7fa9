"""Words beside moments: told once, kept by content, and lost by no interruption."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.errors import ConfigError, LibraryError
from reeltune.models.opening.sentences import Sentences
from reeltune.search.channels.channel import Told
from reeltune.search.channels.plain import plain
from reeltune.search.files import relocate, remove
from reeltune.search.holdings import info
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import optimize, verify
from reeltune.search.report import Failed
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import begin, undo
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.nearest import vectors_of
from reeltune.search.tell_files import LONGEST, sound
from reeltune.search.texts import list_texts
from reeltune.types import Phrase
from search.tellers import Beside, run, stored

LINES = {
    "red.said.txt": "a red square\nand nothing else",
    "two.said.txt": "first blue",
    "two.shown.txt": "then yellow",
}
SAID = [
    ("green", "said", ""),
    ("red", "said", "a red square"),
    ("red", "said", "and nothing else"),
    ("two", "said", "first blue"),
]
SHOWN = [("green", "shown", ""), ("red", "shown", ""), ("two", "shown", "then yellow")]


@pytest.fixture
def home(library: Path, tmp_path: Path) -> Path:
    """A library of three clips of its own, whose words lie beside them."""
    home = Path(shutil.copytree(library.parent, tmp_path / "home")) / "lib"
    for name, text in LINES.items():
        (home.parent / "videos" / name).write_text(text)
    relocate(home, str(library.parent / "videos"), str(home.parent / "videos"))
    return home


def test_while_words_are_found_others_read_and_none_writes(home: Path) -> None:
    seen: list[str] = []

    class Watched(Beside):
        """Looks at the library as another process may, in the middle of its work."""

        def tell(self, path: Path, done: Callable[[float], None]) -> Told:
            if not seen:
                with pytest.raises(LibraryError, match=r"being written by process \d+ on .*; wait"):
                    remove(home, [str(path)])
                assert (verify(home).faults, bool(Library(home).search("red"))) == ([], True)
                seen.extend(one.text for one in list_texts(home))
            return super().tell(path, done)

    run(home, Beside("shown"))
    assert run(home, Watched()).unheard == []
    assert seen == ["then yellow"]
    assert stored(home) == sorted([*SAID, *SHOWN], key=lambda row: row[:2])


def test_words_are_stored_beside_moments_with_their_times_and_vectors(home: Path) -> None:
    moments = _table.open_table(home).to_table().sort_by("id")
    said, shown = Beside(), Beside("shown")
    report = run(home, said, shown)
    assert stored(home) == sorted([*SAID, *SHOWN], key=lambda row: row[:2])
    assert (report.phrases, report.exit_code) == ({"said": 3, "shown": 1}, 0)
    assert [(Path(one.path).name, one.phrases) for one in report.heard] == [
        ("green.mp4", 0),
        ("red.mp4", 2),
        ("two.mp4", 1),
    ]
    assert (said.is_closed, shown.is_closed) == (True, True)
    assert _table.open_table(home).to_table().sort_by("id").equals(moments)
    table = _texts.open_texts(home)
    assert table is not None
    rows = table.to_table(filter="text = 'and nothing else'")
    cells = rows.drop_columns(["id", "video", "unit", "vector", "checksum"]).to_pylist()
    same = {"channel": "said", "source": "sidecar", "language": "en", "note": ""}
    assert cells == [
        {
            "part": 1,
            "parts": 2,
            "start": 2.0,
            "end": 4.0,
            "text": LINES["red.said.txt"].splitlines()[1],
            **same,
        }
    ]
    wanted = Sentences().vectors(["and nothing else"])
    np.testing.assert_allclose(vectors_of(rows), wanted, atol=1e-5)
    health = verify(home)
    assert (health.faults, health.phrases, health.files) == ([], 4, 3)
    assert {name: info(home)[f"phrases_{name}"] for name in ("said", "shown")} == {
        "said": 3,
        "shown": 1,
    }


def test_a_second_run_tells_only_what_is_missing_or_was_told_otherwise(home: Path) -> None:
    run(home, Beside())
    again, shown = Beside(), Beside("shown")
    run(home, again, shown)
    assert (again.asked, shown.asked) == ([], ["green.mp4", "red.mp4", "two.mp4"])
    (home.parent / "videos/red.said.txt").write_text("another word")
    other = Beside(fingerprint="f2")
    assert run(home, other).phrases == {"said": 2, "shown": 0}
    assert other.asked == ["green.mp4", "red.mp4", "two.mp4"]
    assert [row for row in stored(home) if row[:2] == ("red", "said")] == [
        ("red", "said", "another word")
    ]
    assert [row for row in stored(home) if row[1] == "shown"] == SHOWN
    assert verify(home).faults == []


def test_what_lies_beside_one_file_tells_that_file_anew(home: Path) -> None:
    class Watching(Beside):
        def beside(self, path: Path) -> str:
            lines = path.with_suffix(".said.txt")
            return str(lines.stat().st_size) if lines.is_file() else ""

    run(home, Watching())
    (home.parent / "videos/green.said.txt").write_text("green at last")
    again = Watching()
    run(home, again)
    assert again.asked == ["green.mp4"]
    assert stored(home)[0] == ("green", "said", "green at last")


def test_a_file_whose_words_cannot_be_told_keeps_its_moments_and_the_words_it_had(
    home: Path,
) -> None:
    run(home, Beside())
    breaking = Beside(fingerprint="f2", breaks_at="red.mp4")
    report = run(home, breaking, Beside("shown", breaks_at="two.mp4"))
    videos = Library(home).files()
    assert report.unheard == [Failed(videos[1].path, "its sound cannot be decoded")]
    assert report.unread == [Failed(videos[2].path, "its sound cannot be decoded")]
    assert [one.moments for one in videos] == [1, 1, 2]
    assert stored(home) == sorted([*SAID, *SHOWN[:2]], key=lambda row: row[:2])
    report.unchanged.append("red.mp4")
    assert report.exit_code == 3
    assert (
        json.loads(json.dumps(report.as_dict()))["unheard"][0]["reason"]
        == "its sound cannot be decoded"
    )
    again = Beside(fingerprint="f2")
    assert run(home, again).exit_code == 0
    assert again.asked == ["red.mp4"]


def test_ctrl_c_keeps_the_words_of_complete_files(home: Path) -> None:
    teller = Beside(stops_at="two.mp4")
    report = run(home, teller)
    assert (report.interrupted, report.exit_code, teller.is_closed) == (True, 130, True)
    assert stored(home) == SAID[:3]
    rest = Beside()
    run(home, rest)
    assert (rest.asked, stored(home)) == (["two.mp4"], SAID)


def test_moved_files_and_copies_are_told_nothing_again(home: Path, model: str) -> None:
    run(home, Beside())
    videos = home.parent / "videos"
    shutil.copy(videos / "two.mp4", videos / "zwei.mp4")
    (videos / "red.mp4").rename(videos / "rot.mp4")
    index(videos, home)
    again = Beside()
    run(home, again)
    assert again.asked == []
    assert [row[0] for row in stored(home)] == ["green", "rot", "rot", "two"]
    shutil.move(videos, home.parent / "elsewhere")
    relocate(home, str(videos), str(home.parent / "elsewhere"))
    run(home, again)
    assert again.asked == []
    assert {Path(one.location).parent.name for one in list_texts(home)} == {"elsewhere"}


def test_words_go_with_their_files_and_come_back_by_undo(home: Path) -> None:
    run(home, Beside())
    assert undo(home).what == "index"
    assert stored(home) == []
    undo(home)
    assert stored(home) == SAID
    remove(home, str(home.parent / "videos/red.mp4"))
    assert stored(home) == [row for row in SAID if row[0] != "red"]
    optimize(home)
    assert undo(home).what == "remove"
    assert stored(home) == SAID
    assert verify(home).faults == []
    run(home, Beside())
    assert undo(home).what == "undo", "a run that told nothing is no change"
    assert stored(home) == [row for row in SAID if row[0] != "red"]


def test_pruned_files_lose_their_words(home: Path) -> None:
    run(home, Beside())
    (home.parent / "videos/red.mp4").unlink()
    index(home.parent / "videos", home, Choice(prune="gone"))
    assert stored(home) == [row for row in SAID if row[0] != "red"]


def test_a_file_that_is_written_meanwhile_is_left_for_the_next_run(home: Path) -> None:
    class Late(Beside):
        def tell(self, path: Path, done: object) -> Told:
            with path.open("ab") as file:
                file.write(b"more")
            return Told(phrases=[Phrase(start=0, end=1, text="early")], source="speech")

    report = run(home, Late())
    assert [Path(path).name for path in report.waiting] == ["green.mp4", "red.mp4", "two.mp4"]
    assert stored(home) == []


def test_words_are_listed_in_the_order_of_paths_channels_and_time(home: Path) -> None:
    assert list(Library(home).texts()) == []
    run(home, Beside("shown"), Beside())
    found = list(Library(home).texts())
    assert [(Path(one.path).stem, one.channel, one.start, one.text) for one in found] == [
        ("red", "said", 0.0, "a red square"),
        ("red", "said", 2.0, "and nothing else"),
        ("two", "said", 0.0, "first blue"),
        ("two", "shown", 0.0, "then yellow"),
    ]
    assert Path(found[0].location).is_file()
    assert [one.text for one in Library(home).texts("shown")] == ["then yellow"]
    with pytest.raises(ConfigError, match="channel is 'seen'; give said or shown"):
        Library(home).texts("seen")  # type: ignore[arg-type]


KILLED = dedent("""
    import os, signal, sys
    from pathlib import Path
    from reeltune.search import tell_files
    from search.tellers import Beside, run
    tell_files.COMMIT_SECONDS = 0
    class Dies(Beside):
        def tell(self, path, done):
            if path.name == "two.mp4":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().tell(path, done)
    run(Path(sys.argv[1]), Dies())
""")


def test_a_killed_run_goes_on_where_it_stopped(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home)], cwd=Path(__file__).parents[1], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert stored(home) == SAID[:3]
    assert verify(home).faults == []
    rest = Beside()
    run(home, rest)
    assert (rest.asked, stored(home)) == (["two.mp4"], SAID)


times = st.floats(allow_nan=True, allow_infinity=True)
phrases = st.builds(Phrase, start=times, end=times, text=st.text(st.characters(), max_size=30))


@given(st.lists(phrases, max_size=8), st.text(st.characters(), max_size=9))
def test_whatever_is_told_becomes_lines_in_the_order_of_time(told: list[Phrase], note: str) -> None:
    found = sound(Told(phrases=told, source="sidecar", language="en\x1b", note=note))
    assert (found.source, found.language) == ("sidecar", "en")
    starts = [one.start for one in found.phrases]
    assert starts == sorted(starts)
    for one in found.phrases:
        assert 0 <= one.start <= one.end < float("inf")
        assert one.text == plain(one.text) != ""
    lost = sum(not np.isfinite([one.start, one.end]).all() for one in told)
    assert ("without a time" in found.note) == (lost > 0)


def test_too_much_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reeltune.search.tell_files.MOST", 3)
    long = [Phrase(start=number, end=number, text="x" * (LONGEST + 1)) for number in range(4)]
    found = sound(Told(phrases=long, source="sidecar"))
    assert [len(one.text) for one in found.phrases] == [LONGEST] * 3
    assert (
        found.note == "phrases cut to 1,000 characters: 4; phrases after the first 3 were left out"
    )


def test_undo_that_was_killed_between_words_and_moments_is_done_again(home: Path) -> None:
    run(home, Beside())
    remove(home, str(home.parent / "videos/red.mp4"))
    with sole_writer(home):  # what `undo` does until it is killed
        begin(home, "undo")
        (_, last) = json.loads((home / "changes.json").read_text())
        _texts.restore(home, last["texts"] - 1)
    assert undo(home).what == "remove"
    assert (stored(home), verify(home).faults) == (SAID, [])
