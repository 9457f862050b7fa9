"""The one place that prints: nothing is read as markup, and no name reaches a terminal raw.

Names of files come from strangers. A bracket in one is no style, a line break no new line, an
escape no command to the terminal, and a letter that is written from right to left turns around
nothing beside it.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

Part = str | tuple[str, str]  # a text, or a text and its style

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # categories of what is unseen, or ends a line
JOINERS = "\u200c\u200d\u200e\u200f\u061c"  # unseen parts of proper writing, also of emoji
UNDECODED = range(0xDC80, 0xDD00)  # what Python makes of bytes that are not UTF-8
FIRST, LAST = "\u2068", "\u2069"  # between these, the direction of writing is a text's own
DIRECTIONS = {"L": "L", "R": "R", "AL": "R", "AN": "R"}  # by Unicode's classes
RUN = re.compile(r"R(?:[^L/\\]*R)?")  # to the last before a folder, or a letter from left to right
WIDE = 100_000  # columns where no terminal sets a limit, so that nothing is wrapped or shortened


def shown(text: object, isolate: bool = True) -> str:
    """A path, a name or a sentence as one line that is safe to print.

    What cannot be seen is written as an escape: controls as `\\x1b`, bytes that are not UTF-8 as
    `\\xe9`, marks that reorder a line as `\\u202e`. `isolate` keeps text from right to left from
    reordering what stands beside it, by two marks around it that are not seen.
    """
    line = _escaped(str(text))
    return _isolated(line) if isolate else line


def say(*parts: Part, err: bool = False) -> None:
    """Print one line, which ends where the parts end; `err` is for the error stream."""
    texts = [(part, "") if isinstance(part, str) else part for part in parts]
    isolate = is_terminal(err)
    line = Text.assemble(*((shown(text, isolate), style) for text, style in texts))
    show(line, err)


def say_each(lines: Iterable[object]) -> None:
    """Print names or sentences, a line each."""
    for line in lines:
        say(str(line))


def say_lines(text: str) -> None:
    """Print a page of our own making, line by line."""
    say_each(text.split("\n"))


def say_row(*cells: object) -> None:
    """Print cells with tabs between, for scripts: paths are whole and without marks."""
    say_raw("\t".join(shown(cell, isolate=False) for cell in cells))


def say_raw(line: str, at_once: bool = False) -> None:
    """Print a line on standard output that holds no name, or none that is not escaped; `at_once`
    hands it to the reader now."""
    if sys.stdout is not None:
        print(_encodable(line, sys.stdout.encoding), flush=at_once)


def show(what: RenderableType, err: bool = False) -> None:
    """Print a table or a text that `rich` lays out."""
    if (sys.stderr if err else sys.stdout) is not None:  # a shell may have closed it
        console(err).print(_Visible(what), soft_wrap=isinstance(what, Text))


def is_terminal(err: bool = False) -> bool:
    """Whether a person looks on, and no pipe or file takes what is printed."""
    stream = sys.stderr if err else sys.stdout
    return stream is not None and stream.isatty()


def console(err: bool = False) -> Console:
    """Where `rich` draws; it reads no markup and no names of emoji, and a pipe is never too
    narrow."""
    wide = None if is_terminal(err) else WIDE
    return Console(stderr=err, markup=False, emoji=False, highlight=False, width=wide)


@dataclass
class _Visible:
    """What is laid out already, in letters that can be seen and that the stream can take."""

    what: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.what, options):
            text = _escaped(segment.text, kept=JOINERS + FIRST + LAST + "\n")
            safe = Segment(_encodable(text, console.encoding), segment.style)
            yield segment if segment.control else safe


def _escaped(text: str, kept: str = JOINERS) -> str:
    """The text with escapes for letters that are hidden, but for those that are kept."""
    return "".join(
        _escape(letter) if letter not in kept and unicodedata.category(letter) in HIDDEN else letter
        for letter in text
    )


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code - UNDECODED.start + 0x80:02x}" if code in UNDECODED else repr(letter)[1:-1]


def _isolated(line: str) -> str:
    """The line with marks around each run of letters from right to left."""
    kinds = "".join(DIRECTIONS.get(unicodedata.bidirectional(letter), letter) for letter in line)
    pieces, at = [], 0
    for run in RUN.finditer(kinds):
        pieces += [line[at : run.start()], FIRST, line[run.start() : run.end()], LAST]
        at = run.end()
    return "".join([*pieces, line[at:]])


def _encodable(text: str, encoding: str | None) -> str:
    """The text with letters that an encoding lacks as escapes."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
