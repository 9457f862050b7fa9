"""What is said of long work while it goes on: on a terminal, in a pipe, quietly and in detail."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cli.on_terminal import in_terminal, terminal
from reeltune.cli import bars, loudness
from reeltune.cli.bars import Bar, TrainingBar
from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder
from reeltune.types import Pixels


@terminal
def test_search_without_words_asks_again_and_again_with_one_model(library: Path) -> None:
    said = in_terminal("search", "-l", library, typed=b"something blue\nsomething red\n\n\x04")
    assert said.count("videos/two.mp4") == 2
    assert said.count("opening the model") >= 1, "a spinner"
    assert "What should be seen, said or shown?" in said


@terminal
def test_quiet_shows_no_spinner(library: Path) -> None:
    assert "opening" not in in_terminal("search", "red", "-l", library, "--quiet")


def test_search_without_words_in_a_pipe_does_not_ask(library: Path) -> None:
    command = [sys.executable, "-m", "reeltune", "search", "-l", str(library)]
    done = subprocess.run(command, input="red\n", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a search needs something that counts for a moment" in done.stderr


def test_where_no_one_looks_on_a_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "EVERY", 0.0)
    with Bar() as bar:
        bar.begin(2, 3_000_000)
        bar.recognise("a\nb.mp4", 1_000_000, 2_000_000)
        bar.recognise("a\nb.mp4", 2_000_000, 2_000_000)
        bar.advance("a\nb.mp4", 2_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "1.0 MB of 2.0 MB read to recognise a\\nb.mp4",
        "2.0 MB of 3.0 MB in 2 files done",
    ]
    with TrainingBar() as training:
        training.prepare("reading clips", 3, 8)
        training.begin(4, 10)
        training.step({"loss": 0.5, "clips/s": 12.0})
    assert capsys.readouterr().err.splitlines() == [
        "reading clips: 3 of 8",
        "step 5 of 10  loss 0.500  12 clips/s",
    ]
    monkeypatch.setattr(bars, "EVERY", 10.0)
    with Bar() as bar:
        bar.begin(2, 3_000_000)
        bar.advance("a.mp4", 2_000_000)
    assert capsys.readouterr().err == "", "the next line is due in 10 s"


def test_quiet_and_hidden_work_prints_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "EVERY", 0.0)
    for hidden, quiet in ((True, False), (False, True)):
        monkeypatch.setitem(loudness._chosen, "quiet", quiet)
        with Bar(hidden=hidden) as bar:
            bar.begin(1, 10)
            bar.advance("a.mp4", 10)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_prints_what_decoders_say(
    videos: Path, verbose: bool, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: loudness._choose_verbose(False))
    path = videos / "two.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000] + bytes(2000))
    loudness._choose_verbose(verbose)
    with Decoder(Pixels(size=8)) as decoder, suppress(MediaError):
        list(decoder.open(path))
    said = capsys.readouterr().err
    assert ("decoder: " in said) == verbose, said
