"""Cuts by copying packets as they are: nothing is lost, and a clip begins at a keyframe; worker
only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import av
from av.container import OutputContainer
from av.stream import Stream

from reeltune.media._clips import Part, take_only
from reeltune.media._jumps import jumped, rewind
from reeltune.media._media import AnyPacket, Refused, codec_name, reason

APART = 10.0  # s by which picture and sound of an instant lie apart in a file, at most


def copy(part: Part) -> tuple[str, float]:
    """Send a clip; returns what was wrong, if anything, and where in the video it ends, in s."""
    sound, note = part.sound()
    take_only(part.media, part.media.stream, sound)
    copying = Copying(part, [stream for stream in (part.media.stream, sound) if stream])
    packets = copying.from_keyframe()
    part.begin(copying.start)
    with part.written() as container:
        copying.write(packets, container)
    notes = [note, f"damaged in places ({copying.trouble})" if copying.trouble else ""]
    return "; ".join(filter(None, notes)), copying.until


@dataclass
class Copying:
    """The packets of a clip, of its picture and its sound."""

    part: Part
    streams: list[Stream]
    start: float = 0.0  # s, of the keyframe that it begins with
    until: float = 0.0  # s, when its last picture goes
    trouble: str = ""  # what stopped the reading, in a few words
    _reached: float = field(default=-math.inf)  # s, the latest picture

    def from_keyframe(self) -> Iterator[AnyPacket]:
        """Packets from the last keyframe at or before the start; sets `start`."""
        media, held, size = self.part.media, list[AnyPacket](), 0
        if not jumped(media, self.part.origin + self.part.start):
            rewind(media)
        packets = self._packets()
        for packet in packets:
            if self._is_picture(packet):
                if packet.dts is not None and self._decoded(packet) > self.part.start and held:
                    return chain(held, [packet], packets)
                if packet.is_keyframe and (self._shown(packet) <= self.part.start or not held):
                    self.start, size = self._shown(packet), 0
                    held = [one for one in held if self._is_heard_from(one, self.start)]
            held.append(packet)
            size += packet.size
            if size > media.limits.lookahead:
                raise Refused(
                    f"its keyframes lie too far apart to copy from one: over {size >> 20} MiB"
                )
        if self.part.start >= max(map(self._end, filter(self._is_picture, held)), default=0.0):
            raise self.part.nothing(self.trouble)
        return iter(held)

    def write(self, packets: Iterator[AnyPacket], container: OutputContainer) -> None:
        """Copy packets from the keyframe to the end."""
        targets = {one.index: self._stream_like(one, container) for one in self.streams}
        for packet in packets:
            if self._is_past(packet):
                break
            if self._is_wanted(packet):
                self._rebased(packet)
                packet.stream = targets[packet.stream_index]
                container.mux(packet)

    def _packets(self) -> Iterator[AnyPacket]:
        try:
            for packet in self.part.media.container.demux(*self.streams):
                self.part.outlet.beat()
                if packet.size:
                    yield packet
        except IndexError:
            pass  # as in `read_packets`
        except av.error.FFmpegError as error:
            self.trouble = reason(error)

    def _stream_like(self, stream: Stream, container: OutputContainer) -> Stream:
        try:
            return container.add_stream_from_template(stream, opaque=True)
        except ValueError as error:
            kind = container.format.name
            other = "" if kind == "matroska" else "name the clip .mkv, or "
            raise Refused(
                f"{codec_name(stream)} does not fit into a file of {kind}; {other}have it encoded "
                "anew (--exact)"
            ) from error

    def _is_picture(self, packet: AnyPacket) -> bool:
        return packet.stream_index == self.part.media.stream.index

    def _seconds(self, packet: AnyPacket, stamp: int | None) -> float:
        if stamp is None:
            raise Refused(
                "its pictures or its sound have no times to copy; have the clip encoded anew "
                "(--exact)"
            )
        return float(stamp * packet.time_base) - self.part.origin

    def _shown(self, packet: AnyPacket) -> float:
        return self._seconds(packet, packet.pts)

    def _decoded(self, packet: AnyPacket) -> float:
        return self._seconds(packet, packet.pts if packet.dts is None else packet.dts)

    def _end(self, packet: AnyPacket) -> float:
        """When a picture goes that may be the last."""
        lasts = float((packet.duration or 0) * packet.time_base)
        return max(self._shown(packet) + lasts, self.part.media.duration)

    def _is_heard_from(self, packet: AnyPacket, start: float) -> bool:
        return not self._is_picture(packet) and self._shown(packet) >= start

    def _is_wanted(self, packet: AnyPacket) -> bool:
        """Whether a packet is a part of the clip; pictures before the keyframe cannot be decoded
        without what precedes it."""
        time = self._shown(packet)
        if not self._is_picture(packet):
            return self.start <= time < max(self.part.end, self.until)
        if time < self.start or self._is_after(packet):
            return False
        self._reached = max(self._reached, time)
        lasts = float((packet.duration or 0) * packet.time_base)
        self.until = max(self.until, time + lasts)
        return True

    def _is_after(self, packet: AnyPacket) -> bool:
        """Whether a picture, and so all that follow it, is not needed for one before the end."""
        is_late = self._decoded(packet) >= self.part.end
        return is_late and self._shown(packet) > self._reached

    def _is_past(self, packet: AnyPacket) -> bool:
        """Whether nothing of the clip comes any more."""
        if not self._is_picture(packet):
            return False
        if len(self.streams) == 1:
            return self._is_after(packet)
        return self._decoded(packet) > max(self.part.end, self.until) + APART

    def _rebased(self, packet: AnyPacket) -> None:
        """Count a packet's times from the keyframe on."""
        begin = round((self.start + self.part.origin) / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - begin
        packet.dts = None if packet.dts is None else packet.dts - begin
