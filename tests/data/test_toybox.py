"""Toybox: the same everywhere, split without leaks, described truly, made once."""

import json
import re
import signal
from collections import Counter
from itertools import chain, product
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reeltune.batches.loader import FrameReader
from reeltune.data._toybox.language import (
    CAPTIONS,
    COLOUR_WORDS,
    MOTION_WORDS,
    SHAPE_WORDS,
    TIMES,
    VALENCE,
    WARMTH,
    captions,
    mood,
    questions,
)
from reeltune.data._toybox.make import FINISHED, SIZES, VERSION, Task, make_toybox, tasks
from reeltune.data._toybox.render import FRAMES, RATE, SIDE, Look, frames
from reeltune.data._toybox.world import Event, Script, draw_script
from reeltune.data.splits.part import PARTS
from reeltune.data.toybox import Config
from reeltune.errors import DataError
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.types import Pair, Pixels
from sudden_end import end_soon
from warm_processes import warm

LOOK = Look(background=(30, 40, 50), grain=3, shift=(0.01, -0.02))


WORLDS = [("tiny", 0), ("tiny", 7), ("small", 0), ("small", 1), ("base", 5)]

Worlds = dict[tuple[str, int], list[Task]]

any_seed = given(st.integers(0, 1 << 32))  # of a script
few = settings(max_examples=20)  # where each draws whole clips


def script_of_seed(seed: int) -> Script:
    return draw_script(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """Clips of several worlds, by size and seed; nothing is drawn."""
    return {world: list(tasks(*world)) for world in WORLDS}


def lines(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        subset: [json.loads(line) for line in (folder / f"{subset}.jsonl").read_text().splitlines()]
        for subset in PARTS
    }


def script_of(clip: dict[str, Any]) -> Script:
    return Script(tuple(Event(**event) for event in clip["events"]))


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the lock, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


# One world


def test_the_same_seed_gives_the_same_bytes_in_another_folder(toybox: Path, tmp_path: Path) -> None:
    assert contents(make_toybox(tmp_path, "tiny", 0)) == contents(toybox)


def test_clips_are_videos_of_their_size_and_length(toybox: Path) -> None:
    paths = sorted((toybox / "videos").iterdir())
    assert len(paths) == 44
    for path in paths[::11]:
        assert decoded(path).shape == (FRAMES, SIDE, SIDE, 3)
        with av.open(str(path)) as container:
            assert container.streams.video[0].average_rate == RATE


def test_counts_are_as_promised(toybox: Path) -> None:
    assert {subset: len(clips) for subset, clips in lines(toybox).items()} == SIZES["tiny"]
    facts = json.loads((toybox / FINISHED).read_text())
    assert facts == {"version": VERSION, "size": "tiny", "seed": 0, "clips": SIZES["tiny"]}


def test_read_gives_twenty_pairs_per_clip(toybox: Path) -> None:
    split = Config(folder=toybox, size="tiny").read("val")
    assert split.captions == "multiple"
    assert len(split.pairs) == 20 * 8
    assert set(Counter(pair.video for pair in split.pairs).values()) == {20}
    assert split.pairs[0] == Pair(
        video="val00000",
        path=toybox / "videos" / "val00000.mp4",
        caption=lines(toybox)["val"][0]["captions"][0],
        tags=split.pairs[0].tags,
    )


def test_a_clip_is_tagged_temporal_exactly_where_its_twin_is_in_its_split(toybox: Path) -> None:
    tagged = 0
    for clips in lines(toybox).values():
        there = {script_of(clip) for clip in clips}
        for clip in clips:
            script = script_of(clip)
            has_twin = script.twin() != script and script.twin() in there
            assert clip["tags"] == (["temporal"] if has_twin else [])
            tagged += has_twin
    assert 10 <= tagged <= 40


def twins(toybox: Path) -> list[tuple[str, str]]:
    """Names of clips and of their twins, in the train split."""
    names = {script_of(clip): clip["video"] for clip in lines(toybox)["train"]}
    found = [
        (names[script], names[script.twin()])
        for script in names
        if names.get(script.twin(), "") > names[script] and script.is_temporal()
    ]
    assert found
    return found


def test_a_twin_decodes_to_the_clip_backwards_to_the_bit(toybox: Path) -> None:
    for name, twin in twins(toybox):
        clip, other = (decoded(toybox / "videos" / f"{n}.mp4") for n in (name, twin))
        assert np.array_equal(clip, other[::-1])
        assert not np.array_equal(clip, other)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 12, 16])
