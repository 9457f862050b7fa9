"""A sheet of moments: its pictures are those of the videos, and what does not match is faded."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.test_cli import reeltune
from reeltune.cli.contact_sheet import EDGE, GAP, HEAD, HEIGHT, WIDTH, Answer, draw_sheet
from reeltune.cli.letters import Hand, elided, lines_of
from reeltune.errors import ConfigError
from reeltune.search.library import Library
from reeltune.search.pictures import pictures
from reeltune.types import Hit, Quoted

HAND = Hand(20)


@pytest.fixture(scope="module")
def opened(library: Path) -> Library:
    return Library(library)


def hits_of(library: Library, **changed: object) -> list[Hit]:
    """A hit for each moment, all sure unless it is said otherwise."""
    facts = {"score": 0.3, "confidence": 0.9} | changed
    return [Hit(**vars(moment), **facts) for moment in library.moments()]  # type: ignore[arg-type]


def drawn(library: Library, hits: list[Hit], out: Path, query: str = "a red square") -> np.ndarray:
    draw_sheet([Answer(query, hits)], library, out)
    with Image.open(out) as sheet:
        return np.asarray(sheet.convert("RGB")).astype(int)


def middle(sheet: np.ndarray, number: int) -> np.ndarray:
    """The colour in the middle of a picture of the first row."""
    return sheet[HEAD + HEIGHT // 2, EDGE + number * (WIDTH + GAP) + WIDTH // 2]


def test_each_picture_is_the_middle_of_its_moment_as_the_video_has_it(
    opened: Library, tmp_path: Path
) -> None:
    hits = hits_of(opened)
    seen = pictures(opened, hits, WIDTH)
    assert set(seen) == {hit.id for hit in hits}
    sheet = drawn(opened, hits[:4], tmp_path / "sheet.png")
    for number, hit in enumerate(hits[:4]):
        pixels = seen[hit.id]
        assert pixels.shape == (48, 64, 3), "as large as the video itself, and no larger"
        expected = pixels[24, 32].astype(int)
        assert np.abs(middle(sheet, number) - expected).max() < 12


def test_what_does_not_match_is_faded_and_said_to_be_nothing(
    opened: Library, tmp_path: Path
) -> None:
    sure = drawn(opened, hits_of(opened)[:2], tmp_path / "a.png")
    faded = drawn(opened, hits_of(opened, confidence=0.01)[:2], tmp_path / "b.png")
    for number in (0, 1):
        expected = 255 - 0.3 * (255 - middle(sure, number))
        assert np.abs(middle(faded, number) - expected).max() <= 3
    said = [
        (np.abs(sheet[: HEAD - 10] - [161, 98, 7]).max(axis=2) < 4).any() for sheet in (sure, faded)
    ]
    assert said == [False, True], "that nothing matches is said beside the query, in its colour"


def test_a_video_that_is_gone_or_another_one_has_the_small_picture_of_the_library(
    library: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    from reeltune.search.ingest import Choice, index

    video = clip(tmp_path / "red.mp4", (200, 0, 0))
    model = Library(library).manifest.model
    index(str(video), tmp_path / "lib", Choice(model=model))
    opened = Library(tmp_path / "lib")
    (first, *_) = hits_of(opened)
    before = pictures(opened, [first], WIDTH)[first.id]
    clip(tmp_path / "blue.mp4", (0, 0, 200)).replace(video)
    replaced = pictures(opened, [first], WIDTH)[first.id]
    video.unlink()
    after = pictures(opened, [first], WIDTH)[first.id]
    assert before.shape == after.shape == replaced.shape == (48, 64, 3)
    assert np.abs(before[24, 32].astype(int) - after[24, 32]).max() < 12
    assert (after == replaced).all()


def test_found_words_are_marked_and_a_hostile_name_is_only_text(
    opened: Library, tmp_path: Path
) -> None:
    said = Quoted(
        start=0.0, end=1.0, text="the train to the hills leaves", marks=((4, 9), (17, 22))
    )
    facts = {"path": "videos/[bold]\x1b[31m\u202egnp.mp4", "said": said}
    hit = Hit(**(vars(hits_of(opened)[0]) | facts))
    plain = Hit(**(vars(hit) | {"said": None}))
    sheets = [drawn(opened, [one], tmp_path / "a.png") for one in (hit, plain)]
    yellow = [(np.abs(sheet - [255, 229, 138]).max(axis=2) < 4).sum() for sheet in sheets]
    assert yellow[0] > 1500
    assert yellow[1] == 0


def test_the_command_draws_and_its_numbers_are_those_of_play(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.jpg"
    done = reeltune("sheet", "something blue", "-l", library, "-o", out, "-k", "3")
    assert (done.returncode, done.stdout) == (0, f"{out}: 3 moments\n")
    with Image.open(out) as sheet:
        assert (sheet.format, sheet.width) == ("JPEG", 2 * EDGE + 3 * WIDTH + 2 * GAP)
    said = json.loads(reeltune("sheet", "something", "-l", library, "-o", out, "--json").stdout)
    assert said["sheet"] == str(out)
    second = said["hits"][1]
    played = json.loads(reeltune("play", "2", "--print", "--json").stdout)
    assert (played["video"], played["start"]) == (second["location"], second["start"])


def test_a_sheet_without_hits_says_so(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.webp"
    done = reeltune("sheet", "x", "-l", library, "-o", out, "--where", "duration > 999")
    assert (done.returncode, done.stdout) == (0, f"{out}: 0 moments\n")


def test_a_place_where_no_sheet_can_be_is_refused_before_the_search(
    library: Path, tmp_path: Path
) -> None:
    done = reeltune("sheet", "x", "-l", library, "-o", tmp_path / "a.pdf")
    assert done.returncode == 1
    assert "a.pdf does not say what a sheet is to be; end its name in .png, .jpg," in done.stderr
    with pytest.raises(ConfigError, match=r"there is no folder .*none; make it, or give another p"):
        draw_sheet([], Library(library), tmp_path / "none" / "a.png")


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    name = "a" * 40 + "middle" + "z" * 40 + ".mp4"
    short = elided(name, HAND, 300)
    assert HAND.width(short) <= 300
    assert short.startswith("aaa")
    assert short.endswith("zz.mp4")
    assert elided("short.mp4", HAND, 300) == "short.mp4"
    assert elided("much too long", HAND, 1) == "…"


def test_lines_are_broken_between_words_and_keep_what_is_marked() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    at = text.index("word50")
    runs = [(text[:at], False), ("word50", True), (text[at + 6 :], False)]
    lines = lines_of(runs, HAND, 400, 2)
    assert len(lines) == 2
    assert all(HAND.width("".join(text for text, _ in line)) <= 430 for line in lines)
    whole = "".join(text for line in lines for text, _ in line)
    assert whole.startswith("… word47")
    assert whole.endswith(" …")
    assert [run for line in lines for run in line if run[1]] == [("word50", True)]
    assert lines_of([("", False)], HAND, 400, 2) == []


def test_letters_come_from_a_font_that_has_them() -> None:
    assert HAND.font("Größe Ελλάδα").getname()[0] == "DejaVu Sans"
    assert HAND.font("\U0010fffd").getname()[0] == "DejaVu Sans", "where none has them"
