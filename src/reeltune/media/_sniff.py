"""Tells what a file is from its first bytes; its name says nothing.

FFmpeg asks some 350 demuxers what a file might be, and any text can be a playlist that names
other files. Here the bytes choose one demuxer of fifteen, and only that one sees the file.
"""

import re
from codecs import getincrementaldecoder

HEAD = 1 << 16  # bytes that are looked at
START = 4096  # bytes in which most files say what they are
SYNC, PACKETS = 0x47, (188, 192, 204)  # of MPEG transport streams (ISO 13818-1, annex G)
IN_A_ROW = 8  # packets after rubbish that cannot be there by chance
ROWS = tuple(
    re.compile(rb"G(?=" + rb".{%d}G" % (length - 1) * (IN_A_ROW - 1) + rb")", re.DOTALL)
    for length in PACKETS
)
BOXES = (  # that a QuickTime or ISO 14496-12 file, or a segment of one, may begin with
    *(b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"),
    *(b"styp", b"uuid", b"sidx", b"moof", b"pdin", b"emsg", b"prft"),
)
STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1", b"crx ")
SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ")
ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
MXF = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01"  # a partition pack (SMPTE 377-1)
CONTAINERS = (
    (re.compile(rb"\x1a\x45\xdf\xa3"), "matroska"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"\x00\x00\x01\xba"), "mpeg"),
    (re.compile(rb"FLV\x01"), "flv"),
    (re.compile(re.escape(ASF)), "asf"),
    (re.compile(rb"OggS"), "ogg"),
    (re.compile(rb"RIFF....AVI[ X]", re.DOTALL), "avi"),
    (re.compile(re.escape(MXF)), "mxf"),
    # Sections of a DV frame (IEC 61834-2): one header, two of subcode, three of VAUX.
    (re.compile(rb"\x1f\x07\x00[\x3f\xbf].{76}\x3f\x07\x00", re.DOTALL), "dv"),
    # Bare streams: their first picture, or what says how to read it.
    (re.compile(rb"\x00{2,}\x01\xb3"), "mpegvideo"),  # sequence header (ISO 11172-2, 13818-2)
    (re.compile(rb"\x00{2,}\x01\xb0.\x00\x00\x01\xb5", re.DOTALL), "m4v"),  # ISO 14496-2
    (re.compile(rb"\x00{2,}\x01(?:[\x27\x47\x67]|\x09[\x10-\xf0]\x00)"), "h264"),  # SPS, delimiter
    (re.compile(rb"\x00{2,}\x01(?:\x40\x01|\x46\x01)"), "hevc"),  # VPS, or a delimiter
)
BARE = ("mpegvideo", "m4v", "h264", "hevc")  # demuxers of streams without any table of contents
# How the first bytes of containers that may hold sound alone say that there is a picture.
SEEN = {
    "matroska": re.compile(rb"\x86[\x80-\xff]V_"),  # a CodecID (RFC 9559)
    "asf": re.compile(re.escape(bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b"))),  # video media
    "ogg": re.compile(rb"\x80theora|\x01video\0\0\0"),
    "flv": re.compile(rb"FLV\x01[\x01\x05]"),
}
OTHERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BM", "a BMP picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"ID3", "an MP3 recording"),
    (b"fLaC", "a FLAC recording"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
READ = "mp4, mov, mkv, webm, avi, gif, ts, mpg, flv, wmv, ogv, mxf and dv are"


def container_of(head: bytes) -> str | None:
    """FFmpeg's name of the demuxer for a file that begins so, or None."""
    for signature, name in CONTAINERS:
        if signature.match(head):
            return name
    if is_text(head):
        return None
    if head[4:8] in BOXES and head[8:12] not in STILL_BRANDS:
        return "mov"
    return "mpegts" if _is_transport_stream(head) else None


def looks_like_video(head: bytes) -> bool:
    """Whether a file whose name says nothing begins as a video does, and not as sound alone."""
    name = container_of(head)
    if name is None or (name == "mov" and head[8:12] in SOUND_BRANDS):
        return False
    return name not in SEEN or SEEN[name].search(head) is not None


def refusal(head: bytes) -> str:
    """Why a file of no known container is refused, in a few words for its owner."""
    for signature, name in OTHERS:
        if head.startswith(signature):
            return f"{name}, not a video"
    if head[8:12] in STILL_BRANDS:
        return "a HEIF, AVIF or CR3 picture, not a video"
    if head[:4] == b"RIFF":
        return "a picture or a recording (RIFF), not a video"
    if is_text(head):
        return "text, not a video"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    return f"no video format that is read ({READ})"


def is_of_something_else(head: bytes) -> bool:
    """Whether the first bytes are those of something that is known and is no video."""
    return bool(head) and (is_text(head) or any(map(head.startswith, dict(OTHERS))))


def _is_transport_stream(head: bytes) -> bool:
    """Whether packets of one length follow each other.

    The file may begin within a packet, or, where a receiver was still tuning in, with rubbish.
    """
    start = head[:START]
    for length in PACKETS:
        for first in range(min(length, len(start))):
            syncs = start[first::length]
            if len(syncs) >= 3 and syncs.count(SYNC) == len(syncs):
                return True
    return any(row.search(head) for row in ROWS)


def is_text(head: bytes) -> bool:
    """Whether the first bytes are printable characters in UTF-8."""
    try:
        text = getincrementaldecoder("utf-8")().decode(head[:START])  # whose last letter is cut
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\ufeff" for c in text)
