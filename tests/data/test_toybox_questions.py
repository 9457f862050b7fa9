"""What is asked about Toybox: right, balanced, and out of reach of words and of a single frame."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.data._toybox.language import MOTION_WORDS, REMARKS, TIMES, VALENCE, WARMTH, mood
from reeltune.data._toybox.make import tasks
from reeltune.data._toybox.questions import (
    OPTIONS,
    Asked,
    Clips,
    actions,
    motions,
    open_questions,
    things,
    transitions,
)
from reeltune.data._toybox.render import FRAMES, RATE, Look, frame, pose, stage
from reeltune.data._toybox.world import BACKWARDS, COUNTS, Event, Script
from reeltune.data.splits.part import PARTS, Part
from reeltune.data.toybox import Config
from reeltune.errors import DataError

LOOK = Look(background=(30, 40, 50), grain=3, shift=(0.01, -0.02))
EPOCHS = 12  # of learning from poses
CHOOSE = {"action": actions, "transition": transitions}
Choose = Callable[[Clips], list[Asked]]


@cache
def world(size: str) -> dict[Part, Clips]:
    clips: dict[Part, Clips] = {part: {} for part in PARTS}
    for task in tasks(size, 0):
        clips[task.subset][f"{task.subset}{task.number:05}"] = task.script
    return clips


def clips_of(size: str, part: Part) -> Clips:
    return world(size)[part]


@pytest.fixture(params=CHOOSE)
def choose(request: pytest.FixtureRequest) -> Choose:
    return CHOOSE[request.param]


def told(event: Event) -> str:
    return f"the {event.colour} {event.shape} {done(event)}"


def done(event: Event) -> str:
    return f"{MOTION_WORDS[event.motion][0][0]} {TIMES[event.count]}".strip()


def answers(script: Script, question: str) -> list[str]:
    """Everything that answers a question with options about a clip."""
    if match := re.fullmatch(r"what happens (before|after) everything else\?", question):
        return [told(script.events[0 if match[1] == "before" else -1])]
    asked = re.fullmatch(r"what does the (\w+) (\w+) do more than once\?", question)
    assert asked
    return [done(e) for e in script.events if e.thing == asked.groups() and e.count > 1]


def every_script(script: Script) -> Iterable[Script]:
    """All clips with the things of this one, in either order."""
    every = [(motion, n) for motion in BACKWARDS for n in COUNTS.get(motion, (1,))]
    for events in (script.events, script.events[::-1]):
        for does in product(every, repeat=len(events)):
            yield Script(tuple(Event(*e.thing, *d) for e, d in zip(events, does, strict=True)))


def middle(script: Script) -> list[object]:
    """What the middle frame shows: each thing, where it is, and its pose."""
    shown: list[object] = []
    for event, place, progress in stage(script, 0.5):
        at = pose(event, progress)
        notch = event.motion == "spin" and event.shape == "circle"
        turned = at.angle % 0.25 if event.shape == "square" else at.angle % 1
        shown.append(
            (event.thing, place, (np.round([at.x, at.y, at.size, turned], 9) + 0.0).tolist())
        )
        shown += [at.seen, notch]
    return shown


# Right


def test_options_are_five_of_which_one_is_right(choose: Choose) -> None:
    clips = clips_of("small", "train")
    for asked in choose(clips):
        assert len(set(asked.options)) == OPTIONS == 5
        right = answers(clips[asked.clip], asked.text)
        assert [asked.answer] == right == [o for o in asked.options if o in right]


def test_an_open_question_has_one_answer_of_fifteen() -> None:
    clips = clips_of("small", "train")
    every = {asked.answer for asked in open_questions(clips)}
    assert len(every) == 15
    for asked in open_questions(clips):
        facts = [
            (f"{e.colour} {e.shape}", MOTION_WORDS[e.motion][0][0])
            for e in clips[asked.clip].events
        ]
        right = [does for thing, does in facts if asked.text == f"what does the {thing} do?"]
        right += [thing for thing, does in facts if asked.text == f"what {does}?"]
        assert [asked.answer] == right


def test_a_motion_is_shown_in_the_span_in_which_it_happens_alone() -> None:
    clips = clips_of("small", "val")
    shown = motions(clips)
    assert len(shown) == sum(len(script.events) for script in clips.values())
    assert len({asked.id for asked in shown}) == len(shown)
    for asked in shown:
        script = clips[asked.clip]
        number = int(asked.id.partition("#")[2] or 0)
        seconds = FRAMES / RATE
        times = np.linspace(asked.start, asked.end or seconds, 20)[1:-1] / seconds
        going: dict[tuple[str, str], set[float]] = {e.thing: set() for e in script.events}
        for time in times:
            for event, _, progress in stage(script, time):
                going[event.thing].add(progress)
        moving = script.events[number]
        assert asked.answer == asked.text == MOTION_WORDS[moving.motion][0][1]
        assert {thing for thing, seen in going.items() if len(seen) > 1} == {moving.thing}


def test_two_things_have_one_name_whichever_comes_first() -> None:
    clips = clips_of("small", "train")
    shown = things(clips)
    assert [asked.clip for asked in shown] == [v for v, s in clips.items() if len(s.events) == 2]
    assert len({asked.answer for asked in shown}) == 15
    for asked in shown:
        assert asked.answer == asked.text
        named = set(str(asked.answer).split(" and "))
        assert named == {f"{e.colour} {e.shape}" for e in clips[asked.clip].events}


# Out of reach


@pytest.mark.parametrize("part", PARTS)
def test_of_a_split_every_answer_and_every_place_is_right_equally_often(
    choose: Choose, part: Part
) -> None:
    clips = clips_of("base", part)
    asked = choose(clips)
    places = Counter(one.options.index(str(one.answer)) for one in asked)
    assert max(places.values()) - min(places.values()) <= 1
    kinds = Counter(kind_of(clips, one) for one in asked)
    assert len(set(kinds.values())) == 1
    assert len(kinds) in (5, 6)


def kind_of(clips: Clips, asked: Asked) -> str:
    """What the right answer says, without the thing; "once" for what is not repeated."""
    event = next(e for e in clips[asked.clip].events if str(asked.answer).endswith(done(e)))
    return done(event) if event.count > 1 else "once"


def test_every_option_is_right_in_a_clip_with_the_same_middle_frame(choose: Choose) -> None:
    clips = clips_of("small", "test")
    asked = choose(clips)
    assert len(asked) >= 80
    for number, one in enumerate(asked):
        script = clips[one.clip]
        alike = [other for other in every_script(script) if middle(other) == middle(script)]
        seen = frame(script, LOOK, 0.5)
        for option in one.options:
            fit = [other for other in alike if answers(other, one.text) == [option]]
            assert fit, (script, one)
            if number % 8 == 0:
                np.testing.assert_array_equal(frame(fit[0], LOOK, 0.5), seen)


def test_words_alone_leave_a_guesser_at_chance(choose: Choose) -> None:
    """It knows how often each option was right of those offered, to each question, in training."""
    assert guessed(choose, lambda script, asked, option: (asked.text, option)) < 0.26
    assert guessed(choose, lambda script, asked, option: option.split()[-2:]) < 0.26
    assert guessed(choose, lambda script, asked, option: asked.options.index(option)) < 0.26


def test_a_single_frame_leaves_an_observer_at_chance(choose: Choose) -> None:
    """It sees the poses in the middle frame without fault, and knows training by heart."""

    def key(script: Script, asked: Asked, option: str) -> object:
        poses = [part[2] for part in middle(script) if isinstance(part, tuple)]
        about = [f"{e.colour} {e.shape}" in f"{option} {asked.text}" for e in script.events]
        return asked.text.split()[-3], option.split()[-2:], poses, sorted(about)

    assert guessed(choose, key) < 0.26


def test_who_learns_from_a_single_frame_stays_at_chance_and_from_many_does_not(
    choose: Choose,
) -> None:
    """A network of the poses in the middle frame, and of those in thirteen frames."""
    assert learned(choose, [0.5]) < 0.26
    assert learned(choose, np.linspace(0.02, 0.98, 13).tolist()) > 0.7


def learned(choose: Choose, times: Sequence[float]) -> float:
    """Accuracy on test of a network that scores each option beside the poses and the question."""
    torch.manual_seed(0)
    some = choose(clips_of("base", "train"))
    words = sorted({w for one in some for text in (one.text, *one.options) for w in text.split()})
    train, test = (read_by(choose, part, times, words) for part in ("train", "test"))
    std, mean = torch.std_mean(train[0], dim=0)
    shown, said = nn.Linear(len(mean), 128), nn.Linear(len(words), 128, bias=False)
    offered = nn.Linear(len(words), 128, bias=False)
    last = nn.Sequential(nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))

    def scores(poses: Tensor, question: Tensor, options: Tensor) -> Tensor:
        known = shown((poses - mean) / (std + 0.1)) + said(question)
        return last(known[:, None] + offered(options)).squeeze(-1)  # (N, 5)

    parts = (shown, said, offered, last)
    optimizer = torch.optim.Adam([w for part in parts for w in part.parameters()], 2e-3)
    for _ in range(EPOCHS):
        for places in torch.randperm(len(some)).split(64):
            *given, right = (tensor[places] for tensor in train)
            F.cross_entropy(scores(*given), right).backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        *given, right = test
        return float((scores(*given).argmax(dim=1) == right).float().mean())


def read_by(choose: Choose, part: Part, times: Sequence[float], words: list[str]) -> list[Tensor]:
    """What is shown (N, P), the words of questions (N, W) and of options (N, 5, W), and which
    option is right (N,)."""
    clips = clips_of("base", part)
    asked = choose(clips)

    def of(text: str) -> list[bool]:
        return [word in text.split() for word in words]

    return [
        torch.tensor([poses(clips[one.clip], times) for one in asked]).float(),
        torch.tensor([of(one.text) for one in asked]).float(),
        torch.tensor([[of(option) for option in one.options] for one in asked]).float(),
        torch.tensor([one.options.index(str(one.answer)) for one in asked]),
    ]


def poses(script: Script, times: Sequence[float]) -> list[float]:
    """Which things there are, and where and how each of them is seen at some times."""
    found: list[float] = []
    for time in times:
        for event, _, progress in sorted(stage(script, time), key=lambda shown: shown[0].thing):
            at = pose(event, progress)
            colours = [float(event.colour == colour) for colour in sorted(WARMTH)]
            found += [at.x, at.y, at.size, at.angle % 0.25, float(at.seen)]
            found += [*colours, float(event.shape == "square")]
    return found


def guessed(choose: Choose, key: Callable[[Script, Asked, str], object]) -> float:
    """Accuracy on test of who takes the option whose key was right most often in training."""
    offered: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    train, test = clips_of("base", "train"), clips_of("base", "test")
    for asked in choose(train):
        for option in asked.options:
            seen = offered[repr(key(train[asked.clip], asked, option))]
            seen[0] += option == asked.answer
            seen[1] += 1

    def share(asked: Asked, option: str) -> float:
        right, times = offered[repr(key(test[asked.clip], asked, option))]
        return (right + 1) / (times + OPTIONS)

    questions = choose(test)
    hits = [
        max(asked.options, key=lambda option: share(asked, option)) == asked.answer
        for asked in questions
    ]
    return float(np.mean(hits))


# Read


@pytest.mark.parametrize(
    "asks", ["captions", "action", "transition", "what", "mood", "motion", "things"]
)
def test_every_split_is_asked_everything(toybox: Path, asks: str) -> None:
    for part in PARTS:
        split = Config(folder=toybox, size="tiny", asks=asks).read(part)
        assert split.pairs
        for pair in split.pairs:
            assert pair.path.is_file()
            assert pair.answer in pair.options or not pair.options
            assert (pair.options != ()) == (asks in CHOOSE)
            assert (pair.answer is None) == (asks in ("captions", "mood"))
            assert (pair.rating is None) == (asks != "mood")
        assert split.captions == ("single" if asks in ("mood", "motion", "things") else "multiple")


def test_a_mood_goes_with_what_is_said_but_for_the_remark_that_tells_it(toybox: Path) -> None:
    config = Config(folder=toybox, size="tiny", asks="mood")
    pairs = config.read("val").pairs
    assert len(pairs) == len({pair.video for pair in pairs}) == 8
    for pair in pairs:
        remark = config.transcript(pair).removeprefix(pair.caption).strip()
        assert remark in {text for some in REMARKS.values() for text in some}
        assert pair.caption.startswith("now it ")
    assert len({pair.rating for pair in pairs}) > 4


def test_part_of_the_mood_is_in_colours_which_nobody_tells() -> None:
    """Who knows the words alone, and the law by which moods are made, has some signs wrong."""
    scripts = clips_of("base", "test").values()
    felt = np.array([mood(script) for script in scripts])
    said = np.array([np.mean([VALENCE[event.motion] for event in s.events]) for s in scripts])
    warm = np.array([np.mean([WARMTH[event.colour] for event in s.events]) for s in scripts])
    guess = 1.2 * (said + warm.mean())
    assert np.mean((guess >= 0) == (felt >= 0)) < 0.8
    assert np.corrcoef(guess, felt)[0, 1] < 0.85


def test_a_transcript_of_half_a_clip_is_that_of_the_clip(toybox: Path) -> None:
    config = Config(folder=toybox, size="tiny", asks="motion")
    whole = Config(folder=toybox, size="tiny", asks="mood")
    said = {pair.video: whole.transcript(pair) for pair in whole.read("val").pairs}
    for pair in config.read("val").pairs:
        assert config.transcript(pair) == said[pair.video.partition("#")[0]]


def test_a_world_too_small_to_ask_about_says_so(tmp_path: Path) -> None:
    config = Config(folder=tmp_path, size="tiny", seed=3, asks="action")
    assert config.read("train").pairs
    with pytest.raises(
        DataError, match=r"no clip of val that can be asked for action; .*size=small"
    ):
        config.read("val")
