"""Files of subtitles that lie beside a video."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reeltune.errors import DataError, in_short
from reeltune.media import languages
from reeltune.search.channels._cues import Cues, Form, read_cues
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.text_file import decoded

FORMS: dict[str, Form] = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass"}
PLACES = {suffix: place for place, suffix in enumerate(FORMS)}
LARGEST = 16 << 20  # bytes
START = 4096  # bytes, or letters, by which it is told what a file is written in
UNSEEN = 1 / 20  # share of control characters and letters that are none from which it is no text
FORCED, FOR_THE_DEAF = "forced", ("sdh", "cc", "hi")
# What was written before UTF-8, by language; Windows-1252 for all others.
LEGACY = {
    **dict.fromkeys(("cs", "hr", "hu", "pl", "ro", "sk", "sl"), "cp1250"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "sr", "uk"), "cp1251"),
    "el": "cp1253",
    "tr": "cp1254",
    "he": "cp1255",
    "ar": "cp1256",
    "fa": "cp1256",
    "et": "cp1257",
    "lt": "cp1257",
    "lv": "cp1257",
    "vi": "cp1258",
    "th": "cp874",
    "ja": "cp932",
    "ko": "cp949",
    "zh": "gb18030",
}


@dataclass(frozen=True)
class Sidecar:
    """A file of subtitles, and what its name says of it."""

    path: Path
    suffix: str  # what follows the name of the video, such as `.de.srt`
    language: str  # BCP 47, "" where the name does not say
    is_forced: bool  # holds only what is said in a foreign language
    is_for_the_deaf: bool  # with sounds beside the words


def sidecars(video: Path, asked: Sequence[str]) -> list[Sidecar]:
    """Those of a video, the one to take first.

    Files of forced subtitles come last, since they hold only parts; then languages count, in the
    order of `asked`, one without a language coming first; then those without sounds; then .srt
    before .vtt before .ass.
    """
    try:
        names = _names(video.parent, video.parent.stat().st_mtime_ns)
    except OSError:
        return []
    found = []
    for name in names.get(video.stem.split(".")[0], ()):
        suffix = name[len(video.stem) :]
        if name.startswith(video.stem) and Path(name).suffix.lower() in FORMS:
            sidecar = _named(video.parent / name, suffix)
            if sidecar is not None:
                found.append(sidecar)
    return sorted(found, key=lambda one: _rank(one, asked))


def read_sidecar(sidecar: Sidecar) -> tuple[Cues, str]:
    """Its cues, and what was wrong with its encoding.

    Raises DataError, for the note, for a file that cannot be read or is no text, and for a link to
    one in another folder, which may be anything of this machine.
    """
    if sidecar.path.resolve().parent != sidecar.path.parent.resolve():
        raise DataError(f"{sidecar.path.name} was not read (it is a link to another folder)")
    try:
        text, note = _text(read_bytes(sidecar.path, LARGEST), sidecar.language)
    except (OSError, ValueError) as error:
        raise DataError(f"{sidecar.path.name} was not read ({in_short(error)})") from error
    return read_cues(text, FORMS[sidecar.path.suffix.lower()]), note


def state(sidecar: Sidecar) -> str:
    """What changes when the file does, and stays when it is moved with its video."""
    try:
        status = sidecar.path.stat()
    except OSError:
        return sidecar.suffix
    return f"{sidecar.suffix}:{status.st_size}:{status.st_mtime_ns}"


def _text(content: bytes, language: str) -> tuple[str, str]:
    """Text in the encoding that the file begins with, UTF-8, or the usual one of its language, and
    what was wrong with it; the few bytes of zero that damage leaves are left out.

    Raises ValueError for what is no text.
    """
    try:
        return decoded(content), ""
    except ValueError:
        encoding = _encoding(content, language)
    text = content.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    if _unseen(text[:START]) > UNSEEN:
        raise ValueError("it is no text")
    notes = [f"is not UTF-8 and was read as {encoding}"] if encoding != "utf-8" else []
    if zeros := text.count("\0"):
        notes.append(f"bytes of zero left out: {zeros}")
    return text.replace("\0", ""), "; ".join(notes)


def _encoding(content: bytes, language: str) -> str:
    """What text is written in that has no mark of its encoding: UTF-16 where many of its bytes are
    zero, or UTF-8, or else what its language had before."""
    start = content[:START]
    zeros = start.count(0)
    if zeros > len(start) // 5:
        return "utf-16-le" if start[1::2].count(0) > zeros / 2 else "utf-16-be"
    try:
        content.decode()
    except UnicodeDecodeError:
        return LEGACY.get(language.partition("-")[0], "cp1252")
    return "utf-8"


def _unseen(text: str) -> float:
    """The share of characters that no text has."""
    wrong = [one for one in text if one == "\ufffd" or unicodedata.category(one) == "Cc"]
    return sum(not one.isspace() for one in wrong) / max(len(text), 1)


@lru_cache(maxsize=8)
def _names(folder: Path, changed: int) -> dict[str, list[str]]:
    """Files of subtitles in a folder, which changed last at `changed`, by the first part of their
    names; so a large folder is listed once and not for each of its videos."""
    names: dict[str, list[str]] = {}
    for name in sorted(path.name for path in folder.iterdir()):
        if Path(name).suffix.lower() in FORMS:
            names.setdefault(name.split(".")[0], []).append(name)
    return names


def _named(path: Path, suffix: str) -> Sidecar | None:
    """What the words between the name of the video and the last suffix say; None where they are
    part of another video's name."""
    words = [word for word in re.split(r"\.", suffix.rpartition(".")[0]) if word]
    tags = [languages.tag(word) for word in words]
    known = (FORCED, "default", *FOR_THE_DEAF)
    if not suffix.startswith(".") or any(
        not tag and word.lower() not in known for word, tag in zip(words, tags, strict=True)
    ):
        return None
    marks = {word.lower() for word in words}
    language = next((tag for word, tag in zip(words, tags, strict=True) if tag), "")
    return Sidecar(path, suffix, language, FORCED in marks, bool(marks & {*FOR_THE_DEAF}))


def _rank(one: Sidecar, asked: Sequence[str]) -> tuple[bool, int, str, bool, int, str]:
    place = -1 if not one.language else languages.rank(one.language, asked)
    form = PLACES[one.path.suffix.lower()]
    return one.is_forced, place, one.language, one.is_for_the_deaf, form, one.path.name
