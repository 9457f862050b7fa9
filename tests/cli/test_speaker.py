"""The speaker of the sample clips says what it is told, in voices that differ."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reeltune.cli.encoded_clip import encode_pictures
from reeltune.cli.speaker import RATE, VOICES, say
from reeltune.errors import DataError

SENTENCE = "The quick brown fox jumps over the lazy dog."


def test_a_sentence_takes_as_long_as_a_person_takes() -> None:
    assert 2 < len(say(SENTENCE)) / RATE < 5
    assert len(say(SENTENCE + " " + SENTENCE)) > 1.8 * len(say(SENTENCE))
    assert len(say("")) < RATE


def test_the_voices_are_loud_and_differ() -> None:
    spoken = [say("Good morning.", voice) for voice in VOICES]
    for voice, sound in zip(VOICES, spoken, strict=True):
        assert np.abs(sound.astype(int)).max() > 5000, voice
    assert not np.array_equal(spoken[0][:8000], spoken[1][:8000])


def test_a_voice_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="espeak-ng has no voice 'nobody'; take one of en-us"):
        say("Good morning.", "nobody")


def test_a_clip_is_written_with_its_sound(tmp_path: Path) -> None:
    sound = say(SENTENCE)
    grey = Image.new("RGB", (64, 64), "grey")
    encode_pictures([grey] * 4, tmp_path / "a.mp4", sound, (64, 64), rate=1)
    with av.open(str(tmp_path / "a.mp4")) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
        assert abs(heard - len(sound)) < 3000
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len([*container.decode(video=0)]) == 4