def test_a_reader_gets_the_same_frames_of_a_clip_and_of_its_twin(toybox: Path, count: int) -> None:
    """Or a model that sees no order could tell them apart."""
    with FrameReader(Pixels(size=SIDE), count, None) as reader:
        for names in twins(toybox):
            paths = [toybox / "videos" / f"{name}.mp4" for name in names]
            clip, twin = (reader.read(Pair(video="", path=path, caption="")) for path in paths)
            assert len(clip) == count
            assert np.array_equal(clip, twin[::-1])


def test_features_of_the_recipes_see_the_same_frames_of_a_clip_and_of_its_twin(
    toybox: Path,
) -> None:
    with Decoder(Pixels(size=SIDE)) as decoder:
        decoder.sampling = Sampling("fps", 5.0)  # a frame every 0.2 s
        for names in twins(toybox):
            found = []
            for name in names:
                with decoder.open(toybox / "videos" / f"{name}.mp4") as reading:
                    found.append(np.stack([frame.pixels for frame in reading]))
            assert len(found[0]) == 17
            assert np.array_equal(found[0], found[1][::-1])


def test_a_transcript_has_a_line_per_event_and_a_remark(toybox: Path) -> None:
    for clip in lines(toybox)["test"]:
        said = clip["transcript"]
        assert len(said) == len(clip["events"]) + 1
        assert all(0 <= line["start"] < line["end"] <= FRAMES / RATE for line in said)
        for event, line in zip(script_of(clip).events, said, strict=False):
            assert motions_in(line["text"]) == [(event.motion, event.count)]


def test_what_is_said_in_a_clip_is_the_whole_transcript(toybox: Path) -> None:
    config = Config.tiny(toybox)
    for split in PARTS:
        said = {pair.video: config.transcript(pair) for pair in config.read(split).pairs}
        assert said == {
            clip["video"]: " ".join(line["text"] for line in clip["transcript"])
            for clip in lines(toybox)[split]
        }


# Any world


def test_counts_hold_for_every_size_and_no_script_comes_twice(worlds: Worlds) -> None:
    for (size, _), clips in worlds.items():
        assert Counter(task.subset for task in clips) == SIZES[size]
        assert len({task.script for task in clips}) == len(clips)


def test_subsets_share_no_script_and_no_twin_whatever_the_size_and_the_seed(worlds: Worlds) -> None:
    seen: dict[Script, str] = {}
    for task in chain.from_iterable(worlds.values()):
        for script in (task.script, task.script.twin()):
            assert seen.setdefault(script, task.subset) == task.subset


def test_other_seeds_give_other_worlds(worlds: Worlds) -> None:
    first, second = ({task.script for task in worlds["small", seed]} for seed in (0, 1))
    assert len(first & second) < 0.6 * len(first)


def test_a_world_is_the_same_in_every_run(worlds: Worlds) -> None:
    assert list(tasks("tiny", 7)) == worlds["tiny", 7]


@any_seed
def test_a_twin_of_a_twin_is_the_script_and_in_its_subset(seed: int) -> None:
    script = script_of_seed(seed)
    assert script.twin().twin() == script
    assert script.twin().subset() == script.subset()


# Pictures


@few
@any_seed
def test_a_twin_is_the_same_frames_backwards(seed: int) -> None:
    script = script_of_seed(seed)
    assume(script.is_temporal())
    clip, twin = (np.stack(list(frames(one, LOOK))) for one in (script, script.twin()))
    np.testing.assert_array_equal(clip, twin[::-1])


