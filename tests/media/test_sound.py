"""Sound out of the decoding process: what FFmpeg decodes, by the clock of the frames."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler
from av.stream import Disposition

from media.spoken_video import tone, write_tones, write_two_tones
from reeltune.errors import MediaError
from reeltune.media._sound import Heard
from reeltune.media.decoder import Decoder
from reeltune.media.limits import HEARD, Limits
from reeltune.media.spoken import Piece


def pieces_of(decoder: Decoder, path: Path) -> list[Piece]:
    with decoder.sound(path) as sound:
        pieces = list(sound)
    assert sound.note == ""
    return pieces


def joined(pieces: list[Piece]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def decoded(path: Path) -> np.ndarray:
    """The oracle: the whole sound, decoded and resampled at once in this process."""
    resampler, heard = AudioResampler(format="s16", layout="mono", rate=HEARD), []
    with av.open(str(path)) as container:
        for frame in [*container.decode(audio=0), None]:
            heard += [made.to_ndarray()[0] for made in resampler.resample(frame)]
    return np.concatenate(heard)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mkv", "flac"), ("mp4", "aac"), ("mkv", "libmp3lame")]
)
def test_sound_is_that_of_ffmpeg_sample_by_sample(
    suffix: str, codec: str, decoder: Decoder, tmp_path: Path
) -> None:
    path = write_tones(tmp_path / f"a.{suffix}", (0.0, tone(5.5)), codec=codec)
    pieces = pieces_of(decoder, path)
    assert len(pieces) == 2
    assert np.array_equal(joined(pieces), decoded(path))


def test_sound_that_begins_after_the_pictures_says_when(decoder: Decoder, tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (3.5, tone(1)), start=2.0)
    (piece,) = pieces_of(decoder, path)
    assert piece.time == pytest.approx(1.5, abs=0.01)
    early = write_tones(tmp_path / "b.mkv", (0.0, tone(1)), start=2.0)
    assert pieces_of(decoder, early)[0].time == pytest.approx(-2.0, abs=0.01)


def test_a_gap_in_the_sound_stays_a_gap(decoder: Decoder, tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(1)), (3.0, tone(1)))
    pieces = pieces_of(decoder, path)
    assert [piece.time for piece in pieces] == pytest.approx([0.0, 3.0], abs=0.01)
    assert [len(piece.samples) for piece in pieces] == pytest.approx([HEARD, HEARD], abs=50)


def test_a_video_without_sound_has_none_and_is_no_error(decoder: Decoder, tmp_path: Path) -> None:
    with decoder.sound(write_tones(tmp_path / "a.mkv")) as sound:
        assert list(sound) == []
    assert (sound.codec, sound.note, sound.duration) == ("", "", 6.0)


NONE, DEFAULT, COMMENT = Disposition(0), Disposition.default, Disposition.comment


@pytest.mark.parametrize(
    ("first", "second", "heard"),
    [(NONE, NONE, 440), (NONE, DEFAULT, 880), (COMMENT, NONE, 880), (COMMENT | DEFAULT, NONE, 880)],
)
def test_of_several_streams_the_one_that_a_player_plays_is_heard(
    first: Disposition, second: Disposition, heard: float, decoder: Decoder, tmp_path: Path
) -> None:
    tones = (first, tone(1)), (second, tone(1, 880))
    samples = joined(pieces_of(decoder, write_two_tones(tmp_path / "a.mkv", *tones)))
    loudest = np.argmax(np.abs(np.fft.rfft(samples[: HEARD // 2])))
    assert 2 * loudest == pytest.approx(heard, abs=4)


def test_sound_that_is_damaged_leaves_a_note(decoder: Decoder, tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(5)), codec="flac")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    with decoder.sound(path) as sound:
        heard = sum(len(piece.samples) for piece in sound)
    assert 0 < heard < 5 * HEARD
    assert sound.note.startswith("damaged in places (")


def test_a_decoder_that_is_not_on_the_list_is_not_used(decoder: Decoder, tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(1)), codec="wavpack")
    with pytest.raises(MediaError, match="its sound is encoded with wavpack, which is not on the"):
        decoder.sound(path)
    assert decoder.open(path).info.width == 64


def test_sound_is_left_in_the_middle_and_frames_come_next(decoder: Decoder, tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(6)))
    with decoder.sound(path) as sound:
        next(sound)
    with decoder.open(path) as reading:
        assert next(reading).time == 0.0


def test_more_sound_than_the_limit_of_length_is_not_read(tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(1)), (9.0, tone(1)))
    with av.open(str(path)) as container:
        heard = Heard(
            container, container.streams.audio[0], 0.0, Limits(duration=5.0), lambda: None
        )
        assert sum(len(piece) for _, piece in heard) < 2.1 * HEARD
    assert heard.trouble == "its times run beyond the limit of length"


def test_a_second_recording_in_the_file_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    path = write_tones(tmp_path / "a.mkv", (0.0, tone(2)))
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        heard = Heard(container, stream, 0.0, Limits(), lambda: None)
        frames = [*container.decode(stream)]
        heard._due = 10.0
        assert heard._begin(frames[0]) == 10.0
        assert heard._begin(frames[-1]) == pytest.approx(10.0 + frames[-1].time, abs=0.01)
