"""Cuts by encoding anew: a clip begins and ends where it is wanted; worker only.

Pictures are those that a player shows, from the one on the screen at the start on, as H.264; the
sound, of one channel or two, is AAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from reeltune.media._clips import Part, take_only
from reeltune.media._frames import Chosen
from reeltune.media._jumps import rewind
from reeltune.media._media import AnyPacket
from reeltune.media._sound import Heard
from reeltune.media.sampling import Sampling

TICK = Fraction(1, 90_000)  # s
EVERY_FRAME = 999_999.0  # of a clip: more than it can have
# Few see a difference from the original, and every picture comes after those it refers to.
QUALITY = {"crf": "18", "preset": "veryfast", "bf": "0"}
RATES = (96_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)  # of AAC
USUAL_RATE = 48_000
EARLIER = 1.0  # s before the start, where decoding of sound begins
BT709 = 1  # matrix, primaries and curve (ITU-T H.273)


def encode(part: Part) -> tuple[str, float]:
    """Send a clip; returns what was wrong, if anything, and where in the video it ends, in s."""
    with part.written() as container:
        rate = part.media.stream.average_rate or 25
        target = container.add_stream("libx264", rate=rate, options=QUALITY)
        sound, note = part.sound()
        heard, trouble = ([], "") if sound is None else encoded_sound(part, sound, container)
        take_only(part.media, part.media.stream)
        rewind(part.media)
        chosen = Chosen(
            part.media,
            Sampling("uniform", EVERY_FRAME, part.start, part.end),
            part.outlet.beat,
        )
        until = write(part, chosen, Mix(container, target, heard))
    trouble = chosen.trouble or trouble
    notes = [note, f"damaged in places ({trouble})" if trouble else ""]
    return "; ".join(filter(None, notes)), until


def write(part: Part, chosen: Chosen, mix: "Mix") -> float:
    """Encode the chosen pictures, each until the next one comes; returns when the last goes."""
    shown = (
        (max(time, part.start) - part.start, part.media.picture(frame)) for time, frame in chosen
    )
    latest = next(shown, None)
    if latest is None:
        raise part.nothing(chosen.trouble)
    prepare(mix.target, latest[1])
    part.begin(part.start)
    for after in shown:
        mix.add(*latest, until=after[0])
        latest = after
    until = max(min(part.end, chosen.until()), part.start + latest[0])
    mix.add(*latest, until=until - part.start)
    mix.end()
    return until


@dataclass
class Mix:
    """Picture and sound of a clip, put into its container as they follow each other."""

    container: OutputContainer
    target: VideoStream
    heard: list[AnyPacket]  # the sound that is not written yet
    _lasting: dict[int, int] = field(default_factory=dict)  # of pictures being encoded, in ticks

    def add(self, time: float, picture: Image.Image, until: float) -> None:
        """A picture that is shown from `time` to `until`, in s of the clip."""
        self._lasting[ticks(time)] = ticks(until) - ticks(time)
        self._write(self.target.encode(frame_of(picture, time, self.target)))

    def end(self) -> None:
        """Write what is still being encoded, and the rest of the sound."""
        self._write(self.target.encode())
        self.container.mux(self.heard)

    def _write(self, packets: Sequence[AnyPacket]) -> None:
        for packet in packets:
            shown = round((packet.pts or 0) * packet.time_base / TICK)
            while self.heard and (self.heard[0].pts or 0) * self.heard[0].time_base <= shown * TICK:
                self.container.mux(self.heard.pop(0))
            packet.duration = round(self._lasting.pop(shown, 0) * TICK / packet.time_base)
            self.container.mux(packet)


def prepare(target: VideoStream, picture: Image.Image) -> None:
    """Give the encoder the size of the pictures, which is even, and the colours of all screens."""
    codec = target.codec_context
    codec.width, codec.height = (max(2, side // 2 * 2) for side in picture.size)
    codec.pix_fmt, codec.time_base = "yuv420p", TICK
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = ColorRange.MPEG
    codec.thread_count = 1


def frame_of(picture: Image.Image, time: float, target: VideoStream) -> av.VideoFrame:
    """A picture as the encoder takes it, shown at `time` s of the clip."""
    frame = av.VideoFrame.from_image(picture).reformat(
        target.width,
        target.height,
        "yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = ticks(time), TICK
    return frame


def ticks(seconds: float) -> int:
    """Seconds in the unit of the clip's times."""
    return round(seconds / TICK)


def encoded_sound(
    part: Part, stream: AudioStream, container: OutputContainer
) -> tuple[list[AnyPacket], str]:
    """Packets of the clip's sound, and what was wrong with it, if anything."""
    own = stream.codec_context
    rate = own.sample_rate if own.sample_rate in RATES else USUAL_RATE
    channels: Literal[1, 2] = 1 if own.layout.nb_channels == 1 else 2
    layout = "mono" if channels == 1 else "stereo"
    target = container.add_stream("aac", rate=rate)
    target.codec_context.layout = layout
    target.codec_context.bit_rate = 96_000 * channels
    take_only(part.media, stream)
    go_before(part)
    heard = Heard(
        part.media.container,
        stream,
        part.origin,
        part.media.limits,
        part.outlet.beat,
        rate=rate,
        channels=channels,
    )
    made, done = list[AnyPacket](), 0
    for samples in without_gaps(heard, part):
        frame = av.AudioFrame("s16", layout, len(samples) // heard.width)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts, frame.time_base = rate, done, Fraction(1, rate)
        done += frame.samples
        made += target.encode(frame)
    return [*made, *target.encode()], heard.trouble


def go_before(part: Part) -> None:
    """Go to a little before the start, or to the beginning of the file."""
    begin = max(0.0, part.start + part.origin - EARLIER)
    try:
        part.media.container.seek(int(begin * av.time_base))
    except av.error.FFmpegError:
        rewind(part.media)


def without_gaps(heard: Heard, part: Part) -> Iterator[bytes]:
    """The samples from the start to the end, with silence where there is no sound."""
    total = round((part.end - part.start) * heard.rate)
    done = 0
    for time, piece in heard:
        at = round((time - part.start) * heard.rate)
        samples, at = piece[heard.width * max(0, done - at) :], max(done, at)
        if at >= total:
            break
        if not samples:
            continue
        if at > done:
            yield bytes(heard.width * (at - done))
        yield samples[: heard.width * (total - at)]
        done = min(total, at + len(samples) // heard.width)