def test_a_twin_is_the_same_frames_backwards_where_things_overlap() -> None:
    script = Script((Event("red", "square", "up"), Event("blue", "triangle", "grow")))
    clip, twin = (np.stack(list(frames(one, LOOK))) for one in (script, script.twin()))
    np.testing.assert_array_equal(clip, twin[::-1])


def test_a_twin_turns_the_other_way() -> None:
    script = Script((Event("red", "triangle", "spin"), Event("blue", "circle", "left")))
    clip, twin = (np.stack(list(frames(one, LOOK))) for one in (script, script.twin()))
    np.testing.assert_array_equal(clip, twin[::-1])


@few
@any_seed
def test_a_clip_moves_and_is_drawn_the_same_twice(seed: int) -> None:
    script = script_of_seed(seed)
    clip, again = (np.stack(list(frames(script, LOOK))) for _ in range(2))
    np.testing.assert_array_equal(clip, again)
    assert abs(clip.astype(int) - clip[0]).max() > 60


def test_looks_differ_in_what_words_do_not_tell() -> None:
    looks = [Look.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(looks)) == 20
    assert all(max(map(abs, look.shift)) <= 0.04 for look in looks)


# Words


def named(text: str, words: dict[str, tuple[str, ...]]) -> list[str]:
    """Which of the named things a sentence names, in its order."""
    of_word = {word: name for name, some in words.items() for word in some}
    return [of_word[word] for word in re.findall("|".join(of_word), text)]


def motions_in(text: str) -> list[tuple[str, int]]:
    """Motions of a sentence, in its order, with how often each happens."""
    of_form = {
        form: name for name, forms in MOTION_WORDS.items() for pair in forms for form in pair
    }
    times = {word: count for count, word in TIMES.items() if word}
    found = re.findall(f"({'|'.join(of_form)})(?: ({'|'.join(times)}))?", text)
    return [(of_form[form], times.get(often, 1)) for form, often in found]


def told(text: str) -> list[tuple[str, str, str, int]]:
    """The events that a caption tells, in their order in time."""
    colours, shapes = named(text, COLOUR_WORDS), named(text, SHAPE_WORDS)
    motions = motions_in(text)
    events = [(c, s, *m) for c, s, m in zip(colours, shapes, motions, strict=True)]
    is_turned = " after " in text and not text.startswith("after ")
    return events[::-1] if is_turned else events


@any_seed
def test_every_caption_tells_the_script(seed: int) -> None:
    script = script_of_seed(seed)
    wanted = [(e.colour, e.shape, e.motion, e.count) for e in script.events]
    for text in captions(script, np.random.default_rng(seed)):
        assert told(text) == wanted, text
        assert text == " ".join(text.split())


@any_seed
def test_captions_are_twenty_and_half_or_more_differ(seed: int) -> None:
    script = script_of_seed(seed)
    made = captions(script, np.random.default_rng(seed))
    assert len(made) == CAPTIONS == 20
    assert len(set(made)) >= 10


@any_seed
def test_captions_of_a_twin_tell_another_story(seed: int) -> None:
    script = script_of_seed(seed)
    source = np.random.default_rng(0)
    shared = set(captions(script, source)) & set(captions(script.twin(), source))
    assert not shared or not script.is_temporal()


@any_seed
def test_questions_have_the_right_answers(seed: int) -> None:
    script = script_of_seed(seed)
    of_thing = {f"the {e.colour} {e.shape}": e for e in script.events}
    plain = {name: MOTION_WORDS[e.motion][0][0] for name, e in of_thing.items()}
    things = list(of_thing)
    for asked in questions(script):
        about = [name for name in things if name in asked.question]
        match asked.kind:
            case "count":
                assert asked.answer == str(of_thing[about[0]].count)
            case "action":
                said = of_thing[about[0]]
                assert asked.answer == said.motion
                assert asked.question.endswith(f"{TIMES[said.count]}?")
            case "transition":
                after = "after" in asked.question
                assert about == [things[0 if after else 1]]
                other = things[1 if after else 0]
                assert asked.answer == f"{other} {plain[other]}"
            case "open" if about:
                assert asked.answer == plain[about[0]]
            case "open":
                shape = re.fullmatch(r"what colour is the (.+)\?", asked.question)
                assert shape
                assert (asked.answer, shape[1]) in [e.thing for e in script.events]


