"""The chosen frames of an opened video, decoding as little as the choice allows; worker only.

A selector runs ahead of the decoder over the packets' timestamps. What nobody wants is not
decoded where the codec allows it: whole groups between keyframes, and frames that no other
frame refers to.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import av

from reeltune.data._cuts import Cuts
from reeltune.data._limits import Limits
from reeltune.data._media import Media, reason
from reeltune.data._plan import REORDER, Plan, VideoPacket
from reeltune.data._sample import Sampling, Selector, selector

SEEK_FROM = 10.0  # s between frames from which jumping is cheaper than reading through


@dataclass
class Chosen:
    """Iterate for (time in s, frame); afterwards `trouble` and `seen` say how it went."""

    media: Media
    sampling: Sampling
    limits: Limits
    trouble: str = ""  # what stopped or disturbed the reading, in a few words
    seen: float = 0.0  # s, how far into the video the file could be read
    start: float = 0.0  # s, timestamp of the first frame
    slack: float = 0.0  # s at the end of a sound video that are not read

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        choose = selector(self.sampling, self.media.duration)
        step = self.media.duration / self.sampling.value
        packets = self._packets()
        head = list(islice(packets, REORDER))
        self.start = min((self.time(p.pts) for p in head if p.pts is not None), default=0.0)
        self.seen -= self.start
        if self.sampling.kind == "uniform" and step > SEEK_FROM:
            yield from self._jumping(step)
        elif self.sampling.kind == "shot" or any(p.pts is None for p in head if p.size):
            yield from self._one_by_one(head, packets, choose)
        else:
            yield from self._planned(chain(head, packets), choose)

    def time(self, pts: int | None) -> float:
        base = self.media.stream.time_base
        if pts is None or base is None:
            return math.nan
        return float(pts * base) - self.start

    def _packets(self) -> Iterator[VideoPacket]:
        """Packets of the stream; ends early, with a note, where the file is damaged."""
        try:
            for packet in self.media.container.demux(self.media.stream):
                if packet.size:
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    if stamp is not None:
                        self.seen = max(self.seen, self.time(stamp))
                    yield packet
        except av.error.FFmpegError as error:
            self.trouble = self.trouble or reason(error)

    def _decode(self, packet: VideoPacket | None) -> list[av.VideoFrame]:
        """Frames that come out for a packet; a damaged packet gives none and a note."""
        try:
            return list(self.media.stream.codec_context.decode(packet))
        except av.error.FFmpegError as error:
            self.trouble = self.trouble or reason(error)
            return []

    def _one_by_one(
        self, head: list[VideoPacket], rest: Iterator[VideoPacket], choose: Selector
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decode everything and choose afterwards: for files without timestamps, and for shots."""
        held: dict[float, av.VideoFrame] = {}
        cuts = Cuts() if self.sampling.kind == "shot" else None
        step = 1 / float(self.media.stream.average_rate or 25)
        last = -math.inf
        for packet in chain(head, rest, [None]):
            for frame in self._decode(packet):
                time = self.time(frame.pts if frame.pts is not None else frame.dts)
                if math.isnan(time):
                    time = last + step if last >= 0 else 0.0
                if time <= last:
                    continue
                key = cuts.is_first(frame) if cuts else frame.key_frame
                held[time], last = frame, time
                for chosen in choose.push(time, bool(key)):
                    yield max(chosen, 0.0), held[chosen]
                held = {time: frame}

    def _planned(
        self, packets: Iterator[VideoPacket], choose: Selector
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        plan = Plan(choose, self.time, self.limits.lookahead)
        codec = self.media.stream.codec_context
        for packet, mode in plan.feed(packets):
            codec.skip_frame = mode
            yield from self._wanted(packet, plan.wanted)
        codec.skip_frame = "DEFAULT"
        yield from self._wanted(None, plan.wanted)

    def _wanted(
        self, packet: VideoPacket | None, wanted: deque[float]
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decode a packet; a chosen frame that does not come is replaced by the next that does."""
        for frame in self._decode(packet):
            time = self.time(frame.pts)
            if math.isnan(time):
                continue
            if wanted and time >= wanted[0] - 1e-6:
                while wanted and wanted[0] - 1e-6 <= time:
                    wanted.popleft()
                yield max(time, 0.0), frame

    def _jumping(self, step: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """Seek to the keyframe before each mark and decode up to the mark."""
        stream, codec = self.media.stream, self.media.stream.codec_context
        base = float(stream.time_base or 1)
        last, self.slack = -math.inf, step
        for number in range(int(self.sampling.value)):
            mark = (number + 0.5) * step
            try:
                offset = int((mark + self.start) / base)
                self.media.container.seek(offset, stream=stream)
            except av.error.FFmpegError as error:
                self.trouble = self.trouble or reason(error)
                return
            codec.flush_buffers()
            found = self._first_from(mark)
            if found is not None and found[0] > last:
                last = found[0]
                yield found

    def _first_from(self, mark: float) -> tuple[float, av.VideoFrame] | None:
        codec = self.media.stream.codec_context
        for packet in chain(self._packets(), [None]):
            early = packet is not None and self.time(packet.pts) < mark - 1e-6
            codec.skip_frame = "NONREF" if early else "DEFAULT"
            for frame in self._decode(packet):
                time = self.time(frame.pts)
                if time >= mark - 1e-6:
                    return time, frame
        return None
