"""Files that are broken, mislabelled or meant to do harm: one line each; the next file works."""

import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from media.numbered_video import Numbered, number_of, write_numbered
from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder, Frame, Limits, sandbox
from reeltune.media.sampling import Sampling
from reeltune.types import Pixels

SMALL = Pixels(size=96, fit="squash")
SUFFIXES = ("mp4", "mkv", "avi", "ts", "gif", "webm", "flv", "wmv")
CODEC = {"gif": ("gif", "rgb8"), "webm": ("libvpx-vp9", "yuv420p"), "avi": ("mpeg4", "yuv420p")}


class Clips(dict[str, bytes]):
    """Bytes of a clip by container; without a repr of megabytes in hypothesis' reports."""

    __repr__ = object.__repr__


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Six seconds in each container, as bytes to damage; mp4 with its index in front."""
    folder = tmp_path_factory.mktemp("clips")
    found = Clips()
    for suffix in SUFFIXES:
        codec, pix_fmt = CODEC.get(suffix, ("h264" if suffix != "wmv" else "wmv2", "yuv420p"))
        muxer = {"movflags": "faststart"} if suffix == "mp4" else {}
        path = folder / f"a.{suffix}"
        write_numbered(path, range(0, 6000, 40), codec, pix_fmt, gop=25, muxer=muxer)
        found[suffix] = path.read_bytes()
    return found


def refusal(decoder: Decoder, path: Path) -> str:
    """The one line that says why nothing of a file can be read, without its path."""
    with pytest.raises(MediaError) as caught, decoder.open(path) as reading:
        list(reading)
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 310
    return caught.value.reason


def read(decoder: Decoder, path: Path) -> tuple[list[Frame], str]:
    with decoder.open(path) as reading:
        frames = list(reading)
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))
    return frames, reading.note


def outcome(decoder: Decoder, path: Path) -> str:
    """The note of a file that can be read, or the reason why it cannot."""
    try:
        return read(decoder, path)[1]
    except MediaError as error:
        return error.reason


def peak_memory(pid: int) -> int:
    """Most bytes that a process ever had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) << 10


