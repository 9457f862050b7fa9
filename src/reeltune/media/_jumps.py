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
    media.container.seek(min(media.stream.start_time or 0, 0), stream=media.stream)


def jumping_pays(media: Media, marks: Sequence[float]) -> bool:
    """Try to jump to the keyframe before each mark (s, as the file counts).

    False where reading through is no more work: the file has no index, or so few keyframes that
    the same frames would be decoded again and again. Leaves the file at its beginning.
    """
    again = 0.0  # s that lie between the keyframes and the marks
    try:
        for mark in marks if media.container.format.name.split(",")[0] in JUMPERS else ():
            media.container.seek(int(mark / media.base), stream=media.stream)
            packet = next(p for p in read_packets(media) if p.size)
            if packet.pts is None or not packet.is_keyframe or packet.pts * media.base > mark:
                again = float("inf")
                break
            again += mark - float(packet.pts * media.base)
    except (av.error.FFmpegError, StopIteration):
        again = float("inf")
    rewind(media)
    return 0 < again < (marks[-1] - marks[0]) / 2