def test_no_question_has_two_answers() -> None:
    script = Script((Event("red", "square", "up"), Event("blue", "square", "left")))
    asked = [(q.kind, q.question) for q in questions(script)]
    assert len(set(asked)) == len(asked)


@any_seed
def test_every_kind_of_question_is_asked_where_it_can_be(seed: int) -> None:
    script = script_of_seed(seed)
    kinds = Counter(asked.kind for asked in questions(script))
    repeated = sum(event.count > 1 for event in script.events)
    assert kinds["count"] == kinds["action"] == repeated
    assert kinds["transition"] == (2 if len(script.events) == 2 else 0)
    shapes = Counter(event.shape for event in script.events)
    assert kinds["open"] == len(script.events) + sum(count == 1 for count in shapes.values())


@any_seed
def test_mood_is_graded_between_minus_three_and_three(seed: int) -> None:
    script = script_of_seed(seed)
    assert -3 <= mood(script) <= 3


def test_mood_sees_colours_and_motions() -> None:
    for colour, motion in product(WARMTH, VALENCE):
        felt = mood(Script((Event(colour, "square", motion),)))
        assert felt == pytest.approx(min(max(1.2 * (WARMTH[colour] + VALENCE[motion]), -3), 3))


# Making


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    Config(folder=tmp_path, size="tiny", seed=1).make(lambda *seen: calls.append(seen))
    assert calls == [(done, 44) for done in range(1, 45)]
    Config(folder=tmp_path, size="tiny", seed=1).make(lambda *seen: calls.append(seen))
    assert len(calls) == 44, "it was made twice"


def test_a_world_is_made_in_the_cache_unless_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path))
    assert Config(size="base", seed=3).place() == tmp_path / "toybox" / f"base-3-v{VERSION}"
    assert Config(folder=tmp_path / "here").place() == tmp_path / "here"


def test_a_damaged_line_is_named_with_its_remedy(tmp_path: Path, toybox: Path) -> None:
    for name in (FINISHED, "val.jsonl"):
        (tmp_path / name).write_bytes((toybox / name).read_bytes())
    (tmp_path / "val.jsonl").write_text('{"video": "val0')
    with pytest.raises(DataError, match=r"val\.jsonl cannot be read \(.*delete .* made again"):
        Config(folder=tmp_path, size="tiny").read("val")


def test_a_folder_with_another_world_is_refused(toybox: Path) -> None:
    message = r"holds Toybox tiny with seed 0.*small with seed 0.*name another folder or delete"
    with pytest.raises(DataError, match=message):
        Config(folder=toybox, size="small").read("val")
    with pytest.raises(DataError, match=r"holds Toybox tiny with seed 0.*tiny with seed 9"):
        Config(folder=toybox, size="tiny", seed=9).read("val")


@pytest.fixture(scope="module")
def processes() -> Any:
    return warm()


def test_a_making_that_was_killed_is_made_again(
    tmp_path: Path, toybox: Path, processes: Any
) -> None:
    for least in (2, 20):
        process = processes.Process(target=_make_and_end, args=(tmp_path, least))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGALRM
        assert not (tmp_path / FINISHED).exists()
    make_toybox(tmp_path, "tiny", 0)
    wanted = contents(toybox)
    assert {name: data for name, data in contents(tmp_path).items() if name in wanted} == wanted


def _make_and_end(folder: Path, after: int) -> None:
    make_toybox(folder, "tiny", 0, lambda done, total: end_soon() if done == after else None)


def _make_and_count(folder: Path, made: Any) -> None:
    make_toybox(folder, "tiny", 0, lambda done, total: made.put(done))


def test_two_processes_at_once_make_one(tmp_path: Path, toybox: Path, processes: Any) -> None:
    made = processes.Queue()
    both = [processes.Process(target=_make_and_count, args=(tmp_path, made)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(made.get(timeout=5) for _ in range(44)) == list(range(1, 45))
    assert made.empty()
    assert contents(tmp_path) == contents(toybox)
