"""Prints the moments that a search has found."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from reeltune.cli.terminal import is_terminal, say, say_row, show, shown
from reeltune.records import Hit, Quoted
from reeltune.search.query import may_match

FILTERS = {
    "like": "--like",
    "where": "--where",
    "min_confidence": "--min-confidence",
    "channels": "--in",
    "inside": "--inside",
}


def clock(seconds: float) -> str:
    """Seconds as 1:02:03.4 or 2:03.4."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def show_hits(
    hits: Sequence[Hit], text: str | None, wishes: Mapping[str, Any] | None = None
) -> None:
    """One line a moment: score, confidence, from, to and file, and below it the words that are a
    reason for it; on the error stream, whether nothing is found or matches well. `text` is the
    query, None where that was a picture or a video; `wishes` are the filters of `Library.search`.

    Where a script reads there is no head, tabs stand between the cells, the path is absolute and
    whole, and a caption is one more cell, and so are words that are said and shown.
    """
    if not hits:
        filters = " and ".join(_filters(text, wishes or {}))
        passes = f", or no moment passes {filters}" if filters else ""
        say(f"nothing found: the library is empty{passes}", err=True)
        return
    if not may_match(hits, text):
        say(("nothing here matches well", "yellow"), "; the nearest are:", err=True)
    if is_terminal():
        show(_hits_table(hits))
        return
    for hit in hits:
        caption = [hit.caption] if hit.caption else []
        words = [f'{name} "{found.text}"' for name, found in _words(hit)]
        times = clock(hit.start), clock(hit.end)
        say_row(f"{hit.score:.3f}", _sure(hit), *times, hit.location, *caption, *words)


def _filters(text: str | None, wishes: Mapping[str, Any]) -> list[str]:
    """What may leave moments out, as a person types it."""
    from reeltune.search.channels.question import quotes_of

    found = [option for name, option in FILTERS.items() if wishes.get(name)]
    ends = zip(("--from", "--to"), wishes.get("between", ()), strict=False)
    found += [option for option, time in ends if time is not None]
    return found + ["what is in quotes"] * bool(text and quotes_of(text))


def _hits_table(hits: Sequence[Hit]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "score", "sure", "from", "to"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("file", overflow="fold")
    for number, hit in enumerate(hits, 1):
        file = Text(shown(hit.path))
        if hit.similar:
            file.append(f" (+{hit.similar} alike)", "dim")
        if hit.caption:
            file.append(f"\n{shown(hit.caption)}", "italic")
        if reason := why(hit):
            file.append("\n").append_text(reason)
        times = clock(hit.start), clock(hit.end)
        table.add_row(Text(f"#{number}", "dim"), f"{hit.score:.3f}", _sure(hit), *times, file)
    return table


def why(hit: Hit) -> Text:
    """What is a reason for a hit, where words are one: `seen 0.31, said "..."` with the words
    marked."""
    reason = Text()
    for name, found in _words(hit):
        reason.append(", " if reason else "").append(f'{name} "', "dim")
        at = 0
        for start, end in found.marks:
            reason.append(shown(found.text[at:start])).append(shown(found.text[start:end]), "bold")
            at = end
        reason.append(shown(found.text[at:])).append('"', "dim")
    if reason and "seen" in hit.parts:
        return Text(f"seen {hit.parts['seen']:.2f}, ", "dim").append_text(reason)
    return reason


def _words(hit: Hit) -> list[tuple[str, Quoted]]:
    pairs = (("said", hit.said), ("shown", hit.shown))
    return [(name, found) for name, found in pairs if found is not None]


def _sure(hit: Hit) -> str:
    return "?" if hit.confidence is None else f"{hit.confidence:.0%}"
