"""Whether to jump in a file, or to read it through; worker only."""

from collections.abc import Sequence

import av

from reeltune.media._media import Media, read_packets
from reeltune.media._sniff import BARE

JUMPERS = ("mov", "matroska", "avi")  # containers whose index leads to keyframes exactly


def rewind(media: Media) -> None:
    """Go back to the beginning of the file."""
    if media.container.format.name in BARE:
        media.container.seek(0, unsupported_byte_offset=True)  # they have no times to go by
        return
    begins = media.stream.start_time or 0
    try:
        media.container.seek(min(begins, 0), stream=media.stream)
    except av.error.FFmpegError:
        if begins <= 0:
            raise
        media.container.seek(begins, stream=media.stream)  # an FLV has nothing before it


def jumped(media: Media, mark: float) -> bool:
    """Go to the last keyframe at or before a mark (s, as the file counts), and say whether the
    file's index led there."""
    if media.container.format.name.split(",")[0] not in JUMPERS:
        return False
    try:
        keyframe = _keyframe_before(media, mark)
        media.container.seek(int(mark / media.base), stream=media.stream)
    except av.error.FFmpegError:
        return False
    return keyframe is not None


def jumping_pays(media: Media, marks: Sequence[float]) -> bool:
    """Try to jump to the keyframe before each mark (s, as the file counts).

    False where reading through is no more work: the file has no index, or so few keyframes that
    the same frames would be decoded again and again. Leaves the file at its beginning.
    """
    again = 0.0  # s that lie between the keyframes and the marks
    try:
        for mark in marks if media.container.format.name.split(",")[0] in JUMPERS else ():
            keyframe = _keyframe_before(media, mark)
            again += float("inf") if keyframe is None else mark - keyframe
            if keyframe is None:
                break
    except av.error.FFmpegError:
        again = float("inf")
    rewind(media)
    return 0 < again < (marks[-1] - marks[0]) / 2


def _keyframe_before(media: Media, mark: float) -> float | None:
    """Where a jump to a mark leads, both in s as the file counts; None where that is no keyframe at
    or before it."""
    media.container.seek(int(mark / media.base), stream=media.stream)
    packet = next((packet for packet in read_packets(media) if packet.size), None)
    if packet is None or packet.pts is None or not packet.is_keyframe:
        return None
    time = float(packet.pts * media.base)
    return time if time <= mark else None
