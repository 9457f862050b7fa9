"""What is said in videos of real speech, by Whisper tiny.en; opened once for all tests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from media.spoken_video import write_subtitles, write_tones
from reeltune.cli.encoded_clip import encode_pictures
from reeltune.cli.speaker import RATE, say
from reeltune.errors import CheckpointError, ConfigError, MediaError
from reeltune.search.channels.channel import Teller
from reeltune.search.channels.said import Said

SENTENCES = ("We painted the kitchen yellow.", "The helicopter landed on the hospital.")
SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello there\n"
PACKET = b"Good evening"


def done(share: float) -> None:
    assert 0 <= share <= 1


@pytest.fixture(scope="module")
def said() -> Iterator[Said]:
    teller = Said()
    yield teller
    teller.close()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of silence, a sentence, two seconds of silence, another sentence."""
    path = tmp_path_factory.mktemp("spoken") / "talk.mp4"
    first, second = map(say, SENTENCES)
    quiet = np.zeros(RATE, np.int16)
    sound = np.concatenate([quiet, first, quiet, quiet, second, quiet])
    grey = Image.new("RGB", (64, 64), "grey")
    encode_pictures([grey] * (len(sound) // RATE), path, sound, (64, 64), rate=1)
    return path


def test_it_is_a_teller(said: Said) -> None:
    teller: Teller = said
    assert (teller.channel, teller.name) == ("said", "speech: tiny.en")


def test_two_sentences_are_heard_at_their_times(said: Said, spoken: Path) -> None:
    shares: list[float] = []
    told = said.tell(spoken, shares.append)
    assert (told.source, told.language, told.note) == ("speech", "en", "")
    assert "kitchen yellow" in told.phrases[0].text
    assert "hospital" in told.phrases[-1].text
    second = 3.0 + len(say(SENTENCES[0])) / RATE
    assert told.phrases[0].start == pytest.approx(1.0, abs=0.5)
    assert [one for one in told.phrases if abs(one.start - second) < 0.5]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert said.tell(spoken, done) == told


def test_noise_and_tones_say_nothing(said: Said, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 5000, 5 * RATE).astype(np.int16)
    chord = sum(np.sin(np.arange(5 * RATE) * 2 * np.pi * f / RATE) for f in (220, 277, 330))
    for place, sound in enumerate((noise, (4000 * chord).astype(np.int16), noise * 0)):
        told = said.tell(write_tones(tmp_path / f"{place}.mkv", (0.0, sound)), done)
        assert (told.phrases, told.source, told.note) == ([], "", "")


def test_a_video_without_sound_says_nothing(said: Said, tmp_path: Path) -> None:
    told = said.tell(write_tones(tmp_path / "a.mkv"), done)
    assert (told.phrases, told.source, told.note) == ([], "", "")


def test_subtitles_beside_come_before_those_inside_and_these_before_speech(
    said: Said, tmp_path: Path
) -> None:
    path = write_subtitles(tmp_path / "a.mkv", "subrip", [(1.0, 2.0, PACKET)], "ger")
    inside = said.tell(path, done)
    assert (inside.source, inside.language, inside.phrases[0].text) == (
        *("embedded", "de", "Good evening"),
    )
    assert said.beside(path) == ""
    (tmp_path / "a.fr.srt").write_text(SRT)
    beside = said.tell(path, done)
    assert (beside.source, beside.language, beside.phrases[0].text) == (
        *("sidecar", "fr", "Hello there"),
    )
    before = said.beside(path)
    (tmp_path / "a.fr.srt").write_text(SRT + SRT)
    assert said.beside(path) not in ("", before)


def test_files_of_subtitles_that_are_of_no_use_are_named_and_passed_over(
    said: Said, tmp_path: Path
) -> None:
    path = write_subtitles(tmp_path / "a.mkv", "subrip", [(1.0, 2.0, PACKET)])
    (tmp_path / "a.srt").write_text("nothing")
    (tmp_path / "a.en.srt").mkdir()
    (tmp_path / "a.de.forced.srt").write_text(SRT)
    told = said.tell(path, done)
    assert (told.source, told.note) == (
        "embedded",
        "a.srt: no subtitles in it; a.en.srt was not read (Is a directory)",
    )


def test_subtitles_alone_need_no_model(tmp_path: Path) -> None:
    teller = Said("none")
    path = write_tones(tmp_path / "a.mkv", (0.0, np.zeros(RATE, np.int16)))
    assert teller.tell(path, done).phrases == []
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n")
    assert teller.tell(path, done).source == "sidecar"
    teller.close()


def test_subtitles_of_no_use_fail_where_nothing_is_to_be_heard(tmp_path: Path) -> None:
    teller = Said("none")
    path = write_tones(tmp_path / "a.mkv", (0.0, np.zeros(RATE, np.int16)))
    (tmp_path / "a.srt").write_bytes(bytes(100))
    (tmp_path / "a.en.vtt").write_text("nothing")
    with pytest.raises(MediaError) as caught:
        teller.tell(path, done)
    assert caught.value.reason == (
        "a.srt was not read (it is no text); a.en.vtt: no subtitles in it"
    )
    (tmp_path / "a.en.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n")
    told = teller.tell(path, done)
    assert (told.source, told.note) == ("sidecar", "a.srt was not read (it is no text)")
    teller.close()


def test_a_file_that_is_no_video_is_refused(said: Said, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nonsense")
    with pytest.raises(MediaError, match="text, not a video"):
        said.tell(tmp_path / "a.mp4", done)


def test_weights_that_are_none_are_refused_when_a_voice_is_heard(
    spoken: Path, tmp_path: Path
) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    teller = Said(str(tmp_path))
    with pytest.raises(CheckpointError, match=r"cannot be opened .* converted for CTranslate2"):
        teller.tell(spoken, done)
    teller.close()


def test_languages_decide_the_fingerprint_and_strange_ones_are_refused(said: Said) -> None:
    assert Said().fingerprint == said.fingerprint
    assert len({Said(language=one).fingerprint for one in (None, "de", "fr")}) == 3
    with pytest.raises(ConfigError, match="'klingon' is no language; write it like en or pt-BR"):
        Said(language="klingon")
