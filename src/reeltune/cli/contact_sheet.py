"""The best moments of one query or several on one picture: what they show, where they are, how sure
it is that they match, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from reeltune.cli.letters import (
    QUIET,
    Hand,
    Run,
    elided,
    lines_of,
    write,
    write_runs,
)
from reeltune.cli.terminal import shown
from reeltune.errors import ConfigError
from reeltune.records import Hit
from reeltune.search.library import Library
from reeltune.search.pictures import pictures
from reeltune.search.query import matches_well, may_match
from reeltune.search.times import clock
from reeltune.storage.atomic_file import replacing
from reeltune.storage.outputs import require_new_file

KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}  # Pillow's names
PER_ROW = 4
WIDTH, HEIGHT = 432, 243  # pixels of a picture, 16 to 9
GAP, EDGE = 28, 44  # between cards, and around all
NAMED, PER_LINE, BELOW = 46, 28, 22  # pixels of a name, a line of a reason, and what is below both
HEAD = 112  # pixels above the cards of a query
ROUND = 14  # radius of corners
FINER = 4  # times as many pixels in which round shapes are drawn
LINES = 2  # of a reason
PAPER, LINE, SCREEN = "#ffffff", "#d7dbe0", "#0f1216"
SURE, FAIR, FADED, FADED_MARKER = "#15803d", "#a16207", "#a3a9b2", "#fff4cc"
FAINT = 0.3  # of a picture that does not match
NAME, SMALL, REASON = Hand(22, bold=True), Hand(20, bold=True), Hand(20, ink=QUIET)
SOUGHT = Hand(28)


@dataclass(frozen=True)
class Answer:
    """A query and what it found, best first."""

    query: str
    hits: Sequence[Hit]


def draw_sheet(answers: Sequence[Answer], library: Library, out: Path) -> None:
    """Draw answers below each other and write them as a picture, whose kind the suffix says.

    Raises ConfigError for a place that cannot be written and a suffix that names no kind.
    """
    require_place(out)
    hits = {hit.id: hit for answer in answers for hit in answer.hits}
    seen = pictures(library, [*hits.values()], WIDTH)
    parts = [_part(answer, seen) for answer in answers]
    width, height = max(part.width for part in parts), sum(part.height for part in parts)
    sheet = Image.new("RGB", (width + 2 * EDGE, height + EDGE), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (EDGE, top))
        top += part.height
    with replacing(out) as half:
        sheet.save(half, KINDS[out.suffix.lower()], quality=92, optimize=True)


def require_place(out: Path) -> None:
    """Raise ConfigError unless a sheet can be written to `out`, where it may replace a file."""
    if out.suffix.lower() not in KINDS:
        raise ConfigError(
            f"{out} does not say what a sheet is to be; end its name in {', '.join(KINDS)}"
        )
    require_new_file(out, force=True)


def _part(answer: Answer, seen: Mapping[str, np.ndarray]) -> Image.Image:
    """A query and its moments."""
    cards = [
        _card(number, hit, answer.query, seen.get(hit.id))
        for number, hit in enumerate(answer.hits, 1)
    ]
    rows = [cards[at : at + PER_ROW] for at in range(0, len(cards), PER_ROW)]
    heights = [max(card.height for card in row) for row in rows]
    columns = min(PER_ROW, max(len(cards), 2))
    part = Image.new("RGB", (columns * (WIDTH + GAP) - GAP, HEAD + sum(heights)), PAPER)
    _head(part, answer)
    for place, row in enumerate(rows):
        for column, card in enumerate(row):
            part.paste(card, (column * (WIDTH + GAP), HEAD + sum(heights[:place])))
    return part


def _head(part: Image.Image, answer: Answer) -> None:
    """What was looked for, in a field with a magnifying glass, and whether it was found."""
    doubt = ""
    if not may_match(answer.hits, answer.query):
        doubt = "nothing here matches well" if answer.hits else "nothing found"
    room = part.width - 110 - (SMALL.width(doubt) + 24 if doubt else 0)
    query = elided(_line(answer.query), SOUGHT, room)
    wide = round(SOUGHT.width(query)) + 96
    field = Image.new("RGBA", (wide * FINER, 60 * FINER))
    draw = ImageDraw.Draw(field)
    box = (FINER, FINER, (wide - 1) * FINER, 59 * FINER)
    draw.rounded_rectangle(box, 29 * FINER, outline=LINE, width=2 * FINER, fill="#f7f8fa")
    draw.ellipse([FINER * n for n in (25, 19, 43, 37)], outline=QUIET, width=3 * FINER)
    draw.line([FINER * n for n in (40, 34, 49, 43)], fill=QUIET, width=4 * FINER)
    small = field.resize((wide, 60), Image.Resampling.LANCZOS)
    part.paste(small, (0, 32), small)
    write(ImageDraw.Draw(part), (64, 72), query, SOUGHT)
    if doubt:
        write(ImageDraw.Draw(part), (wide + 24, 70), doubt, replace(SMALL, ink=FAIR))


def _card(number: int, hit: Hit, query: str, pixels: np.ndarray | None) -> Image.Image:
    """A moment: its picture with its times, its file, how sure it is, and why."""
    is_match = matches_well(hit, query)
    hand = REASON if is_match else replace(REASON, ink=FADED, marker=FADED_MARKER)
    lines = lines_of(_reason(hit, is_match), hand, WIDTH, LINES)
    card = Image.new("RGB", (WIDTH, HEIGHT + NAMED + len(lines) * PER_LINE + BELOW), PAPER)
    screen = _screen(pixels)
    _badge(screen, f"{clock(hit.start)} – {clock(hit.end)}")
    if not is_match:
        screen = Image.blend(Image.new("RGB", screen.size, PAPER), screen, FAINT)
    card.paste(LINE, (0, 0), _corners(screen.size))
    inner = screen.crop((1, 1, WIDTH - 1, HEIGHT - 1))
    card.paste(inner, (1, 1), _corners(inner.size))
    draw = ImageDraw.Draw(card)
    _title(draw, f"{number}  {_line(Path(hit.path).name)}", hit.confidence, is_match)
    for place, runs in enumerate(lines):
        write_runs(draw, (0, HEIGHT + 66 + PER_LINE * place), runs, hand)
    return card


def _title(draw: ImageDraw.ImageDraw, name: str, chance: float | None, is_match: bool) -> None:
    """The line below a picture: its number and file on the left, how sure it is on the right."""
    sure = "" if chance is None else f"{chance:.0%} sure"
    colour = FADED if not is_match else SURE if chance is None or chance >= 0.5 else FAIR
    room = SMALL.width(sure)
    write(draw, (WIDTH - room, HEIGHT + 34), sure, replace(SMALL, ink=colour))
    hand = NAME if is_match else replace(NAME, ink=FADED)
    write(draw, (0, HEIGHT + 34), elided(name, hand, WIDTH - room - 20), hand)


def _reason(hit: Hit, is_match: bool) -> list[Run]:
    """Why a moment is there: what is said or shown, with the words that were looked for marked, or
    else, where it matches, what is seen."""
    runs: list[Run] = []
    for name, found in (("said", hit.said), ("shown", hit.shown)):
        if found is None:
            continue
        runs.append((f"{', ' if runs else ''}{name} “", False))
        at = 0
        for start, end in found.marks:
            runs += [(_line(found.text[at:start]), False), (_line(found.text[start:end]), True)]
            at = end
        runs.append((f"{_line(found.text[at:])}”", False))
    return runs or [("seen", False)] * is_match


def _line(text: str) -> str:
    return shown(text, isolate=False)


def _screen(pixels: np.ndarray | None) -> Image.Image:
    """A picture on a dark screen of 16 to 9, as a player shows it."""
    screen = Image.new("RGB", (WIDTH, HEIGHT), SCREEN)
    if pixels is None:
        return screen
    picture = Image.fromarray(pixels)
    share = min(WIDTH / picture.width, HEIGHT / picture.height)
    size = max(1, round(share * picture.width)), max(1, round(share * picture.height))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    screen.paste(picture, ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return screen


def _badge(screen: Image.Image, times: str) -> None:
    """Write the times of a moment into the corner of its picture."""
    hand = Hand(19, bold=True, ink="#ffffff")
    wide = round(hand.width(times)) + 22
    ground = Image.new("RGB", (wide, 34), "#000000")
    mask = _corners(ground.size, 8).point(lambda level: level * 0.72)
    place = (WIDTH - wide - 12, HEIGHT - 34 - 12)
    screen.paste(ground, place, mask)
    write(ImageDraw.Draw(screen), (place[0] + 11, place[1] + 24), times, hand)


def _corners(size: tuple[int, int], radius: int = ROUND) -> Image.Image:
    """A mask with round corners."""
    mask = Image.new("L", (size[0] * FINER, size[1] * FINER))
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * FINER, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)
