"""Prints marks, and what of them became captions."""

from collections.abc import Iterable
from pathlib import Path

from reeltune.cli.shown_hits import clock
from reeltune.cli.terminal import is_terminal, say, say_row
from reeltune.errors import in_shell
from reeltune.search.mark_captions import MarkCaptions
from reeltune.search.marks import Mark


def show_marks(marks: Iterable[Mark]) -> None:
    """One line a mark: verdict, from, to, path and words; the path is absolute where a script
    reads."""
    for mark in marks:
        path = (mark.path if is_terminal() else mark.location) or "(not in the library)"
        say_row(mark.verdict, clock(mark.start), clock(mark.end), path, mark.text)


def show_mark_captions(captions: MarkCaptions, out: Path) -> None:
    """What was written to a file of captions, what was left out, and what it is good for."""
    for sentence in captions.sentences():
        say(sentence)
    if captions.count():
        say(f"{out}: reeltune tune {in_shell(out)}")
