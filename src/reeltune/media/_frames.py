"""The chosen frames of an opened video, decoding as little as the choice allows; worker only.

A selector runs ahead of the decoder over the packets' timestamps. What nobody wants is not
decoded: frames that no other frame refers to, and all that lies between the last wanted frame
and the next keyframe. There the decoder is drained and flushed, as after a jump in the file.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import av

from reeltune.media._cuts import Cuts
from reeltune.media._jumps import jumped, jumping_pays, rewind
from reeltune.media._media import Media, VideoPacket, read_packets, reason, sound_until
from reeltune.media._plan import REORDER, Plan
from reeltune.media.sampling import (
    JUMP_FROM,
    ROUNDED,
    Marks,
    Sampling,
    Selector,
    marks,
    selector,
)

CLOSE = 0.5  # s at the end of a video that may be missing without a word
BACK = 1.0  # s; timestamps that fall back by more begin a new recording in the same file
TOGETHER = ("matroska", "asf", "flv", "mpegts", "mpeg")  # tell how long all streams are, not each
Taken = tuple[float, av.VideoFrame]  # s since the stream's beginning


@dataclass
class Chosen:
    """Iterates over (time in s, frame); afterwards `trouble` and `seen` say how it went."""

    media: Media
    sampling: Sampling
    progress: Callable[[], None]  # called at every packet
    trouble: str = ""  # what stopped or disturbed the reading, in a few words
    seen: float = 0.0  # s, how far into the video the file could be read
    step: float = 0.0  # s, the longest in which the file says nothing of what is shown
    start: float = 0.0  # s, timestamp of the first frame
    _heard: float | None = None  # s, how far its sound goes, once that was asked for
    by_dts: bool = False  # AVI has no timestamps of presentation; those of reordered frames err

    def __iter__(self) -> Iterator[Taken]:
        packets = self._packets()
        head = list(islice(packets, REORDER))
        is_unsure = self._find_start([packet for packet in head if not packet.is_discard])
        if self.sampling.start >= JUMP_FROM and not is_unsure:
            self._go_to_span()
            packets = self._packets()
            head = list(islice(packets, REORDER))
        few = self._shows_few(head)
        if few is None:
            self._go_to_span()
            few = self._shows_few(self._packets(), is_whole=True)
            self._go_to_span()
            head, packets = [], self._packets()
        choose = selector(self.sampling, self.media.duration, bool(few))
        if self.sampling.kind == "shot" or is_unsure:
            yield from self._one_by_one(self._continuous(chain(head, packets)), choose)
            return
        wished = [] if few else marks(self.sampling, self.media.duration)
        if wished and jumping_pays(self.media, [self.start + mark for mark in wished]):
            yield from self._jumping(wished)
            return
        packets = self._continuous(self._packets() if wished else chain(head, packets))
        if choose.only_keys and self._may_skip():
            yield from self._keyframes(packets, choose)
        else:
            yield from self._planned(packets, choose)

    def origin(self) -> float:
        """Where the clock of the frames begins, in s of the file's own; reads the first packets."""
        self._find_start([p for p in islice(self._packets(), REORDER) if not p.is_discard])
        return self.start

    def _find_start(self, shown: list[VideoPacket]) -> bool:
        """Set `start` from the first packets; returns whether the file lacks the times at which
        they are shown."""
        is_avi = self.media.container.format.name == "avi"
        self.by_dts = is_avi and self.media.stream.codec_context.has_b_frames
        stamps = [p.pts for p in shown if p.pts is not None and not self.by_dts]
        stamps = stamps or [p.dts for p in shown if p.dts is not None]
        self.start = min(map(self.time, stamps), default=0.0)
        return self.by_dts or any(packet.pts is None for packet in shown)

    def _go_to_span(self) -> None:
        """Go to the last keyframe before the span, or to the beginning where the span is near it or
        no index leads there."""
        begin = self.sampling.start
        if begin < JUMP_FROM or not jumped(self.media, self.start + begin):
            rewind(self.media)

    def _shows_few(self, packets: Iterable[VideoPacket], is_whole: bool = False) -> bool | None:
        """Whether the span of `uniform` shows no more frames than are wanted from it.

        None where these packets, the first or all (`is_whole`) of the file, do not settle it.
        """
        if self.sampling.kind != "uniform":
            return False
        wanted, (begin, end) = int(self.sampling.value), self.sampling.span
        seen = inside = 0
        for packet in packets:
            seen += 1
            if self.time(packet.dts) >= end:
                return True  # so are all that follow
            by_pts = packet.pts is not None and not self.by_dts
            time = self.time(packet.pts if by_pts else packet.dts)
            if math.isnan(time):
                time = (seen - 1) * self._usual()
            inside += not packet.is_discard and begin + ROUNDED < time < end - ROUNDED
            if inside == wanted:
                return False  # with the one that is on the screen when the span begins
        return True if is_whole or seen < REORDER else None

    def time(self, pts: int | None) -> float:
        if pts is None:
            return math.nan
        return pts * self.media.base.numerator / self.media.base.denominator - self.start

    def _packets(self) -> Iterator[VideoPacket]:
        """Packets of the stream; ends early, with a note, where the file is damaged."""
        try:
            for packet in read_packets(self.media):
                self.progress()
                if packet.size:
                    yield packet
        except av.error.FFmpegError as error:
            self.trouble = self.trouble or reason(error)

    def _continuous(self, packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
        """The packets, with timestamps that run on where recordings were joined end to end."""
        back = int(BACK / self.media.base)
        shift, step = 0, 0
        last: int | None = None
        for packet in packets:
            if packet.dts is not None:
                if last is not None and packet.dts + shift < last - back:
                    shift = last + step - packet.dts
                step = packet.duration or (packet.dts + shift - last if last is not None else 0)
                last = packet.dts + shift
                packet.dts = last
            if packet.pts is not None:
                packet.pts += shift
            self._has_come_to(packet.pts if packet.pts is not None else last, packet.duration)
            yield packet

    def _has_come_to(self, pts: int | None, duration: int | None) -> None:
        """Take note of when a packet's frame is shown, and for how long if the file says so."""
        time = self.time(pts)
        if math.isnan(time):  # one frame follows another
            time = self.seen
        if time > self.seen:
            self.step = max(self.step, time - self.seen)
        lasts = float((duration or 0) * self.media.base) or self._usual()
        self.seen = max(self.seen, time + lasts)

    def _usual(self) -> float:
        """How long a frame is shown, in s, if the file does not say."""
        return 1 / float(self.media.stream.average_rate or 25)

    def is_short(self) -> bool:
        """Whether the file ends before the length that it declares.

        Where that is the length of picture and sound together, the last picture may stand while
        the sound goes on.
        """
        end = self.media.duration - CLOSE - self.step
        if self.seen >= end or self.media.container.format.name.split(",")[0] not in TOGETHER:
            return self.seen < end
        if self._heard is None:
            self._heard = sound_until(self.media) - self.start
        return self._heard < end

    def until(self) -> float:
        """When the last frame disappears, in s: at the end of the video, unless a part of it is
        missing."""
        until = self.seen if self.is_short() else max(self.seen, self.media.duration)
        return min(until, self.media.limits.duration)

    def _decode(self, packet: VideoPacket | None) -> list[av.VideoFrame]:
        """Frames that a packet yields; a damaged packet yields none and leaves a note."""
        try:
            return list(self.media.stream.codec_context.decode(packet))
        except av.error.FFmpegError as error:
            self.trouble = self.trouble or reason(error)
            return []

    def _one_by_one(self, packets: Iterator[VideoPacket], choose: Selector) -> Iterator[Taken]:
        """Decode everything and choose afterwards: for files without timestamps, and for shots."""
        held: dict[float, av.VideoFrame] = {}
        cuts = Cuts() if self.sampling.kind == "shot" else None
        step, last = self._usual(), -math.inf
        for packet in chain(packets, [None]):
            for frame in self._decode(packet):
                is_stamped = frame.pts is not None and not self.by_dts
                time = self.time(frame.pts if is_stamped else frame.dts)
                if math.isnan(time):
                    time = last + step if last >= 0 else 0.0
                if time <= last:
                    continue
                key = cuts.is_first(frame) if cuts else frame.key_frame
                held[time], last = frame, time
                for chosen in choose.push(time, bool(key)):
                    yield max(chosen, 0.0), held[chosen]
                held = {time: frame}
        for chosen in choose.end(max(self.until(), last + step)):
            yield max(chosen, 0.0), held[chosen]

    def _may_skip(self) -> bool:
        """Whether decoding can begin anew at each keyframe; in a GIF any frame has that name."""
        return self.media.stream.codec_context.name != "gif"

    def _keyframes(self, packets: Iterator[VideoPacket], choose: Selector) -> Iterator[Taken]:
        """Decode the chosen keyframes, each alone."""
        codec = self.media.stream.codec_context
        for number, packet in enumerate(packets):
            if number > 0 and not packet.is_keyframe:
                continue
            time = self._shown(packet)
            if not math.isnan(time) and choose.push(time, True):
                for frame in chain(self._decode(packet), self._decode(None)):
                    yield max(self.time(frame.pts), 0.0), frame
                    break
                codec.flush_buffers()

    def _planned(self, packets: Iterator[VideoPacket], choose: Selector) -> Iterator[Taken]:
        """Decode only what the wanted frames need."""
        plan = Plan(choose, self._shown, self.media.limits.lookahead, self.until)
        codec = self.media.stream.codec_context
        is_skipping = False
        for packet, mode in plan.feed(packets):
            if mode == "ALL" and self._may_skip():
                if not is_skipping:
                    yield from self._wanted(None, plan.wanted)
                is_skipping = True
                if not (packet.is_keyframe and plan.is_overdue(packet)):
                    continue
            if is_skipping:
                codec.flush_buffers()
                is_skipping = False
            codec.skip_frame = "DEFAULT" if mode == "DEFAULT" else "NONREF"
            yield from self._wanted(packet, plan.wanted)
            if plan.is_over() and math.isfinite(self.sampling.span[1]):
                self.seen = self.media.duration  # the rest was not asked for
                return
        if not is_skipping:
            codec.skip_frame = "DEFAULT"
            yield from self._wanted(None, plan.wanted)

    def _shown(self, packet: VideoPacket) -> float:
        """When a packet's frame is shown; nan for what is decoded but never shown."""
        return math.nan if packet.is_discard else self.time(packet.pts)

    def _wanted(self, packet: VideoPacket | None, wanted: deque[float]) -> Iterator[Taken]:
        """Decode a packet; a chosen frame that does not come is replaced by the next that does."""
        for frame in self._decode(packet):
            time = self.time(frame.pts)
            if wanted and time >= wanted[0] - 1e-6:
                while wanted and wanted[0] - 1e-6 <= time:
                    wanted.popleft()
                yield max(time, 0.0), frame

    def _jumping(self, wished: list[float]) -> Iterator[Taken]:
        """Seek to the keyframe before each mark and decode up to the mark."""
        stream, last, found = self.media.stream, -math.inf, None
        for mark in wished:
            try:
                target = int((mark + self.start) / self.media.base)
                self.media.container.seek(target, stream=stream)
            except av.error.FFmpegError as error:
                self.trouble = self.trouble or reason(error)
                return
            stream.codec_context.flush_buffers()
            found = next(self._planned(self._told(), Marks(mark, 1.0, 1)), None)
            if found is not None and found[0] > last:
                last = found[0]
                yield found
        if found is not None:
            self.seen = self.media.duration  # the rest was not asked for

    def _told(self) -> Iterator[VideoPacket]:
        """Packets from where the file stands, each told of as in `_continuous`."""
        for packet in self._packets():
            self._has_come_to(packet.pts, packet.duration)
            yield packet
