"""What happens in a clip: one or two things, each with one motion, one after the other.

Every script has a twin, the same clip played backwards. Where the twin tells another story
("moves left" for "moves right", or the two events in the other order), no mean of independent
frames can tell the two apart: that takes a model that knows the order of frames.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reeltune.data.splits.part import Part

Thing = tuple[str, str]  # colour and shape
COLOURS = {
    "red": (225, 45, 40),
    "green": (45, 190, 70),
    "blue": (50, 90, 235),
    "yellow": (240, 220, 60),
}
SHAPES = ("square", "circle", "triangle")
THINGS: list[Thing] = [(colour, shape) for colour in COLOURS for shape in SHAPES]
SHOWN: list[Thing] = [
    (colour, shape) for colour in ("red", "green", "blue") for shape in ("square", "circle")
]
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
SHARES: dict[Part, range] = {  # of ten
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
    def thing(self) -> Thing:
        return self.colour, self.shape

    def backwards(self) -> "Event":
        return Event(self.colour, self.shape, BACKWARDS[self.motion], self.count)


@dataclass(frozen=True)
class Script:
    """The events of a clip, in their order."""

    events: tuple[Event, ...]

    def twin(self) -> "Script":
        """Script of this clip played backwards."""
        return Script(tuple(event.backwards() for event in reversed(self.events)))

    def is_temporal(self) -> bool:
        """Whether only the order of frames tells it from its twin."""
        return self.twin() != self

    def subset(self) -> Part:
        """The subset to which a script and its twin belong, in a world of any size and seed."""
        both = sorted([repr(self), repr(self.twin())])
        tenth = hashlib.blake2b("".join(both).encode(), digest_size=4).digest()
        place = int.from_bytes(tenth, "big") % 10
        return next(name for name, tenths in SHARES.items() if place in tenths)


def draw_script(source: np.random.Generator, things: Sequence[Thing] = SHOWN) -> Script:
    """One event in three clips of ten, else two of different things.

    Clips show six things only, so that many clips of a gallery differ in what happens alone.
    """
    first, second = (_draw_event(source, things) for _ in range(2))
    if source.random() < 0.3:
        return Script((first,))
    while second.thing == first.thing:
        second = _draw_event(source, things)
    return Script((first, second))


def draw_scripts(source: np.random.Generator, subset: Part, count: int) -> list[Script]:
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


def _draw_event(source: np.random.Generator, things: Sequence[Thing]) -> Event:
    motion = str(source.choice(MOTIONS))
    colour, shape = things[int(source.integers(len(things)))]
    return Event(
        colour=colour,
        shape=shape,
        motion=motion,
        count=int(source.choice(COUNTS.get(motion, (1,)))),
    )
