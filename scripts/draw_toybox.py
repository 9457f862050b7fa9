"""Draw clips of Toybox as rows of frames: `python scripts/draw_toybox.py docs/toybox.png`."""

import sys

import numpy as np
from PIL import Image, ImageDraw

from reeltune.data._toybox.language import caption
from reeltune.data._toybox.render import FRAMES, SIDE, Look, frames
from reeltune.data._toybox.world import Script, draw_script

ROWS, SEEN, TITLE = 5, 8, 18  # clips, frames of each, pixels of a caption


def rows() -> list[Script]:
    """Some scripts, the last with its twin."""
    source = np.random.default_rng(5)
    drawn = [draw_script(source) for _ in range(ROWS)]
    last = next(s for s in iter(lambda: draw_script(source), None) if s.is_temporal())
    return [*drawn, last, last.twin()]


def main() -> None:
    scripts = rows()
    sheet = Image.new("RGB", (SEEN * SIDE, len(scripts) * (SIDE + TITLE)), "white")
    pencil = ImageDraw.Draw(sheet)
    for number, script in enumerate(scripts):
        look = Look.draw(np.random.default_rng(min(number, len(scripts) - 2)))
        pictures = list(frames(script, look))[:: FRAMES // SEEN]
        top = number * (SIDE + TITLE)
        pencil.text((3, top + 3), caption(script, np.random.default_rng(number)), fill="black")
        for place, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (place * SIDE, top + TITLE))
    sheet.quantize(96).save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
