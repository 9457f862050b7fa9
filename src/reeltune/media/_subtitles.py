"""The subtitles that a container holds as text, packet by packet; worker only.

No decoder is opened: what stands in a packet is text already, in a frame of a few bytes.
"""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from reeltune.media import languages
from reeltune.media._media import codec_name, reason
from reeltune.media.limits import CUE_LIMIT, Limits

# FFmpeg's names of the decoders, which are not opened; those of pictures are left out.
TEXTS = ("mov_text", "srt", "subrip", "ssa", "ass", "webvtt", "text")
BEFORE_TEXT = 8  # fields of an ASS event in Matroska, each ended by a comma
FOR_THE_DEAF = Disposition.hearing_impaired
LONGEST = 600.0  # s that one subtitle may stand
ASIDE = Disposition.forced | Disposition.comment  # only parts of what is said, or other things


def written(container: InputContainer, asked: Sequence[str]) -> Stream | None:
    """The stream of subtitles to read: in a language asked for, the default one, the first.

    Streams that hold only what is said in a foreign language are none, nor are pictures.
    """
    read = [
        stream
        for stream in container.streams.subtitles
        if codec_name(stream) in TEXTS and not stream.disposition & ASIDE
    ]
    return min(read, key=lambda stream: _rank(stream, asked), default=None)


def language_of(stream: Stream) -> str:
    """The language that a stream declares, as BCP 47; "" where it does not."""
    return languages.tag(stream.metadata.get("language", ""))


def _rank(stream: Stream, asked: Sequence[str]) -> tuple[int, bool, bool, int]:
    return (
        languages.rank(language_of(stream), asked),
        bool(stream.disposition & FOR_THE_DEAF),
        not stream.disposition & Disposition.default,
        stream.index,
    )


@dataclass
class Written:
    """Iterates over (start in s, end in s, text); `trouble` says how it went."""

    container: InputContainer
    stream: Stream
    start: float  # s, where the clock of the frames begins
    limits: Limits
    progress: Callable[[], None]  # called at every packet
    trouble: str = ""  # what stopped the reading, in a few words

    def __iter__(self) -> Iterator[tuple[float, float, bytes]]:
        kind, count, length = codec_name(self.stream), 0, 0
        try:
            for packet in self.container.demux(self.stream):
                self.progress()
                if packet.pts is None or packet.time_base is None or not packet.size:
                    continue
                text = plain(kind, bytes(packet))[:CUE_LIMIT]
                count, length = count + 1, length + len(text)
                if count > self.limits.cues or length > self.limits.words:
                    self.trouble = "the limit of subtitles was reached"
                    return
                begin = float(packet.pts * packet.time_base) - self.start
                lasts = min(float((packet.duration or 0) * packet.time_base), LONGEST)
                if text.strip() and begin + lasts >= 0 and begin < self.limits.duration:
                    yield max(begin, 0.0), max(begin + max(lasts, 0.0), 0.0), text
        except IndexError:
            pass  # as in `read_packets`
        except av.error.FFmpegError as error:
            self.trouble = reason(error)


def plain(kind: str, packet: bytes) -> bytes:
    """The text of a packet, in UTF-8, without what its container puts around it."""
    if kind == "mov_text":  # a length of 16 bits, then text, then boxes of style (3GPP TS 26.245)
        text = packet[2 : 2 + int.from_bytes(packet[:2])]
        if text[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE):
            return text.decode("utf-16", "replace").encode()
        return text
    if kind in ("ssa", "ass"):
        fields = packet.split(b",", BEFORE_TEXT)
        return fields[BEFORE_TEXT] if len(fields) > BEFORE_TEXT else b""
    return packet
