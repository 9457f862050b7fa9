"""What is asked about clips: questions with their right answers, made of the events alone.

A question with options takes time to answer. It is about a clip of two events, whose middle frame
lies between them: there a thing that blinks looks like one that bounces, however often, and a clip
like its twin, which has the events in opposite order. Its options are drawn from what that frame
allows, and of a split each of these is right equally often, and so is each place among the options.
So neither a single frame nor the words tell which one to choose.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reeltune.data._toybox.language import MOTION_WORDS, TIMES
from reeltune.data._toybox.render import FRAMES, RATE
from reeltune.data._toybox.world import COUNTS, Event, Script
from reeltune.data.splits.by_place import place

OPTIONS = 5
REPEATED = [(motion, count) for motion, counts in COUNTS.items() for count in counts]
Clips = dict[str, Script]  # by the names of the videos


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked about a clip, or a span of it."""

    clip: str
    id: str  # of what is shown
    text: str  # a question, a caption, what is said, or the name of the class
    answer: str | None = None
    options: tuple[str, ...] = ()
    rating: float | None = None
    start: float = 0.0  # s
    end: float | None = None  # s; None: to the end of the clip


@dataclass(frozen=True)
class _Choice:
    """A question with what the middle frame allows; answers of one `kind` are alike."""

    clip: str
    question: str
    answer: str
    others: tuple[str, ...]
    kind: str

    def place(self) -> float:
        """Its place in an order that is the same everywhere and follows nothing."""
        return place(f"{self.clip} {self.question}")

    def asked(self, right: int) -> Asked:
        """The question with its answer at place `right` among the options."""
        others = sorted(self.others, key=lambda other: place(f"{self.clip} {other}"))
        options = others[: OPTIONS - 1]
        options.insert(right, self.answer)
        return Asked(
            clip=self.clip,
            id=self.clip,
            text=self.question,
            answer=self.answer,
            options=tuple(options),
        )


def actions(clips: Clips) -> list[Asked]:
    """What a thing does several times in a row; the options are all there is of this."""
    return _balanced(
        [
            _Choice(video, f"what does the {_thing(event)} do more than once?", done, rest, done)
            for video, script in clips.items()
            if len(script.events) == 2
            for event in filter(_is_repeated, script.events)
            for done, rest in [_apart(_done(event), map(_done, _repetitions(event)))]
        ]
    )


def transitions(clips: Clips) -> list[Asked]:
    """What happens before, or after, everything else, where one of two things blinks or bounces.

    The other thing might have had its turn here, the other way: that looks the same in the middle.
    """
    choices = []
    for video, script in clips.items():
        if sum(map(_is_repeated, script.events)) != 1 or len(script.events) == 1:
            continue
        first, last = script.events
        for when, event, other in (("before", first, last), ("after", last, first)):
            repeated = _is_repeated(event)
            several = _repetitions(event if repeated else other)
            once = other.backwards() if repeated else event
            answer, rest = _apart(_told(event), map(_told, [once, *several]))
            question = f"what happens {when} everything else?"
            kind = _done(event) if repeated else "once"
            choices.append(_Choice(video, question, answer, rest, kind))
    return _balanced(choices)


def open_questions(clips: Clips) -> list[Asked]:
    """What a thing does, of nine motions, and which of six things it is that does something."""
    return [
        Asked(clip=video, id=video, text=question, answer=answer)
        for video, script in clips.items()
        for question, answer in _open(script)
    ]


def motions(clips: Clips) -> list[Asked]:
    """The motion of each event, in the half of a clip in which it happens: the class."""
    half = FRAMES / RATE / 2
    found = []
    for video, script in clips.items():
        for number, event in enumerate(script.events):
            word = MOTION_WORDS[event.motion][0][1]
            asked = Asked(clip=video, id=video, text=word, answer=word)
            if len(script.events) == 2:
                start, end = number * half, (number + 1) * half
                asked = replace(asked, id=f"{video}#{number}", start=start, end=end)
            found.append(asked)
    return found


def things(clips: Clips) -> list[Asked]:
    """Which two things a clip of two events shows: the class, whichever has its turn first."""
    found = []
    for video, script in clips.items():
        if len(script.events) == 2:
            shown = " and ".join(sorted(map(_thing, script.events)))
            found.append(Asked(clip=video, id=video, text=shown, answer=shown))
    return found


def _open(script: Script) -> Iterator[tuple[str, str]]:
    often = Counter(event.motion for event in script.events)
    for event in script.events:
        does = MOTION_WORDS[event.motion][0][0]
        yield f"what does the {_thing(event)} do?", does
        if often[event.motion] == 1:
            yield f"what {does}?", _thing(event)


def _balanced(choices: Sequence[_Choice]) -> list[Asked]:
    """Equally many of each kind, and of each place of the right answer, in the order of clips."""
    kinds = Counter(choice.kind for choice in choices)
    fewest = min(kinds.values(), default=0)
    taken: dict[str, list[_Choice]] = defaultdict(list)
    for choice in sorted(choices, key=_Choice.place):
        taken[choice.kind].append(choice)
    kept = [choice for kind in sorted(taken) for choice in taken[kind][:fewest]]
    right = {choice: number % OPTIONS for number, choice in enumerate(kept)}
    return [choice.asked(right[choice]) for choice in choices if choice in right]


def _repetitions(event: Event) -> list[Event]:
    """What the thing may do several times in a row."""
    return [Event(event.colour, event.shape, motion, count) for motion, count in REPEATED]


def _is_repeated(event: Event) -> bool:
    return event.motion in COUNTS


def _apart(answer: str, candidates: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The answer, and the other candidates."""
    return answer, tuple(one for one in candidates if one != answer)


def _thing(event: Event) -> str:
    return f"{event.colour} {event.shape}"


def _done(event: Event) -> str:
    return f"{MOTION_WORDS[event.motion][0][0]} {TIMES[event.count]}".strip()


def _told(event: Event) -> str:
    return f"the {_thing(event)} {_done(event)}"
