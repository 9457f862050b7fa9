"""Frames of a script: things are drawn at four times the size and scaled down, so that edges are
soft.

A script and its twin drawn with the same `look` give the same frames in opposite order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from reeltune.data._toybox.world import COLOURS, Event, Script

SIDE = 96  # pixels
FINE = 4  # times the size, while drawing
RATE = 10  # frames per second
FRAMES = 33  # of a clip; odd, so that no middle of equal spans falls on a change of frames
RADIUS = 0.14  # of a thing, in sides


@dataclass(frozen=True)
class Look:
    """What a clip's words do not tell: background, grain, and where things stand."""

    background: tuple[int, int, int]
    grain: int  # seed of the noise
    shift: tuple[float, float]  # of everything, in sides

    @classmethod
    def draw(cls, source: np.random.Generator) -> "Look":
        shade = source.integers(15, 60, 3)
        x, y = source.uniform(-0.04, 0.04, 2)
        return cls(
            (int(shade[0]), int(shade[1]), int(shade[2])), int(source.integers(1 << 31)), (x, y)
        )


@dataclass(frozen=True)
class Pose:
    """How a thing is seen at one moment; lengths in sides, angle in turns."""

    x: float = 0.0  # from its place
    y: float = 0.0
    size: float = 1.0
    angle: float = 0.0
    seen: bool = True


def frames(script: Script, look: Look) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Frames of the clip from first to last; those of its twin are the same in reverse order.

    A reader takes the frame shown at the middle of each of some equal spans. No middle falls on
    an instant at which frames change, since their number is odd, so it gets the same pictures of
    a clip and of its twin, to the bit.
    """
    is_first = repr(script) <= repr(script.twin())
    drawn, times = (script, range(FRAMES)) if is_first else (script.twin(), range(FRAMES)[::-1])
    for number in times:
        yield frame(drawn, look, (number + 0.5) / FRAMES)


def frame(script: Script, look: Look, time: float) -> UInt8[np.ndarray, "H W 3"]:
    """The picture at `time`, 0 to 1 of the clip; grain is a mirror image in time."""
    picture = Image.new("RGB", (SIDE * FINE, SIDE * FINE), look.background)
    pencil = ImageDraw.Draw(picture)
    for event, place, progress in stage(script, time):
        _draw(pencil, event, place, pose(event, progress), look.shift)
    small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.int16)
    mirrored = min(round(time * FRAMES - 0.5), FRAMES - 1 - round(time * FRAMES - 0.5))
    noise = np.random.default_rng([look.grain, mirrored]).integers(-4, 5, small.shape)
    return np.clip(small + noise, 0, 255).astype(np.uint8)


def pose(event: Event, progress: float) -> Pose:
    """Pose of a thing when `progress`, 0 to 1, of its motion is done; else it stands still."""
    turn = (1 - np.cos(np.pi * progress)) / 2  # starts and ends gently, the same backwards
    way = 0.4 * (turn - 0.5)
    match event.motion:
        case "left":
            return Pose(x=-way)
        case "right":
            return Pose(x=way)
        case "up":
            return Pose(y=-way)
        case "down":
            return Pose(y=way)
        case "grow":
            return Pose(size=0.55 + 0.9 * turn)
        case "shrink":
            return Pose(size=1.45 - 0.9 * turn)
        case "spin":
            return Pose(angle=turn)
        case "blink":
            return Pose(seen=abs((progress * event.count) % 1 - 0.5) > 0.25)
    return Pose(y=-0.2 * abs(np.sin(np.pi * progress * event.count)))


def stage(script: Script, time: float) -> list[tuple[Event, tuple[float, float], float]]:
    """Each event with the place of its thing and its progress at `time`, from back to front.

    Neither place nor depth tells which event comes first.
    """
    if len(script.events) == 1:
        return [(script.events[0], (0.5, 0.5), _clamp((time - 0.05) / 0.9))]
    spans = ((0.03, 0.44), (0.53, 0.44))
    timed = sorted(zip(script.events, spans, strict=True), key=lambda pair: pair[0].thing)
    return [
        (event, (0.5, height), _clamp((time - start) / length))
        for (event, (start, length)), height in zip(timed, (0.31, 0.69), strict=True)
    ]


def _clamp(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _draw(
    pencil: ImageDraw.ImageDraw,
    event: Event,
    place: tuple[float, float],
    at: Pose,
    shift: tuple[float, float],
) -> None:
    if not at.seen:
        return
    x, y = (SIDE * FINE * sum(part) for part in zip(place, (at.x, at.y), shift, strict=True))
    radius = SIDE * FINE * RADIUS * at.size
    colour = COLOURS[event.colour]
    if event.shape == "circle":
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        if event.motion == "spin":  # a disc that spins shows it by a notch
            corner = np.array([np.cos(2 * np.pi * at.angle), np.sin(2 * np.pi * at.angle)])
            tip = np.array([x, y]) + 0.6 * radius * corner
            dot = 0.25 * radius
            pencil.ellipse((*(tip - dot), *(tip + dot)), fill=(0, 0, 0))
        return
    turned = _outline(event.shape) @ _rotation(at.angle)
    pencil.polygon([(x + radius * a, y + radius * b) for a, b in turned], fill=colour)


def _rotation(turns: float) -> np.ndarray:
    angle = 2 * np.pi * turns
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _outline(shape: str) -> np.ndarray:
    """Corners around the middle, about one radius from it."""
    if shape == "square":
        return np.array([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])
    angles = 2 * np.pi * np.arange(3) / 3 - np.pi / 2
    return 1.1 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
