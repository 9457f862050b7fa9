"""Clips are compared with the video that they were cut from: every picture, time and sample."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media.numbered_video import number_of, picture, write_numbered
from media.spoken_video import RATE, tone, write_tones
from reeltune.errors import ConfigError, MediaError
from reeltune.media.cut import cut
from reeltune.media.decoder import Decoder
from reeltune.media.limits import Limits
from reeltune.media.sampling import Sampling
from reeltune.types import Pixels


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of 25 numbered pictures a second, with keyframes two seconds apart."""
    path = tmp_path_factory.mktemp("cut") / "a.mp4"
    return write_numbered(path, range(0, 40_000, 40), sc_threshold="0")


def numbers(path: Path) -> list[tuple[float, int]]:
    """Time and number of every picture, by FFmpeg in this process."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time), number_of(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)))
            for frame in container.decode(video=0)
        ]


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        (stream,) = (one for one in container.streams if one.type == kind)
        read = [packet for packet in container.demux(stream) if packet.size]
        return [(float((packet.pts or 0) * packet.time_base), bytes(packet)) for packet in read]


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
    return sound / np.abs(sound).max()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_a_copy_is_the_very_packets_from_the_keyframe_on(
    suffix: str, video: Path, tmp_path: Path
) -> None:
    clip = cut(video, 3.1, 5.0, tmp_path / f"b.{suffix}")
    assert (clip.start, clip.end, clip.note) == (2.0, pytest.approx(5.0, abs=0.2), "")
    found = numbers(tmp_path / f"b.{suffix}")
    last = round(25 * clip.end)
    assert [number for _, number in found] == list(range(50, last))
    assert [time for time, _ in found] == pytest.approx(np.arange(len(found)) / 25, abs=0.001)
    if suffix != "mkv":  # which may have the parameter sets of the codec in a packet
        original = {round(time, 3): data for time, data in packets(video, "video")}
        for time, data in packets(tmp_path / f"b.{suffix}", "video"):
            assert data == original[round(time + 2.0, 3)]


@pytest.mark.parametrize("suffix", ["flv", "mkv", "mp4", "ts"])
def test_a_file_that_begins_late_is_cut_by_what_it_shows(suffix: str, tmp_path: Path) -> None:
    late = write_numbered(tmp_path / f"late.{suffix}", range(100_000, 108_000, 40))
    clip = cut(late, 5.0, 6.0, tmp_path / "b.mp4", exact=True)
    assert (clip.start, clip.end) == (5.0, pytest.approx(6.0))
    assert [number for _, number in numbers(tmp_path / "b.mp4")] == list(range(125, 150))
    copied = cut(late, 5.0, 6.0, tmp_path / "c.mp4")
    assert copied.start <= 5.0
    assert numbers(tmp_path / "c.mp4")[0][1] == round(25 * copied.start)


@pytest.mark.parametrize("start", [3.1, 31.3])
def test_an_exact_clip_begins_with_what_is_on_the_screen_and_ends_in_time(
    start: float, video: Path, tmp_path: Path
) -> None:
    clip = cut(video, start, start + 1.9, tmp_path / "b.mp4", exact=True)
    assert (clip.start, clip.end) == (start, pytest.approx(start + 1.9))
    times, found = zip(*numbers(tmp_path / "b.mp4"), strict=True)
    first = int(start * 25)
    last = int(np.ceil((start + 1.9) * 25 - 1e-6))
    assert list(found) == list(range(first, last))
    expected = [max(0.0, number / 25 - start) for number in found]
    assert list(times) == pytest.approx(expected, abs=0.001)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(1.9, abs=0.01)


@pytest.mark.parametrize("exact", [False, True])
def test_a_clip_of_a_video_that_was_held_upright_stands_upright(
    exact: bool, tmp_path: Path
) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.set_display_rotation(90)
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    cut(tmp_path / "a.mp4", 0.2, 0.6, tmp_path / "b.mp4", exact=exact)
    for name in ("a.mp4", "b.mp4"):
        with Decoder(Pixels(size=160), Sampling("uniform", 1.0)) as decoder:
            (view,) = decoder.views(tmp_path / name)
        assert view.pixels.shape == (160, 96, 3)
        assert view.pixels[:16].mean() < 40 or view.pixels[-16:].mean() < 40


def test_an_exact_clip_looks_like_the_original(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", range(0, 800, 40), size=(161, 97), pix_fmt="yuv444p")
    cut(video, 0.2, 0.6, tmp_path / "b.mp4", exact=True)
    with av.open(str(tmp_path / "b.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 10
    assert frames[0].shape == (96, 160, 3)
    for number, frame in enumerate(frames, 5):
        original = picture(number, 161, 97)[:96, :160].astype(float)
        assert np.abs(frame - original).mean() < 8


def test_a_picture_that_stands_still_is_shown_as_long_as_in_the_video(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", [0, 5_000, 11_000, 12_000])
    cut(video, 2.0, 9.0, tmp_path / "b.mp4", exact=True)
    assert numbers(tmp_path / "b.mp4") == [(0.0, 0), (3.0, 1)]
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(7.0, abs=0.01)


def test_the_sound_of_a_copy_is_the_very_packets_beside_the_same_pictures(tmp_path: Path) -> None:
    sweep = np.sin(np.cumsum(np.linspace(0.02, 0.5, 6 * RATE)))
    sound = (20_000 * sweep).astype(np.int16)
    video = write_tones(tmp_path / "a.mp4", (0.0, sound), start=1.0, codec="aac")
    clip = cut(video, 2.2, 4.0, tmp_path / "b.mp4")
    with av.open(str(video)) as container:
        begin = (
            clip.start
            + container.streams.video[0].start_time * container.streams.video[0].time_base
        )
    original = packets(video, "audio")
    copied = packets(tmp_path / "b.mp4", "audio")
    place = [data for _, data in original].index(copied[0][1])
    assert [data for _, data in copied] == [data for _, data in original[place:][: len(copied)]]
    assert copied[0][0] == pytest.approx(original[place][0] - float(begin), abs=0.002)
    assert copied[-1][0] == pytest.approx(clip.end - clip.start, abs=0.1)


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "flac"), ("mp4", "aac")])
def test_the_sound_of_an_exact_clip_is_that_of_the_span_sample_by_sample(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    sweep = np.sin(np.cumsum(np.linspace(0.02, 0.5, 6 * RATE)))
    video = write_tones(
        tmp_path / f"a.{suffix}", (0.0, (20_000 * sweep).astype(np.int16)), codec=codec
    )
    cut(video, 2.2, 4.0, tmp_path / f"b.{suffix}", exact=True)
    sound = heard(tmp_path / f"b.{suffix}")[: int(1.8 * RATE)]
    assert len(sound) == int(1.8 * RATE)
    parts = {}
    for lag in range(-400, 401):
        original = sweep[int(2.2 * RATE) + lag :][: len(sound)]
        parts[lag] = original @ sound / np.linalg.norm(original) / np.linalg.norm(sound)
    best = max(parts, key=lambda lag: parts[lag])
    assert abs(best) <= (RATE / 1000 if suffix == "mkv" else 2)  # whose times are whole ms
    assert parts[best] > 0.97


def test_silence_stands_where_a_video_has_no_sound_yet(tmp_path: Path) -> None:
    video = write_tones(tmp_path / "a.mkv", (3.0, tone(2)))
    cut(video, 2.0, 4.0, tmp_path / "b.mp4", exact=True)
    sound = heard(tmp_path / "b.mp4")
    assert np.abs(sound[: int(0.9 * RATE)]).max() < 0.01
    assert np.abs(sound[int(1.1 * RATE) : int(1.9 * RATE)]).max() > 0.8


@pytest.mark.parametrize(
    ("suffix", "codec"), [("ts", "h264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]
)
def test_other_containers_are_cut_too(suffix: str, codec: str, tmp_path: Path) -> None:
    video = write_numbered(
        tmp_path / f"a.{suffix}", range(0, 4_000, 40), codec, tick=Fraction(1, 25), gop=25
    )
    with av.open(str(video)) as container:
        times = [one.time for one in container.decode(video=0) if one.key_frame]
    keyframe = max(time - times[0] for time in times if time - times[0] <= 1.24)
    for exact in (False, True):
        clip = cut(video, 1.24, 2.0, tmp_path / f"b{exact}.mp4", exact=exact)
        found = [number for _, number in numbers(tmp_path / f"b{exact}.mp4")]
        assert clip.start == pytest.approx(1.24 if exact else keyframe)
        assert found == list(range(found[0], found[0] + len(found)))
        assert found[0] == (31 if exact else round(25 * keyframe))
        assert found[-1] == 49 or not exact


def test_what_does_not_fit_into_a_container_is_said_with_what_would(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.webm", range(0, 400, 40), "libvpx")
    with pytest.raises(MediaError) as error:
        cut(video, 0.1, 0.3, tmp_path / "b.mp4")
    assert error.value.reason == (
        "vp8 does not fit into a file of mp4; name the clip .mkv, or have it encoded anew (--exact)"
    )
    assert cut(video, 0.1, 0.3, tmp_path / "b.mkv").start == 0.0
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.webm", "b.mkv"]


def test_a_clip_after_the_end_is_no_clip(video: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MediaError, match=r"a\.mp4: no picture is shown from 50 to 51 s \(the video "
    ):
        cut(video, 50, 51, tmp_path / "b.mp4", exact=True)
    with pytest.raises(
        MediaError, match=r"a\.mp4: no picture is shown from 50 to 51 s \(the video "
    ):
        cut(video, 50, 51, tmp_path / "b.mp4")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_are_said_before_anything_is_read(tmp_path: Path) -> None:
    video, out = tmp_path / "none.mp4", tmp_path / "b.mp4"
    out.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"b\.mp4 is there already; give another name, or --for"):
        cut(video, 0, 1, out)
    with pytest.raises(ConfigError, match=r"b\.mp4 is the video itself; give the clip another nam"):
        cut(out, 0, 1, out, force=True)
    with pytest.raises(ConfigError, match=r"b\.gif does not say .* in \.mp4, \.mov, \.mkv$"):
        cut(video, 0, 1, tmp_path / "b.gif")
    with pytest.raises(
        ConfigError, match=r"there is no folder .*none; make it, or give another pl"
    ):
        cut(video, 0, 1, tmp_path / "none" / "b.mp4")
    with pytest.raises(
        ConfigError, match="a clip from 2 to 1 s has no length; let it end after it"
    ):
        cut(video, 2, 1, tmp_path / "c.mp4")
    with pytest.raises(
        ConfigError, match="a clip of 7200 s is longer than the limit of 3600 s; cut"
    ):
        cut(video, 0, 7200, tmp_path / "c.mp4")
    with pytest.raises(MediaError, match=r"none\.mp4: cannot be opened"):
        cut(video, 0, 1, out, force=True)
    assert out.read_bytes() == b"mine"


def test_a_clip_that_grows_beyond_the_limit_leaves_nothing(video: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="the clip has more than 100 bytes, which is the limit"):
        cut(video, 0, 5, tmp_path / "b.mp4", limits=Limits(cut=100))
    assert not list(tmp_path.iterdir())


def test_a_late_part_of_a_video_is_jumped_to_and_nothing_after_it_is_read(video: Path) -> None:
    """Frames of a late span are those that a look at the whole video finds there."""
    pixels = Pixels(size=96, fit="squash")
    for text in (
        "uniform 3 from 20.5 to 24.1",
        "uniform 99 from 30.02 to 31",
        "uniform 1 from 39 to 40",
    ):
        with Decoder(pixels, Sampling.parse(text)) as decoder, decoder.open(video) as reading:
            found = [(round(frame.time, 3), number_of(frame.pixels)) for frame in reading]
        begin, end = Sampling.parse(text).span
        count = int(Sampling.parse(text).value)
        step = (end - begin) / count
        marks = [begin + (number + 0.5) * step for number in range(count)]
        expected = [int(mark * 25 + 1e-6) for mark in marks]
        if count == 99:
            expected = list(range(750, 775))
        assert [number for _, number in found] == expected
        assert [time for time, _ in found] == [round(number / 25, 3) for number in expected]
        assert reading.note == ""
