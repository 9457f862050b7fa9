"""Cheap looks at frames see small letters and changes, and are not moved by what coding does."""

import io

import numpy as np
import pytest
from PIL import Image

from reeltune.cli.written_clip import FILES, Slide, drawn
from reeltune.search.channels._looking import COARSE, FAIR, FINE, Looking
from reeltune.search.channels._ocr import MULTIPLE
from reeltune.search.channels._strokes import (
    AROUND,
    SIDE,
    has_changed,
    has_strokes,
    in_grey,
    is_same_line,
    place_of_strokes,
)

SIZE = (960, 540)


def smooth(shift: int = 0) -> np.ndarray:
    """A picture of slow waves, which move with `shift`."""
    down, right = np.mgrid[: SIZE[1], : SIZE[0]]
    waves = [120 + 70 * np.sin((right + shift) / 37 + c) * np.cos(down / 53) for c in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def coded(picture: np.ndarray | Image.Image, quality: int = 60) -> np.ndarray:
    """The picture as it comes out of a lossy coder."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("font", FILES)
@pytest.mark.parametrize("height", [14, 20, 32, 48])
def test_letters_are_seen_on_slides_and_over_pictures(font: str, height: int) -> None:
    for behind in ((), (smooth(),)):
        slide = Slide(lines=("seven boats",), seconds=1.0, height=height, font=font, behind=behind)  # type: ignore[arg-type]
        assert has_strokes(in_grey(coded(drawn(slide, SIZE))))


def test_the_place_of_strokes_holds_all_letters_and_little_more() -> None:
    slide = Slide(lines=("seven boats",), seconds=1.0, height=20, behind=(smooth(),))
    picture = np.asarray(drawn(slide, SIZE))
    rows, columns = np.nonzero((picture.astype(int) != smooth()).any(axis=2))
    place = place_of_strokes(in_grey(picture))
    assert place is not None
    left, top, right, bottom = (share * side for share, side in zip(place, 2 * SIZE, strict=True))
    assert left <= columns.min() <= columns.max() < right <= columns.max() + 6 * AROUND
    assert top <= rows.min() <= rows.max() < bottom <= rows.max() + 6 * AROUND


class Blind:
    """Finds no line, and keeps how large what it looked at was."""

    def __init__(self) -> None:
        self.sides: list[int] = []

    def find(self, picture: np.ndarray, side: int) -> list[np.ndarray]:
        self.sides.append(side)
        return []

    def read(self, picture: np.ndarray, lines: list[np.ndarray]) -> list[tuple[str, float]]:
        assert not lines, "there is nothing to read"
        return []


def test_strokes_that_are_no_letters_are_looked_at_closely_in_their_place_alone() -> None:
    fence, grid = smooth(), smooth()
    fence[200:240, 300:400:6] = 255
    grid[:, ::6] = 255
    for picture, sides in ((smooth(), [COARSE]), (fence, [None, COARSE]), (grid, [SIDE])):
        blind = Blind()
        assert Looking(blind).lines(0.0, picture) == []
        assert [one if one in (COARSE, SIDE) else None for one in blind.sides] == sides
        assert blind.sides[0] <= (SIDE if sides == [SIDE] else COARSE)


class Texture(Blind):
    """Takes one place for a line, which says so much, or for small print."""

    def __init__(self, height: float, says: str) -> None:
        super().__init__()
        self.corners = np.array([[0, 0], [300, 0], [300, height], [0, height]], np.float32)
        self.says, self.tried = says, 0

    def find(self, picture: np.ndarray, side: int) -> list[np.ndarray]:
        self.sides.append(side)
        return [self.corners]

    def read(self, picture: np.ndarray, lines: list[np.ndarray]) -> list[tuple[str, float]]:
        self.tried += len(lines)
        return [(self.says, 0.9)] * len(lines)


def test_what_does_not_read_like_a_line_is_not_looked_at_more_closely() -> None:
    for height, says, sides in (
        (90.0, "x", [COARSE, FAIR]),
        (90.0, "seven boats", [COARSE, FAIR, SIDE]),
        (20.0, "x", [COARSE, FAIR, SIDE, FINE]),
    ):
        texture = Texture(height, says)
        found = Looking(texture).lines(0.0, smooth())
        assert texture.sides == sides, (height, says)
        assert [line.text for line in found] == ["seven boats"] * (says != "x")


def test_a_strip_of_strokes_is_looked_at_with_what_is_above_and_below() -> None:
    class Sizes(Blind):
        def find(self, picture: np.ndarray, side: int) -> list[np.ndarray]:
            self.sides.append(picture.shape[1] // picture.shape[0])
            return []

    line, sizes = smooth(), Sizes()
    line[260:280, 100:860:6] = 255
    Looking(sizes).lines(0.0, line)
    assert sizes.sides == [3, 1], "the place, in whole steps of the detector, and then the frame"


@pytest.mark.parametrize(
    ("size", "at"), [(SIZE, (260, 300)), (SIZE, (4, 850)), ((640, 360), (300, 9))]
)
def test_a_place_is_looked_at_without_being_stretched_or_squeezed(
    size: tuple[int, int], at: tuple[int, int]
) -> None:
    class Sizes(Blind):
        def find(self, picture: np.ndarray, side: int) -> list[np.ndarray]:
            self.sides += [one * side / max(picture.shape) for one in picture.shape[:2]]
            return []

    picture, sizes = np.full((size[1], size[0], 3), 120, np.uint8), Sizes()
    picture[at[0] : at[0] + 14, at[1] : at[1] + 90 : 6] = 255
    Looking(sizes).lines(0.0, picture)
    height, width = sizes.sides[:2]
    assert max(height, width) < COARSE, "the place, and not the whole frame"
    for seen in (height, width):
        assert abs(seen - MULTIPLE * round(seen / MULTIPLE)) <= 1


def test_pictures_without_letters_have_no_strokes() -> None:
    halves = np.zeros((540, 960, 3), np.uint8)
    halves[:, 480:] = 255
    for picture in (smooth(), halves, np.full((540, 960, 3), 255, np.uint8)):
        assert not has_strokes(in_grey(coded(picture)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 960), (960, 1), (3, 5), (540, 960)])
def test_pictures_of_any_shape_can_be_looked_at(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    grey = in_grey(picture)
    assert max(grey.shape) == min(SIDE, max(shape))
    assert not has_strokes(grey)
    assert not has_changed(grey, grey)


def test_coding_is_no_change_and_one_more_word_is() -> None:
    plain, more = (
        drawn(Slide(lines=lines, seconds=1.0), SIZE)
        for lines in (("seven boats",), ("seven boats", "a"))
    )
    first = in_grey(coded(plain, 90))
    assert not has_changed(first, in_grey(coded(plain, 50)))
    assert has_changed(first, in_grey(coded(more, 90)))
    assert has_changed(first, in_grey(np.zeros((100, 100, 3), np.uint8)))


def test_a_line_is_the_same_over_a_moving_picture_until_one_letter_is_another() -> None:
    def cut(text: str, shift: int) -> np.ndarray:
        slide = Slide(lines=(text,), seconds=1.0, height=36, behind=(smooth(shift),))
        return in_grey(coded(drawn(slide, SIZE)))[229:252, 40:185]

    assert is_same_line(cut("step 1 of seven", 0), cut("step 1 of seven", 60))
    assert not is_same_line(cut("step 1 of seven", 0), cut("step 2 of seven", 60))
    assert not is_same_line(cut("step 1 of seven", 0), cut("", 60))
