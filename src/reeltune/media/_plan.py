"""Which packets must be decoded for the frames that a selector wants."""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reeltune.media._media import VideoPacket
from reeltune.media.sampling import Selector

Mode = Literal["DEFAULT", "NONREF", "ALL"]  # of `skip_frame`, see `Plan`
REORDER = 32  # packets; more than any codec reorders frames by


@dataclass(frozen=True)
class Waiting:
    """A packet that is not yet decoded."""

    packet: VideoPacket
    time: float  # s, of presentation; nan where the file does not say
    key: bool
    size: int


class Plan:
    """Yields packets in order of decoding, each with the `skip_frame` mode that suffices.

    Packets are held until the selector has seen past them: `selector.ahead` seconds, and enough
    packets to put them in the order of presentation. `until` is asked when all packets have come:
    how far, in s, the last frame is shown. Modes, from most to least work: DEFAULT for
    a wanted frame, NONREF for one that is not wanted itself but may carry one that is, ALL where
    nothing up to the next keyframe is wanted.
    """

    def __init__(
        self,
        choose: Selector,
        time: Callable[[VideoPacket], float],
        held_bytes: int,
        until: Callable[[], float],
    ) -> None:
        self.wanted: deque[float] = deque()  # times chosen and not yet decoded, ascending
        self._choose, self._time, self._held_bytes, self._until = choose, time, held_bytes, until
        self._held: deque[Waiting] = deque()  # in order of decoding
        self._order: list[tuple[float, int, bool]] = []  # heap: not yet shown to the selector
        self._chosen: set[float] = set()
        self._latest = -math.inf
        self._count = self._bytes = 0
        self._ended = False

    def feed(self, packets: Iterator[VideoPacket]) -> Iterator[tuple[VideoPacket, Mode]]:
        """Take packets as they come from the file; all come out again, in the same order."""
        for packet in packets:
            self._hold(packet)
            while self._held and self._is_settled(self._held[0]):
                yield self._release()
        while self._order:
            self._show()
        self._want(self._choose.end(self._until()))
        self._ended = True
        while self._held:
            yield self._release()

    def _hold(self, packet: VideoPacket) -> None:
        waiting = Waiting(packet, self._time(packet), packet.is_keyframe, packet.size)
        self._held.append(waiting)
        self._bytes += waiting.size
        if not math.isnan(waiting.time):
            self._count += 1
            heapq.heappush(self._order, (waiting.time, self._count, waiting.key))
        # Codecs whose packets are so large that few of them fill the memory reorder nothing.
        while len(self._order) > (0 if self._is_full() else REORDER):
            self._show()

    def _show(self) -> None:
        time, _, key = heapq.heappop(self._order)
        if time <= self._latest:
            return  # a second picture of the same instant, or a timestamp that jumped back
        self._latest = time
        self._want(self._choose.push(time, key))

    def _want(self, chosen: Sequence[float]) -> None:
        self.wanted.extend(chosen)
        self._chosen.update(chosen)

    def _is_full(self) -> bool:
        return self._bytes > self._held_bytes and len(self._held) > 1

    def _is_settled(self, head: Waiting) -> bool:
        if math.isnan(head.time) or self._is_full():
            return True
        is_seen_past = self._latest >= head.time + self._choose.ahead
        return is_seen_past and head.time < self._choose.undecided

    def _release(self) -> tuple[VideoPacket, Mode]:
        head = self._held.popleft()
        self._bytes -= head.size
        if head.time in self._chosen:
            self._chosen.discard(head.time)
            return head.packet, "DEFAULT"
        return head.packet, "NONREF" if self._is_needed_before_next_key() else "ALL"

    def is_overdue(self, packet: VideoPacket) -> bool:
        """Whether a frame wanted before this packet's has not arrived, so that this one takes its
        place."""
        return bool(self.wanted) and self.wanted[0] < self._time(packet)

    def is_over(self) -> bool:
        """Whether all frames that are wanted have come, and no later one will be."""
        return self._choose.undecided == math.inf and not self.wanted

    def _is_needed_before_next_key(self) -> bool:
        """Whether a frame up to the next keyframe is, or may yet be, wanted.

        Frames that follow the next keyframe in the file but are shown before it count too: they
        refer back across it.
        """
        if self._choose.only_keys and not self._chosen:
            return False
        next_key = math.inf
        for waiting in self._held:
            if waiting.key and math.isinf(next_key):
                next_key = waiting.time
            elif math.isinf(next_key) or waiting.time < next_key:
                if self._may_be_wanted(waiting.time):
                    return True
            else:
                return False
        return math.isinf(next_key) and self._may_be_wanted(math.inf)

    def _may_be_wanted(self, time: float) -> bool:
        if time in self._chosen or math.isnan(time):
            return True
        is_open = not self._ended and not self._choose.only_keys
        return is_open and self._choose.undecided < math.inf and time >= self._choose.undecided
