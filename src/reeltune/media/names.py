"""Names of video files, and what is left of one without its suffixes."""

import mimetypes
import os

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "m4v", "mov", "qt", "3gp", "3gpp", "3g2", "f4v", "insv", "360"),
        *("mkv", "mk3d", "webm", "avi", "divx", "xvid", "gif", "flv", "ogv", "ogm", "ogx"),
        *("wmv", "asf", "dvr-ms", "mxf", "dv", "dif"),
        *("ts", "m2ts", "mts", "m2t", "trp", "tp", "tod"),
        *("mpg", "mpeg", "mpe", "m2p", "vob", "vro", "evo", "mod", "m1v", "m2v", "mpv"),
        *("h264", "264", "avc", "h265", "265", "hevc"),
    )
)
SHARED = frozenset((".ts", ".mts", ".mod", ".tp", ".360", ".dif", ".avc"))  # with other programs
PREVIEWS = frozenset((".lrv", ".lrf", ".glv"))  # small second copies that cameras make
UNFINISHED = frozenset(  # downloads that go on, or were broken off
    (".part", ".partial", ".crdownload", ".download", ".opdownload", ".!qb", ".!ut", ".aria2")
)
TYPES = mimetypes.MimeTypes(filenames=())  # Python's own list, the same on every system
VAGUE_TYPES = ("video", "application/octet-stream")


def suffix_of(name: str) -> str:
    """The last suffix of a file's name in small letters, with its dot; empty if there is none."""
    return os.path.splitext(name)[1].lower()


def is_of_another_kind(suffix: str) -> bool:
    """Whether a suffix is known to stand for something else than a video, such as `.jpg`."""
    if suffix in SUFFIXES:
        return False
    kind = TYPES.types_map[True].get(suffix) or TYPES.types_map[False].get(suffix) or "video"
    return not kind.startswith(VAGUE_TYPES)


def stem(name: str) -> str:
    """A video's name without its suffixes: `a.mov.mp4` and `a.` are `a`; other dots stay, and so
    does a number such as `.264`, which may be a part of a second."""
    base, suffix = os.path.splitext(name)
    while base and (suffix == "." or (suffix.lower() in SUFFIXES and not suffix[1:].isdigit())):
        name = base
        base, suffix = os.path.splitext(name)
    return name
