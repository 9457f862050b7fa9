"""Indexing with words: chosen, remembered, ended, taken back, listed and written down."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from media.spoken_video import tone, write_tones
from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.media.progress import Silent
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import verify
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import undo
from reeltune.search.store.manifest import Choices, Manifest
from search.made_once import MadeOnce
from search.older_libraries import make_older
from search.tellers import stored

Clip = Callable[..., Path]
SUBTITLES = "1\n00:00:00,500 --> 00:00:01,500\n{}\n\n"
HOSTILE = "a \x1b[31mred\x07 <b>box</b>\u202e\u0000 and [bold]more[/bold]"


def subtitle(video: Path, *texts: str) -> None:
    video.with_suffix(".srt").write_text("".join(map(SUBTITLES.format, texts)), "utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    """A library of three clips without words, of which one has subtitles beside it by now."""

    def make(videos: Path) -> None:
        index(videos, videos.parent / "library", Choice(model=model))
        subtitle(videos / "red.mp4", "a red box")

    return MadeOnce(tmp_path_factory.mktemp("made"), make)


@pytest.fixture
def videos(made: MadeOnce) -> Path:
    return made.anew()


@pytest.fixture
def home(videos: Path) -> Path:
    return videos.parent / "library"


def words(home: Path) -> list[tuple[str, str]]:
    return [(Path(one.path).stem, one.text) for one in Library(home).texts()]


def test_words_are_found_once_they_are_wanted_and_in_later_runs(
    home: Path, videos: Path, clip: Clip
) -> None:
    index(videos, home)
    assert not (home / _texts.NAME).exists()
    report = Library(home).index(videos, hear=True)
    assert (report.indexed, report.phrases, len(report.heard)) == ([], {"said": 1, "shown": 0}, 3)
    assert Manifest.read(home).channels == ("said",)
    found = list(Library(home).texts("said"))
    assert [(one.start, one.end, one.text, one.source) for one in found] == [
        (0.5, 1.5, "a red box", "sidecar")
    ]
    subtitle(clip(videos / "new.mp4", (9, 9, 90)), "quite new")
    assert index(videos, home).phrases["said"] == 1
    assert words(home) == [("new", "quite new"), ("red", "a red box")]
    subtitle(videos / "green.mp4", "green as well")
    assert [Path(one.path).stem for one in index(videos, home).heard] == ["green"]


def test_subtitles_that_are_read_are_not_passed_over(home: Path, videos: Path) -> None:
    def passed_over(**options: bool) -> dict[str, tuple[str, ...]]:
        report = index(videos, home, Choice(**options))
        return {
            one.reason: tuple(Path(name).name for name in one.names) for one in report.passed_over
        }

    for name in ("green.de.srt", "other.srt", "red.forced.srt"):
        shutil.copy(videos / "red.srt", videos / name)
    shutil.copy(videos / "red.srt", videos / "green.en.vtt")
    others = ("green.de.srt", "other.srt", "red.forced.srt")
    every = {".srt": (*others[:2], "red.forced.srt", "red.srt"), ".vtt": ("green.en.vtt",)}
    assert passed_over() == every
    assert passed_over(hear=True) == {
        ".srt": others
    }  # not heard: another language, no video, parts
    assert passed_over() == {".srt": others}
    assert passed_over(hear=False) == every


def test_subtitles_after_the_end_of_a_video_are_left_out_and_counted(
    home: Path, videos: Path
) -> None:
    late = "2\n00:59:00,000 --> 00:59:01,000\nnever shown\n\n"
    with (videos / "red.srt").open("a") as file:
        file.write(late)
    report = index(videos, home, Choice(hear=True))
    assert [one.note for one in report.heard if Path(one.path).stem == "red"] == [
        "1 subtitle after the end of the video left out"
    ]
    assert words(home) == [("red", "a red box")]


def test_no_hear_ends_it_and_keeps_what_was_heard(home: Path, videos: Path, clip: Clip) -> None:
    index(videos, home, Choice(hear=True))
    subtitle(clip(videos / "new.mp4", (9, 9, 90)), "quite new")
    assert index(videos, home, Choice(hear=False)).heard == []
    assert index(videos, home).heard == []
    assert (Manifest.read(home).channels, words(home)) == ((), [("red", "a red box")])


def test_undo_takes_back_words_and_that_they_are_wanted(home: Path, videos: Path) -> None:
    index(videos, home, Choice(hear=True))
    assert undo(home).what == "index"
    assert (Manifest.read(home).choices, stored(home)) == (Choices(), [])
    undo(home)
    assert (Manifest.read(home).channels, words(home)) == (("said",), [("red", "a red box")])
    assert verify(home).faults == []


def test_what_hears_speech_is_remembered_and_means_that_it_is_wanted(
    home: Path, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(videos, home, Choice(speech="tiny.en"))
    assert Manifest.read(home).choices == Choices(channels=("said",), speech="tiny.en")
    assert index(videos, home).heard == [], "nothing was told by another"
    with pytest.raises(ConfigError, match=r"speech is 'tiny\.en', and no speech is"):
        index(videos, home, Choice(hear=False, speech="tiny.en"))


def test_an_older_library_gets_words_when_they_are_wanted(home: Path, videos: Path) -> None:
    make_older(home, captions=False)
    index(videos, home)
    assert not (home / _texts.NAME).exists()
    index(videos, home, Choice(hear=True))
    assert words(home) == [("red", "a red box")]


def test_a_run_says_which_work_begins(home: Path, videos: Path) -> None:
    works = []

    class Noting(Silent):
        def begin(self, files: int, size: int, work: str = "") -> None:
            works.append((files, work))

    index(videos, home, Choice(hear=True), Noting())
    assert works == [(3, ""), (3, "hearing")]


def test_words_of_strangers_reach_a_terminal_and_files_in_plain_letters(
    home: Path, videos: Path
) -> None:
    subtitle(videos / "two.mp4", HOSTILE)
    run = CliRunner()
    done = run.invoke(app, ["index", str(videos), "-l", str(home), "--hear"])
    assert done.exit_code == 0, done.output
    assert "3 heard (2 phrases)" in done.output
    commands = [
        ["library", "texts", str(home)],
        ["library", "texts", str(home), "--json"],
        *(
            ["transcript", str(videos / "two.mp4"), "-l", str(home), "--format", kind]
            for kind in ("txt", "srt", "vtt", "json")
        ),
    ]
    for command in commands:
        shown = run.invoke(app, command)
        assert shown.exit_code == 0, shown.output
        assert "[31mred" in shown.output
        assert not set("\x1b\x07\x00\u202e") & set(shown.output), command
        assert "[bold]more[/bold]" in shown.output


def test_a_file_whose_sound_cannot_be_read_keeps_its_pictures(home: Path, videos: Path) -> None:
    write_tones(videos / "broken.mkv", (0.0, tone(1)), codec="wavpack")
    run = ["index", str(videos), "-l", str(home), "--hear"]
    for counts in (
        "1 indexed (1 moment of 0:06.0), 3 unchanged",
        "0 indexed (0 moments of 0:00.0",
    ):
        done = CliRunner().invoke(app, run)
        assert done.exit_code == 3, done.output
        assert "broken.mkv: its sound is encoded with wavpack, which is not on" in done.output
        assert counts in done.output
        assert "1 unheard" in done.output
    assert len(Library(home).files()) == 4


def test_a_list_of_no_words_says_why(home: Path, videos: Path) -> None:
    def said(*options: str) -> str:
        done = CliRunner().invoke(app, ["library", "texts", str(home), *options])
        assert (done.exit_code, done.stdout) == (0, "[]\n" if "--json" in options else "")
        return done.stderr.replace(str(home), "HOME").strip()

    ask = "find them with: reeltune index VIDEOS --library HOME"
    assert (
        said() == f"words that are said or shown were not looked for in HOME; {ask} --hear --read"
    )
    (videos / "red.srt").unlink()
    index(videos, home, Choice(speech="none"))
    assert said("--json") == "nothing is said in the videos of HOME"
    assert said("--channel", "shown").endswith(f"{ask} --read")
    shutil.rmtree(home / _texts.NAME)
    assert said() == "texts.lance is not there; the next index run finds all words"


def test_transcript_prints_what_a_library_has_and_hears_the_rest(
    home: Path, videos: Path, tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(videos, home, Choice(hear=True))
    (videos / "red.srt").unlink()
    run = CliRunner()
    red = str(videos / "red.mp4")
    assert run.invoke(app, ["transcript", red, "-l", str(home)]).stdout == "a red box\n"
    told = json.loads(run.invoke(app, ["transcript", red, "-l", str(home), "--json"]).stdout)
    assert (told["video"], told["source"]) == (red, "sidecar")
    assert told["phrases"] == [{"start": 0.5, "end": 1.5, "text": "a red box"}]
    subtitle(clip(tmp_path / "other.mp4", (9, 9, 90)), "heard now")
    monkeypatch.chdir(tmp_path)
    srt = run.invoke(app, ["transcript", "other.mp4", "--format", "srt"]).stdout
    assert srt == "1\n00:00:00,500 --> 00:00:01,500\nheard now\n\n"
    nothing = run.invoke(app, ["transcript", str(videos / "green.mp4")])
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "nothing is said in" in nothing.stderr


def test_a_library_without_words_is_searched_without_what_finds_them(library: Path) -> None:
    code = dedent("""
        import sys
        import reeltune
        assert reeltune.Library(sys.argv[1]).search("a red box")
        new = {"faster_whisper", "ctranslate2", "rapidocr", "onnxruntime", "pysubs2", "cv2"}
        print(sorted(new & set(sys.modules)))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(library)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
