"""Small videos with a tone or with subtitles, made for tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet

RATE = 22_050
HEADER = (  # without which FFmpeg opens no encoder of subtitles
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, "
    b"PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
    b"StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, "
    b"MarginR, MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,"
    b"100,0,0,1,1,0,2,10,10,10,0\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    b"MarginR, MarginV, Effect, Text\n"
)


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    """A tone as int16 samples, RATE a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    return (20_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def add_pictures(container: OutputContainer, start: float, seconds: int) -> None:
    """Grey pictures, one a second, the first at `start` s."""
    stream = container.add_stream("mpeg4", rate=1)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 100)
    for number in range(seconds):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), format="rgb24")
        frame.pts, frame.time_base = round(100 * (start + number)), Fraction(1, 100)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_tones(
    path: Path,
    *tones: tuple[float, np.ndarray],
    start: float = 0.0,
    seconds: int = 6,
    codec: str = "pcm_s16le",
) -> Path:
    """A video whose pictures begin at `start` s, and tones that begin where they say."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream(codec, rate=RATE, layout="mono") if tones else None
        add_pictures(container, start, seconds)
        for begin, samples in tones:
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = round(begin * RATE)
            assert sound is not None
            container.mux(sound.encode(frame))
        if sound is not None:
            container.mux(sound.encode())
    return path


def write_two_tones(
    path: Path, *tones: tuple[av.stream.Disposition, np.ndarray], codec: str = "pcm_s16le"
) -> Path:
    """A video with a stream of sound for each tone, with what its file says of the stream."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=RATE, layout="mono") for _ in tones]
        for stream, (disposition, _) in zip(streams, tones, strict=True):
            stream.disposition = disposition
        add_pictures(container, 0.0, 2)
        for stream, (_, samples) in zip(streams, tones, strict=True):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def write_subtitles(
    path: Path,
    codec: str,
    cues: Sequence[tuple[float, float, bytes]],
    language: str = "eng",
    start: float = 0.0,
    disposition: av.stream.Disposition | None = None,
) -> Path:
    """A video with a stream of subtitles, whose packets are written as they are given."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec)  # before the first packet of any stream
        stream.codec_context.subtitle_header = HEADER
        stream.time_base = Fraction(1, 1000)
        stream.metadata["language"] = language
        if disposition is not None:
            stream.disposition = disposition
        add_pictures(container, start, 6)
        for begin, end, text in cues:
            packet = Packet(text)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = round(1000 * begin)
            packet.duration = round(1000 * (end - begin))
            container.mux(packet)
    return path
