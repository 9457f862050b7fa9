"""What happens in a clip: one or two things, each with one motion, one after the other.

Every script has a twin, the same clip played backwards. Where the twin tells another story
("moves left" for "moves right", or the two events in the other order), no mean of independent
frames can tell the two apart: that takes a model that knows the order of frames.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

Subset = Literal["train", "val", "test"]
COLOURS = {
    "red": (225, 45, 40),
    "green": (45, 190, 70),
    "blue": (50, 90, 235),
    "yellow": (240, 220, 60),
    "purple": (165, 60, 205),
    "white": (240, 240, 240),
}
SHAPES = ("square", "circle", "triangle", "star", "cross")
BACKWARDS = {  # what a motion is when time runs the other way
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "grow": "shrink",
    "shrink": "grow",
    "spin": "spin",
    "blink": "blink",
    "bounce": "bounce",
}
MOTIONS = tuple(BACKWARDS)
COUNTS = {"blink": (2, 3, 4), "bounce": (2, 3)}  # how often; other motions happen once
SHARES: dict[Subset, range] = {  # of ten
    "train": range(7),
    "val": range(7, 8),
    "test": range(8, 10),
}


@dataclass(frozen=True)
class Event:
    """One thing and what it does."""

    colour: str
    shape: str
    motion: str
    count: int = 1

    @property
    def thing(self) -> tuple[str, str]:
        return self.colour, self.shape

    def backwards(self) -> "Event":
        return Event(self.colour, self.shape, BACKWARDS[self.motion], self.count)


@dataclass(frozen=True)
class Script:
    """The events of a clip, in their order."""

    events: tuple[Event, ...]

    def twin(self) -> "Script":
        """The same clip played backwards."""
        return Script(tuple(event.backwards() for event in reversed(self.events)))

    def is_temporal(self) -> bool:
        """Whether only the order of frames tells it from its twin."""
        return self.twin() != self

    def subset(self) -> Subset:
        """Where a script and its twin belong, whatever the size and the seed of the world."""
        both = sorted([repr(self), repr(self.twin())])
        tenth = hashlib.blake2b("".join(both).encode(), digest_size=4).digest()
        place = int.from_bytes(tenth, "big") % 10
        return next(name for name, tenths in SHARES.items() if place in tenths)


def draw_script(source: np.random.Generator) -> Script:
    """One event in three clips of ten, else two of different things."""
    if source.random() < 0.3:
        return Script((_draw_event(source),))
    first, second = _draw_event(source), _draw_event(source)
    while second.thing == first.thing:
        second = _draw_event(source)
    return Script((first, second))


def draw_scripts(source: np.random.Generator, subset: Subset, count: int) -> list[Script]:
    """`count` different scripts of one subset; half of the temporal ones bring their twin."""
    drawn: dict[Script, None] = {}
    while len(drawn) < count:
        script = draw_script(source)
        if script.subset() != subset:
            continue
        drawn[script] = None
        if len(drawn) < count and source.random() < 0.5:
            drawn[script.twin()] = None
    return list(drawn)


def _draw_event(source: np.random.Generator) -> Event:
    motion = str(source.choice(MOTIONS))
    return Event(
        colour=str(source.choice(list(COLOURS))),
        shape=str(source.choice(SHAPES)),
        motion=motion,
        count=int(source.choice(COUNTS.get(motion, (1,)))),
    )
