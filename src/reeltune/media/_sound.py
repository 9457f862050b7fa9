"""The sound of an opened file, as one channel at one rate; worker only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from reeltune.media._media import codec_name, reason
from reeltune.media.limits import HEARD, PIECE, SOUNDS, Limits

BACK = 1.0  # s; as with frames, times that fall back by more begin a new recording
APART = 0.1  # s between where a frame should begin and where it says it does
FASTEST, WIDEST = 768_000, 64  # samples a second, and channels
ASIDE = Disposition.comment | Disposition.visual_impaired  # what somebody says about the film


def spoken(container: InputContainer) -> AudioStream | None:
    """The stream that a player would play: the default one, or else the first that can be decoded;
    comments on the film last."""
    read = [stream for stream in container.streams.audio if codec_name(stream) in SOUNDS]
    return min(read or container.streams.audio, key=_rank, default=None)


def _rank(stream: AudioStream) -> tuple[bool, bool, int]:
    is_aside = bool(stream.disposition & ASIDE)
    return is_aside, not stream.disposition & Disposition.default, stream.index


@dataclass
class Heard:
    """Iterates over (time in s, bytes of little-endian int16); `trouble` says how it went.

    The samples of several channels alternate.
    """

    container: InputContainer
    stream: AudioStream
    start: float  # s, where the clock of the frames begins
    limits: Limits
    progress: Callable[[], None]  # called at every packet
    rate: int = HEARD  # samples a second
    channels: Literal[1, 2] = 1
    trouble: str = ""  # what stopped or disturbed the reading, in a few words
    _held: bytearray = field(default_factory=bytearray)
    _time: float = 0.0  # s, of the first sample held
    _due: float | None = None  # s, when the next frame should begin
    _shift: float = 0.0  # s, added to the times of a later recording in the same file
    _resampler: AudioResampler | None = None
    _form: tuple[str, str, int] = ("", "", 0)  # of the frames that the resampler takes

    @property
    def width(self) -> int:
        """Bytes of one instant."""
        return 2 * self.channels

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        for frame in self._frames():
            time = self._begin(frame)
            if time > self.limits.duration:
                self.trouble = "its times run beyond the limit of length"
                break
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self._due is None or abs(time - self._due) > APART or form != self._form:
                yield from self._emptied()
                self._time = self._due = time
                self._form = form
                layout = "mono" if self.channels == 1 else "stereo"
                self._resampler = AudioResampler(format="s16", layout=layout, rate=self.rate)
            self._due += frame.samples / frame.sample_rate
            self._hold(frame)
            yield from self._whole(PIECE)
        yield from self._emptied()

    def _frames(self) -> Iterator[AudioFrame]:
        """Frames that can be heard; a damaged packet yields none and leaves a note."""
        codec = self.stream.codec_context
        try:
            for packet in self.container.demux(self.stream):
                self.progress()
                try:
                    frames = codec.decode(packet)
                except av.error.FFmpegError as error:
                    self.trouble = self.trouble or reason(error)
                    continue
                yield from filter(_is_plausible, frames)
        except IndexError:
            pass  # as in `read_packets`
        except av.error.FFmpegError as error:
            self.trouble = self.trouble or reason(error)

    def _begin(self, frame: AudioFrame) -> float:
        """When a frame is heard, in s of the frames' clock."""
        if frame.pts is None or frame.time_base is None:
            return self._due or 0.0
        time = float(frame.pts * frame.time_base) - self.start + self._shift
        if self._due is not None and time < self._due:
            if time < self._due - BACK:
                self._shift += self._due - time
            return self._due
        return time

    def _hold(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for made in self._resampler.resample(frame):
            self._held += bytes(made.planes[0])[: self.width * made.samples]

    def _whole(self, length: int) -> Iterator[tuple[float, bytes]]:
        """Pieces of `length` samples that are full."""
        while len(self._held) >= self.width * length:
            piece = bytes(self._held[: self.width * length])
            del self._held[: self.width * length]
            yield self._time, piece
            self._time += length / self.rate

    def _emptied(self) -> Iterator[tuple[float, bytes]]:
        """All that is left of a stretch of sound without gaps."""
        self._hold(None)
        yield from self._whole(PIECE)
        if self._held:
            yield from self._whole(len(self._held) // self.width)


def _is_plausible(frame: AudioFrame) -> bool:
    return (
        frame.samples > 0
        and 0 < frame.sample_rate <= FASTEST
        and frame.layout.nb_channels <= WIDEST
    )
