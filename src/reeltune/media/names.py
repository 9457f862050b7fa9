"""Names of video files, and what is left of one without its suffixes."""

import os

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3g2", "3gp", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg"),
        *("mts", "ogv", "ts", "webm", "wmv"),
    )
)


def stem(name: str) -> str:
    """A video's name without its suffixes: `a.mov.mp4` and `a.` are `a`; other dots stay."""
    base, suffix = os.path.splitext(name)
    while base and (suffix == "." or suffix.lower() in SUFFIXES):
        name = base
        base, suffix = os.path.splitext(name)
    return name
