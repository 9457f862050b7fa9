"""Opens a video or a picture that may be hostile; runs in the worker only."""

import math
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.reformatter import ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image, ImageOps, UnidentifiedImageError

from reeltune.media._pixels import in_colour
from reeltune.media._sniff import BARE, HEAD, container_of, refusal
from reeltune.media.limits import CODECS, FORMATS, PICTURES, Limits

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
    AnyPacket = Packet[Stream]
else:
    VideoPacket = AnyPacket = Packet  # generic in PyAV's stubs only
BRIGHT = ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67  # PQ and HLG
STILLS = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
UNTIL = ("matroska", "asf")  # tell until when they last, or else how long they are
LATE = 0.5  # s
WIDEST_PIXEL = 8.0  # width of a pixel by its height, or the reverse; more is taken for an error


class Refused(Exception):
    """The file cannot or must not be read; the message is one line for the user."""


@dataclass(frozen=True)
class Media:
    """An opened video."""

    container: InputContainer
    stream: VideoStream
    base: Fraction  # s, unit of the timestamps
    duration: float  # s; 0 where nobody knows
    size: int  # bytes of the file
    shape: float  # width of a pixel by its height
    limits: Limits
    to_rgb: VideoReformatter = field(default_factory=VideoReformatter)

    def picture(self, frame: av.VideoFrame, longest: int | None = None) -> Image.Image:
        """A frame as a person sees it: in colour, rotated, with square pixels.

        `longest` bounds the longer side, in pixels; a frame that is larger is made smaller while
        its colours are converted, which costs least. Raises Refused if the frame is not of the
        size that the header promised and too large.
        """
        require_size(frame.width * self.shape, frame.height, self.limits)
        is_bright = frame.color_trc in BRIGHT
        kind = "rgb48le" if is_bright else "rgb24"
        width, height = (frame.width, frame.height) if longest is None else self._in(longest, frame)
        rule = None if longest is None else Interpolation.AREA
        rgb = self.to_rgb.reformat(frame, width, height, format=kind, interpolation=rule, threads=1)
        plane, row = rgb.planes[0], rgb.planes[0].line_size
        if is_bright:
            from reeltune.media._toned import toned_picture  # with numpy, which few files need

            seen = toned_picture(memoryview(plane), (width, height), row, int(frame.color_trc))
        else:
            seen = Image.frombytes("RGB", (width, height), memoryview(plane), "raw", "RGB", row, 1)
        if longest is None and abs(self.shape - 1) > 0.01:
            seen = seen.resize((max(1, round(seen.width * self.shape)), seen.height))
        turns = round(frame.rotation / 90) % 4
        return seen.rotate(90 * turns, expand=True) if turns else seen

    def _in(self, longest: int, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height with square pixels, no side longer than `longest`."""
        width, height = frame.width * self.shape, float(frame.height)
        share = min(1.0, longest / max(width, height))
        return max(1, round(share * width)), max(1, round(share * height))


def require_regular(descriptor: int) -> None:
    """Refuse what is not a plain file with something in it.

    The file was opened first and is judged afterwards, so what was judged is what is read.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Refused("not a regular file")
    if status.st_size == 0:
        raise Refused("an empty file")


@contextmanager
def opened(descriptor: int, limits: Limits, codecs: Sequence[str] = CODECS) -> Iterator[Media]:
    """A video whose container, codec and declared sizes are all within the limits."""
    require_regular(descriptor)
    length = 0.0
    with container_at(descriptor, limits, codecs) as container:
        media = _checked(container, os.fstat(descriptor).st_size, limits)
        if media.duration > 0:
            yield media
            return
        length = _measured(media)
    with container_at(descriptor, limits, codecs) as container:
        yield _checked(container, os.fstat(descriptor).st_size, limits, length)


def container_at(descriptor: int, limits: Limits, codecs: Sequence[str] = CODECS) -> InputContainer:
    """The only demuxer that fits reads the open file; no protocol could open another one.

    No other decoders than `codecs` are used to find out what the streams are.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    head = os.read(descriptor, HEAD)
    os.lseek(descriptor, 0, os.SEEK_SET)
    name = container_of(head)
    if name is None:
        raise Refused(refusal(head))
    options = {
        "fd": str(descriptor),
        "protocol_whitelist": "fd",
        "format_whitelist": ",".join(FORMATS),
        "codec_whitelist": ",".join(codecs),
        "max_streams": str(limits.streams + 1),
    }
    try:
        return av.open("fd:", format=name, options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Refused(f"no video that can be read ({reason(error)})") from error


def _checked(
    container: InputContainer, size: int, limits: Limits, length: float | None = None
) -> Media:
    require_few_streams(container, limits)
    stream = _shown(container)
    codec = stream.codec_context
    shape = float(stream.sample_aspect_ratio or codec.sample_aspect_ratio or 1)
    if not 1 / WIDEST_PIXEL <= shape <= WIDEST_PIXEL:
        shape = 1.0
    require_size(codec.width, codec.height, limits)
    require_size(codec.width * shape, codec.height, limits)
    base = stream.time_base
    if base is None or base <= 0:
        raise Refused("its timestamps have no unit")
    duration = _declared(container, stream) if length is None else length
    if duration > limits.duration:
        raise Refused(f"{duration:.0f} s long; the limit is {limits.duration:.0f} s")
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    codec.thread_type, codec.thread_count = "NONE", 1  # one worker a core costs least
    codec.options = {"max_pixels": str(limits.pixels)}
    codec.open(False)  # before anything is skipped: some decoders keep the first `skip_frame`
    return Media(container, stream, base, duration, size, shape, limits)


def require_few_streams(container: InputContainer, limits: Limits) -> None:
    """Refuse a container of more streams than the limit."""
    if len(container.streams) > limits.streams:
        raise Refused(f"more than {limits.streams} streams")


def read_packets(media: Media) -> Iterator[VideoPacket]:
    """Packets of the stream from where the file stands; the last one may be empty.

    PyAV counts the streams once. Where another appears on the way, as in recordings from the
    air, it looks past its table at the end of the file and may raise IndexError there.
    """
    with suppress(IndexError):
        yield from media.container.demux(media.stream)


def _shown(container: InputContainer) -> VideoStream:
    """The stream that a player shows: the default one, or else the largest.

    Covers and pictures of chapters are none, nor is a still picture beside a video, such as a PNG
    that a camera put first; its codec is on no list.
    """
    streams = [stream for stream in container.streams.video if not _is_still(stream)]
    if not streams:
        raise Refused("only sound, no video" if container.streams.audio else "no video in it")
    read = [stream for stream in streams if codec_name(stream) in CODECS]
    if not read:
        raise Refused(
            f"encoded with {codec_name(streams[0])}, which is not on the list of decoders"
        )
    return max(read, key=_rank)


def _rank(stream: VideoStream) -> tuple[bool, bool, int]:
    """Streams of JPEG pictures last, which are covers and previews where there is another."""
    codec = stream.codec_context
    is_default = bool(stream.disposition & av.stream.Disposition.default)
    return codec.name != "mjpeg", is_default, codec.width * codec.height


def _is_still(stream: VideoStream) -> bool:
    return bool(stream.disposition & STILLS)


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of the decoder that a stream needs."""
    return "an unknown codec" if stream.codec_context is None else stream.codec_context.name


def sound_until(media: Media) -> float:
    """How far the sound of a file goes, in s of its own clock; reads the file again."""
    heard = media.container.streams.audio
    if not heard:
        return 0.0
    for stream in heard:
        stream.discard = av.stream.Discard.default
    last = 0.0
    try:
        media.container.seek(0, stream=heard[0])
        for packet in media.container.demux(*heard):
            if packet.pts is not None and packet.time_base is not None:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except (av.error.FFmpegError, IndexError):
        pass  # what was heard so far counts
    for stream in heard:
        stream.discard = av.stream.Discard.all
    return last


def require_size(width: float, height: float, limits: Limits) -> None:
    """Refuse frames that are empty, too large or too thin."""
    if width < 1 or height < 1:
        raise Refused("frames of no size that is possible")
    said = f"frames of {width:.0f} x {height:.0f} pixels"
    if width * height > limits.pixels:
        raise Refused(f"{said}; the limit is {limits.pixels} in all")
    if max(width, height) > limits.aspect * min(width, height):
        raise Refused(f"{said}; the limit is {limits.aspect:g} to 1")


def _declared(container: InputContainer, stream: VideoStream) -> float:
    """Length in seconds by the stream or else the container; 0 if neither is plausible.

    What FFmpeg says of a bare stream is guessed from its rate of bits. Where a Matroska, WebM or
    ASF begins late, as what was cut out with its timestamps, most writers give the time at which
    it ends, and some its length.
    """
    if container.format.name.split(",")[0] in BARE or _begins_late(container):
        return 0.0
    return _told(container, stream)


def _told(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        declared = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        declared = container.duration / av.time_base
    else:
        return 0.0
    return declared if math.isfinite(declared) and declared > 0 else 0.0


def _begins_late(container: InputContainer) -> float:
    """When a file begins of which it is not known from when on its length is told, in s; else 0."""
    begins = (container.start_time or 0) / av.time_base
    is_one = container.format.name.split(",")[0] in UNTIL
    return begins if is_one and begins > LATE else 0.0


def _measured(media: Media) -> float:
    """Length in seconds from the timestamps of all packets, for files that do not declare it, or
    from the number of packets where they have none; no less than is declared at any rate."""
    base = float(media.base)
    step = 1 / float(media.stream.average_rate or 25)
    first, last = math.inf, -math.inf
    count = 0
    try:
        for packet in read_packets(media):
            count += packet.size > 0
            if packet.pts is not None:
                first, last = min(first, packet.pts * base), max(last, packet.pts * base + step)
    except av.error.FFmpegError:
        pass  # the reading proper meets the same end, and says so
    begins = _begins_late(media.container)
    least = _told(media.container, media.stream) - begins if begins else 0.0
    return max(least, last - first if last > first else count * step)


def still(descriptor: int, limits: Limits) -> Image.Image:
    """A picture file in colour, turned as its camera was held."""
    require_regular(descriptor)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        try:
            picture = Image.open(file, formats=PICTURES)
            require_size(*picture.size, limits)
            return in_colour(ImageOps.exif_transpose(picture))
        except (Refused, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise Refused(f"no picture that is read ({', '.join(PICTURES)} are)") from error
        except Exception as error:  # Pillow raises many kinds on hostile files
            raise Refused(f"no picture that can be read ({reason(error)})") from error


def reason(error: BaseException) -> str:
    """An exception in a few words, on one line, without paths or addresses."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    words = [word for word in str(text).split() if "0x" not in word and "/" not in word]
    return " ".join(words)[:200]
