"""Words for scripts: captions in many forms, questions with answers, a transcript, a mood."""

from dataclasses import dataclass

import numpy as np

from reeltune.data._toybox.world import Event, Script

CAPTIONS = 20  # per clip
COLOUR_WORDS = {
    "red": ("red", "crimson"),
    "green": ("green",),
    "blue": ("blue",),
    "yellow": ("yellow", "golden"),
}
SHAPE_WORDS = {
    "square": ("square", "box"),
    "circle": ("circle", "disc"),
    "triangle": ("triangle",),
}
# Each motion in words: of the present tense, and of the -ing form.
MOTION_WORDS = {
    "left": (("moves left", "moving left"), ("slides to the left", "sliding to the left")),
    "right": (("moves right", "moving right"), ("slides to the right", "sliding to the right")),
    "up": (("moves up", "moving up"), ("rises", "rising"), ("climbs upwards", "climbing upwards")),
    "down": (("moves down", "moving down"), ("sinks", "sinking"), ("falls", "falling")),
    "spin": (("spins", "spinning"), ("rotates", "rotating"), ("turns around", "turning around")),
    "grow": (("grows", "growing"), ("gets bigger", "getting bigger"), ("expands", "expanding")),
    "shrink": (("shrinks", "shrinking"), ("gets smaller", "getting smaller")),
    "blink": (("blinks", "blinking"), ("flashes", "flashing")),
    "bounce": (("bounces", "bouncing"), ("hops", "hopping")),
}
TIMES = {1: "", 2: "twice", 3: "three times", 4: "four times"}
ONE = (
    "{a} {v}",
    "there is {a} that {v}",
    "{a} is {ing}",
    "you see {a} {ing}",
    "a clip of {a} {ing}",
)
TWO = (
    "{a} {v}, then {b} {w}",
    "first {a} {v} and then {b} {w}",
    "{a} {v} before {b} {w}",
    "{b} {w} after {a} {v}",
    "after {a} {v}, {b} {w}",
    "{a} is {ing}, later {b} is {wing}",
    "{a} {ing} and then {b} {wing}",
)
VALENCE = {
    "up": 1.0,
    "grow": 1.0,
    "bounce": 1.5,
    "right": 0.5,
    "spin": 0.5,
    "down": -1.0,
    "shrink": -1.0,
    "blink": -0.5,
    "left": -0.5,
}
WARMTH = {"red": 0.5, "yellow": 1.0, "green": -0.5, "blue": -1.0}
REMARKS = {True: ("how lovely", "I like this one"), False: ("oh no", "this one makes me sad")}


@dataclass(frozen=True)
class Question:
    """A question on a clip; `kind` is count, action, transition or open."""

    kind: str
    question: str
    answer: str


def captions(script: Script, source: np.random.Generator, count: int = CAPTIONS) -> list[str]:
    """`count` sentences, all different if there are enough different ones."""
    made: dict[str, None] = {}
    for _ in range(8 * count):
        made[caption(script, source)] = None
        if len(made) == count:
            break
    sentences = list(made)
    return [sentences[i % len(sentences)] for i in range(count)]


def caption(script: Script, source: np.random.Generator) -> str:
    """One sentence that tells everything in a script, except that a number may be left out."""
    events = script.events
    words = {"a": noun(events[0], source)}
    words["v"], words["ing"] = _motion(events[0], source)
    if len(events) == 1:
        return str(source.choice(ONE)).format(**words)
    words["b"] = noun(events[1], source)
    words["w"], words["wing"] = _motion(events[1], source)
    return str(source.choice(TWO)).format(**words)


def noun(event: Event, source: np.random.Generator) -> str:
    """The thing with its article."""
    colour = source.choice(COLOUR_WORDS[event.colour])
    return f"a {colour} {source.choice(SHAPE_WORDS[event.shape])}"


def questions(script: Script) -> list[Question]:
    """Questions about a clip in plain words; answers have one to four words."""
    made = []
    for event in script.events:
        thing = f"the {event.colour} {event.shape}"
        verb = MOTION_WORDS[event.motion][0][0].split()[0].removesuffix("s")
        made.append(Question("open", f"what does {thing} do?", _plain(event)))
        if sum(other.shape == event.shape for other in script.events) == 1:
            made.append(Question("open", f"what colour is the {event.shape}?", event.colour))
        if event.count > 1:
            made.append(Question("count", f"how often does {thing} {verb}?", str(event.count)))
            asked = f"what does {thing} do {TIMES[event.count]}?"
            made.append(Question("action", asked, event.motion))
    if len(script.events) == 2:
        first, second = (f"the {event.colour} {event.shape}" for event in script.events)
        before, after = (_plain(event) for event in script.events)
        made.append(
            Question("transition", f"what happens after {first} {before}?", f"{second} {after}")
        )
        made.append(
            Question("transition", f"what happens before {second} {after}?", f"{first} {before}")
        )
    return made


def transcript(
    script: Script, source: np.random.Generator, seconds: float
) -> list[dict[str, object]]:
    """What a narrator says, with times in s: the motions without the things, and a remark."""
    step = seconds / len(script.events)
    said = [
        {"start": i * step, "end": (i + 1) * step, "text": f"now it {_motion(event, source)[0]}"}
        for i, event in enumerate(script.events)
    ]
    remark = source.choice(REMARKS[mood(script) > 0])
    return [*said, {"start": 0.9 * seconds, "end": seconds, "text": str(remark)}]


def mood(script: Script) -> float:
    """A graded target, -3 to 3, of which part is seen in colours and part in motions."""
    scores = [VALENCE[event.motion] + WARMTH[event.colour] for event in script.events]
    return round(float(np.clip(np.mean(scores) * 1.2, -3, 3)), 2)


def _plain(event: Event) -> str:
    return MOTION_WORDS[event.motion][0][0]


def _motion(event: Event, source: np.random.Generator) -> tuple[str, str]:
    forms = MOTION_WORDS[event.motion]
    verb, ing = forms[int(source.integers(len(forms)))]
    times = TIMES[event.count]
    return (f"{verb} {times}", f"{ing} {times}") if times else (verb, ing)
