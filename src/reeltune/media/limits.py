"""What a file may be, and what decoding one may cost. Everything not named here is refused."""

from dataclasses import dataclass

# Demuxers of FFmpeg. No concat, HLS, DASH, SDP or image sequence: those open other files.
FORMATS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif"),
    *("mpegts", "mpeg", "flv", "asf", "ogg", "mxf", "dv"),
    *("mpegvideo", "m4v", "h264", "hevc"),  # bare streams
)
# Decoders of FFmpeg that people's videos need; fewer decoders, fewer holes.
CODECS = (
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "mpeg1video", "mpeg2video", "mpeg4"),
    *("msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "flv", "wmv1", "wmv2", "wmv3", "vc1"),
    *("mjpeg", "prores", "dnxhd", "dvvideo", "gif", "theora", "ffv1", "rawvideo"),
)
# Decoders for the sound of such videos.
SOUNDS = (
    *("aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "opus", "vorbis", "flac", "alac"),
    *("ac3", "eac3", "dca", "truehd", "wmav1", "wmav2", "wmapro", "amrnb", "amrwb", "nellymoser"),
    *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_u8", "pcm_f32le"),
    *("pcm_alaw", "pcm_mulaw", "pcm_dvd", "pcm_bluray", "adpcm_ms", "adpcm_ima_wav"),
)
HEARD = 16_000  # samples a second, of one channel, that sound is given as
PIECE = 5 * HEARD  # samples that are sent at once
CUE_LIMIT = 1 << 12  # bytes of a subtitle
PICTURES = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # of Pillow, for pictures as queries
LEAST_RATE = 256  # bytes per second of video; a file that declares less is not believed
LATEST = 7_258_118_400_000_000  # µs since 1970: the end of 2199; nothing was taken later


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Caps, checked before decoding where the file declares the figure, and while decoding."""

    pixels: int = 8192 * 8192  # of one frame
    aspect: float = 32.0  # longer side by shorter side
    streams: int = 64
    duration: float = 48 * 3600.0  # s
    frames: int = 250_000  # taken from one file
    cues: int = 100_000  # of subtitles, taken from one file
    words: int = 16 << 20  # bytes of subtitles, taken from one file
    clip: float = 3600.0  # s, the longest that is cut out of a file
    cut: int = 16 << 30  # bytes of what is cut out
    lookahead: int = 128 << 20  # bytes of packets held while looking for the next keyframe
    silence: float = 60.0  # s without progress, then the worker is killed
    wall: float = 1200.0  # s of waiting for one file, and this again per minute of video
    cpu: float = 600.0  # s of processor time for one file, and this again per minute of video
    memory: int = 4 << 30  # bytes of address space of the worker


def minutes(duration: float, size: int) -> float:
    """Length that counts for the limits of time: a small file does not earn hours by a header."""
    return min(duration, size / LEAST_RATE) / 60
