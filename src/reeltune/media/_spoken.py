"""Answers for what is said in a file: its sound, and its subtitles; worker only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from av.container import InputContainer
from av.stream import Discard, Stream

from reeltune.media._media import Refused, codec_name
from reeltune.media._sound import Heard, spoken
from reeltune.media._subtitles import Written, language_of, written
from reeltune.media._wire import send
from reeltune.media.limits import SOUNDS, Limits


@dataclass(frozen=True)
class Outlet:
    """Where answers go, and what bounds them."""

    answers: IO[bytes]
    limits: Limits
    beat: Callable[[], None]

    def end(self, trouble: str) -> None:
        """Say that no more comes, and what was wrong."""
        note = f"damaged in places ({trouble})" if trouble else ""
        send(self.answers, {"kind": "end", "note": note, "until": 0.0})


def serve_sound(container: InputContainer, start: float, duration: float, outlet: Outlet) -> None:
    """The sound of a file in pieces, by a clock that begins at `start` s of its own."""
    stream = spoken(container)
    codec = codec_name(stream) if stream else ""
    if stream is not None and codec not in SOUNDS:
        raise Refused(f"its sound is encoded with {codec}, which is not on the list of decoders")
    send(outlet.answers, {"kind": "hearing", "duration": duration, "codec": codec})
    if stream is None:
        outlet.end("")
        return
    _take_only(container, stream)
    stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
    heard, is_empty = Heard(container, stream, start, outlet.limits, outlet.beat), True
    for time, piece in heard:
        send(outlet.answers, {"kind": "samples", "time": time}, piece)
        is_empty = False
    if is_empty and heard.trouble:
        raise Refused(f"no sound could be decoded ({heard.trouble})")
    outlet.end(heard.trouble)


def serve_subtitles(
    container: InputContainer,
    start: float,
    duration: float,
    languages: Sequence[str],
    outlet: Outlet,
) -> None:
    """The subtitles of a file, by a clock that begins at `start` s of its own."""
    stream = written(container, languages)
    codec = codec_name(stream) if stream else ""
    language = language_of(stream) if stream else ""
    facts = {"duration": duration, "codec": codec, "language": language}
    send(outlet.answers, {"kind": "subtitled", **facts})
    if stream is None:
        outlet.end("")
        return
    _take_only(container, stream)
    found = Written(container, stream, start, outlet.limits, outlet.beat)
    for begin, end, text in found:
        send(outlet.answers, {"kind": "cue", "start": begin, "end": end}, text)
    outlet.end(found.trouble)


def _take_only(container: InputContainer, stream: Stream) -> None:
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