SECRET = "the text of a private file"
TEXTS = {
    "ffconcat": "ffconcat version 1.0\nfile {secret}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{secret}"/></svg>',
    "subtitles": "1\n00:00:00,000 --> 00:00:02,000\nhello\n",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_that_names_other_files_is_refused(
    kind: str, decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    secret = numbered(tmp_path / "secret.mp4", range(0, 1000, 40))
    path = tmp_path / "holiday.mp4"
    path.write_text(TEXTS[kind].format(secret=secret))
    assert refusal(decoder, path) == "text, not a video"


HEADS = {
    b"": "an empty file",
    bytes(10_000): "nothing but zeros",
    b"\x89PNG\r\n\x1a\n" + bytes(100): "a PNG picture, not a video",
    b"\xff\xd8\xff\xe0" + bytes(100): "a JPEG picture, not a video",
    b"\0\0\0\x1cftypavif" + bytes(100): "a HEIF, AVIF or CR3 picture, not a video",
    b"RIFF\0\0\0\0WAVEfmt " + bytes(100): r"a picture or a recording \(RIFF\), not a video",
    b"ID3\x04" + bytes(100): "an MP3 recording, not a video",
    b"\x1f\x8b\x08" + bytes(100): "a gzip archive, not a video",
    b"PK\x03\x04" + bytes(100): "a ZIP archive, not a video",
    b"\x7fELF" + bytes(100): "a program, not a video",
    "né".encode() * 3000: "text, not a video",
    b"\x01\x02\xfe\xff" * 50: r"no video format that is read \(mp4, mov, mkv, .* are\)",
    b"\0\0\0\x18ftypmp42" + bytes(10): r"no video",
    b"\x1a\x45\xdf\xa3": r"no video that can be read \(.+\)",
    b"GIF89a": r"no video",
}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: repr(head[:12]))
def test_what_is_no_video_is_named(head: bytes, decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(head)
    assert re.match(HEADS[head], refusal(decoder, path))


def test_sound_alone_is_said(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert refusal(decoder, path) == "only sound, no video"


def test_a_codec_that_is_not_on_the_list_is_named(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "a.avi", range(0, 400, 40), "magicyuv", "yuv444p")
    assert refusal(decoder, path) == "encoded with magicyuv, which is not on the list of decoders"


def test_what_is_no_plain_file_is_not_waited_for(decoder: Decoder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "link.mp4").symlink_to("/dev/zero")
    (tmp_path / "dangling.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    start = time.monotonic()
    assert refusal(decoder, tmp_path / "pipe.mp4") == "not a regular file"
    assert refusal(decoder, tmp_path / "link.mp4") == "not a regular file"
    assert refusal(decoder, tmp_path) == "not a regular file"
    assert "No such file" in refusal(decoder, tmp_path / "dangling.mp4")
    assert "cannot be opened" in refusal(decoder, tmp_path / "loop.mp4")
    assert "No such file" in refusal(decoder, tmp_path / "missing.mp4")
    assert time.monotonic() - start < 5


def test_a_link_to_a_video_is_the_video(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    (tmp_path / "link.mp4").symlink_to(numbered(tmp_path / "a.mp4", range(0, 1000, 40)))
    assert read(decoder, tmp_path / "link.mp4")[0]


def test_a_file_that_may_not_be_read(decoder: Decoder, clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clips["mp4"])
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("permissions do not bind this user")
    assert refusal(decoder, path) == "cannot be opened (Permission denied)"


def with_box(data: bytes, width: int, height: int) -> bytes:
    """An AVI whose header claims other measures."""
    at = data.index(b"strf") + 8
    return data[: at + 4] + struct.pack("<ii", width, height) + data[at + 12 :]


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (30_000, 20_000), (8_000, 100)])
@pytest.mark.parametrize("suffix", ["gif", "avi"])
def test_absurd_measures_are_refused_before_memory_is_taken(
    suffix: str, width: int, height: int, numbered: Numbered, tmp_path: Path
) -> None:
    codec, pix_fmt = ("gif", "rgb8") if suffix == "gif" else ("msmpeg4", "yuv420p")
    path = numbered(tmp_path / f"a.{suffix}", range(0, 400, 40), codec, pix_fmt)
    data = path.read_bytes()
    if suffix == "gif":
        path.write_bytes(data[:6] + struct.pack("<HH", width, height) + data[10:])
    else:
        path.write_bytes(with_box(data, width, height))
    with Decoder(SMALL) as decoder:
        said = refusal(decoder, path)
        assert re.search(r"pixels; the limit is|no size that is possible", said)
        assert peak_memory(decoder.worker().pid) < 300 << 20


def test_a_huge_picture_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"\0\0\0\x0aIDAT" + bytes(100)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    with pytest.raises(MediaError, match=r"3600000000 pixels.* exceeds limit"):
        decoder.image(tmp_path / "a.png")


def test_too_long_and_too_many(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clips["mp4"])
    with Decoder(SMALL, limits=Limits(duration=5.0)) as decoder:
        assert refusal(decoder, path) == "6 s long; the limit is 5 s"
    with Decoder(SMALL, Sampling("fps", 25.0), Limits(frames=10)) as decoder:
        frames, note = read(decoder, path)
    assert len(frames) == 10
    assert "the limit of 10 frames was reached" in note


def test_a_film_of_many_streams_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        for _ in range(100):
            container.add_stream("ffv1", rate=25)
        for stream in container.streams.video:
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for stream in container.streams.video:
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
    assert refusal(decoder, path) == "more than 64 streams"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_left_of_a_cut_file_is_used_and_said(
    suffix: str, decoder: Decoder, clips: Clips, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(clips[suffix][: len(clips[suffix]) // 2])
    decoder.sampling = Sampling("fps", 2.0)
    frames, note = read(decoder, path)
    assert len(frames) >= 2
    assert all(abs(number_of(frame.pixels) - 25 * frame.time) <= 1 for frame in frames[:2])
    if suffix in ("mp4", "mkv", "webm"):  # the others do not say how long they were
        assert re.match(r"only the first [1-5]\.\d s of 6\.0 s could be decoded \(.+\)", note)


def test_an_mp4_whose_index_was_at_its_cut_end_gives_nothing(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-3000])
    assert "no video" in refusal(decoder, path)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bits_cost_frames_at_most(
    suffix: str, seed: int, decoder: Decoder, clips: Clips, tmp_path: Path
) -> None:
    data = np.frombuffer(clips[suffix], np.uint8).copy()
    rng = np.random.default_rng(seed)
    places = rng.integers(2000, len(data), 20)  # behind most of the headers
    data[places] ^= 1 << rng.integers(0, 8, 20).astype(np.uint8)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data.tobytes())
    with suppress(MediaError):  # whose form `refusal` tests
        assert read(decoder, path)[0]


@settings(
    max_examples=int(os.environ.get("REELTUNE_FUZZ", "60")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    suffix=st.sampled_from(SUFFIXES),
    kept=st.one_of(st.just(1.0), st.floats(0.01, 1.0)),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    is_front=st.booleans(),
    rule=st.sampled_from(["gap 2", "keyframe", "fps 3", "uniform 5", "shot 2"]),
)
@example(  # a new stream appears on the way
    suffix="ts", kept=1.0, flips=[(0.7482403694050351, 66)], is_front=False, rule="gap 2"
)
def test_damage_of_any_kind_gives_frames_or_one_line(
    suffix: str,
    kept: float,
    flips: list[tuple[float, int]],
    is_front: bool,
    rule: str,
    decoder: Decoder,
    clips: Clips,
    tmp_path: Path,
) -> None:
    data = bytearray(clips[suffix][: max(1, int(kept * len(clips[suffix])))])
    for place, value in flips:
        reach = min(len(data), 600) if is_front else len(data)
        data[int(place * (reach - 1))] = value
    path = tmp_path / "fuzzed"
    path.write_bytes(data)
    decoder.sampling = Sampling.parse(rule)
    said = outcome(decoder, path)
    assert not re.search("Error:|crashed|progress", said), "a fault of ours"


@pytest.fixture
def long_clip(numbered: Numbered, tmp_path: Path) -> Path:
    return numbered(tmp_path / "long.mp4", range(0, 40_000, 40), gop=50)


@pytest.fixture
def impatient() -> Iterator[Decoder]:
    with Decoder(SMALL, Sampling("fps", 25.0), Limits(silence=4.0)) as decoder:
        yield decoder


def test_a_worker_that_hangs_is_killed_and_the_next_file_works(
    impatient: Decoder, long_clip: Path, numbered: Numbered, tmp_path: Path
) -> None:
    short = numbered(tmp_path / "short.mp4", range(0, 400, 40))
    assert len(read(impatient, short)[0]) == 10
    with impatient.open(long_clip) as reading:
        next(reading)
        os.kill(impatient.worker().pid, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(MediaError, match=r"long\.mp4: decoding failed: no progress for 4 s"):
            list(reading)
        assert time.monotonic() - start < 10
    assert len(read(impatient, short)[0]) == 10


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_worker_that_dies_is_named_and_then_replaced(name: str, long_clip: Path) -> None:
    with Decoder(SMALL, Sampling("fps", 25.0)) as decoder:
        with decoder.open(long_clip) as reading:
            next(reading)
            worker = decoder.worker()
            while worker.is_running():
                os.kill(worker.pid, getattr(signal, name))
                time.sleep(0.02)
            with pytest.raises(MediaError, match=rf"failed: the decoder crashed \({name}\)"):
                list(reading)
        assert len(read(decoder, long_clip)[0]) == 1000


def test_processor_time_is_bounded(long_clip: Path) -> None:
    large = Pixels(size=1500, fit="squash")  # so that every frame is work
    with Decoder(large, Sampling("fps", 25.0), Limits(cpu=0.5)) as decoder:
        assert refusal(decoder, long_clip).endswith("more processor time than is allowed")


def test_time_in_all_is_bounded(long_clip: Path) -> None:
    with Decoder(SMALL, Sampling("fps", 25.0), Limits(wall=0.01)) as decoder:
        decoder.worker()
        assert re.search("no progress|longer than is allowed", refusal(decoder, long_clip))


def test_memory_is_bounded(long_clip: Path, numbered: Numbered, tmp_path: Path) -> None:
    big = numbered(tmp_path / "a.mp4", range(0, 120, 40), size=(4000, 4000), preset="ultrafast")
    with Decoder(SMALL, limits=Limits(memory=220 << 20)) as decoder:
        assert re.search("memory|Invalid data", outcome(decoder, big))
        assert read(decoder, long_clip)[0]


def test_the_worker_imports_little() -> None:
    """What it does not need takes memory and time of every worker, and is more to attack."""
    program = "import sys, reeltune.media._worker; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    loaded = ran.stdout.split()
    assert "av" in loaded, ran.stderr
    assert not {"jaxtyping", "pydantic", "torch", "transformers", "lance", "yaml"} & {*loaded}


@pytest.mark.skipif(not Path("/proc").exists(), reason="the measures are those of Linux")
def test_decoding_starts_no_threads(long_clip: Path) -> None:
    """Each takes address space for its stack and its heap."""
    with Decoder(SMALL, Sampling("shot")) as decoder:
        assert read(decoder, long_clip)[0]
        assert "Threads:\t1\n" in Path(f"/proc/{decoder.worker().pid}/status").read_text()


@pytest.mark.skipif(not Path("/proc").exists(), reason="the measures are those of Linux")
def test_the_worker_gives_up_its_rights() -> None:
    given_up = sandbox()
    assert given_up["memory limit"]
    assert given_up["no file writing"]
    assert given_up["no new privileges"]
    with Decoder(SMALL) as decoder:
        pid = decoder.worker().pid
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max file size\s+0\s+0", limits)
        assert re.search(r"Max core file size\s+0\s+0", limits)
        # A decoder may start threads, which count as processes for everybody but root.
        assert not re.search(r"Max processes\s+0", limits)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"HOME=" not in environment, "tokens in the environment are not handed down"
