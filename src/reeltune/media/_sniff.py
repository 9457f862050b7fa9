"""Tells what a file is from its first bytes; its name says nothing.

FFmpeg asks some 350 demuxers what a file might be, and any text can be a playlist that names
other files. Here the bytes choose one demuxer of nine, and only that one sees the file.
"""

HEAD = 4096  # bytes that are looked at
SYNC, PACKETS = 0x47, (188, 192, 204)  # of MPEG transport streams (ISO 13818-1, annex G)
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # QuickTime, ISO 14496-12
STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
CONTAINERS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"OggS", "ogg"),
)
OTHERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BM", "a BMP picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"ID3", "an MP3 recording"),
    (b"fLaC", "a FLAC recording"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
READ = "mp4, mov, mkv, webm, avi, gif, ts, mpg, flv, wmv and ogv are"


def container_of(head: bytes) -> str | None:
    """FFmpeg's name of the demuxer for a file that begins so, or None."""
    for signature, name in CONTAINERS:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    if head[4:8] in BOXES and head[8:12] not in STILL_BRANDS:
        return "mov"
    return "mpegts" if _is_transport_stream(head) else None


def refusal(head: bytes) -> str:
    """Why a file of no known container is refused, in a few words for its owner."""
    for signature, name in OTHERS:
        if head.startswith(signature):
            return f"{name}, not a video"
    if head[8:12] in STILL_BRANDS:
        return "a HEIF or AVIF picture, not a video"
    if head[:4] == b"RIFF":
        return "a picture or a recording (RIFF), not a video"
    if _is_text(head):
        return "text, not a video"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    return f"no video format that is read ({READ})"


def _is_transport_stream(head: bytes) -> bool:
    """Whether packets of one length follow each other; the first may be cut."""
    for length in PACKETS:
        for first in range(min(length, len(head))):
            starts = head[first::length]
            if len(starts) >= 3 and starts.count(SYNC) == len(starts):
                return True
    return False


def _is_text(head: bytes) -> bool:
    try:
        text = head[: HEAD - 4].decode()
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\ufeff" for c in text)
