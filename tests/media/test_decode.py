"""What a frame is: its time, its orientation, its shape, its thumbnail; and how reading ends."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from media.numbered_video import Numbered, number_of, picture
from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.types import Pixels

WIDE = Pixels(size=96, fit="squash")


def test_each_frame_is_the_one_of_its_time(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "a.mp4", range(0, 20_000, 40), gop=250)
    decoder.sampling = Sampling("gap", 2.0)
    with decoder.open(path) as reading:
        for frame in reading:
            assert number_of(frame.pixels) == round(frame.time * 25)
    assert reading.info.codec == "h264"
    assert (reading.info.width, reading.info.height, reading.info.frame_rate) == (160, 96, 25.0)
    assert reading.info.duration == pytest.approx(20.0)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_clip_held_sideways_is_turned_upright(
    degrees: int, decoder: Decoder, tmp_path: Path
) -> None:
    path = tmp_path / "phone.mp4"
    upright = np.zeros((96, 160, 3), np.uint8)
    upright[:48, :80] = 255  # white in the upper left quarter
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stored = np.rot90(upright, k=-degrees // 90)  # how the tilted camera saw it
        stream.height, stream.width, stream.pix_fmt = *stored.shape[:2], "yuv420p"
        stream.set_display_rotation(degrees)
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with decoder.open(path) as reading:
        frame = next(reading)
    assert (reading.info.width, reading.info.height) == (160, 96) == (frame.width, frame.height)
    assert frame.pixels[0, 20, 20] > 200
    assert frame.pixels[0, 20, 80] < 50
    assert frame.pixels[0, 80, 20] < 50


def test_pixels_that_are_not_square_are_stretched(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "dv.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture(number, 720, 576), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with decoder.open(path) as reading:
        frame = next(reading)
    assert (frame.width, frame.height) == (1024, 576) == (reading.info.width, reading.info.height)
    assert Image.open(io.BytesIO(frame.thumbnail)).size == (320, 180)


def test_a_three_second_gif_gives_several_frames(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "a.gif", range(0, 3000, 100), codec="gif", pix_fmt="rgb8")
    with decoder.open(path) as reading:
        assert len(list(reading)) >= 8


def test_a_recording_without_a_length_is_measured(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    live = {"live": "1"}  # what a browser records: no duration, no index
    path = numbered(tmp_path / "a.webm", codec="libvpx-vp9", muxer=live)
    with av.open(str(path)) as container:
        assert container.duration is None
    decoder.sampling = Sampling("uniform", 5.0)
    with decoder.open(path) as reading:
        times = [frame.time for frame in reading]
    assert reading.info.duration == pytest.approx(10.0, abs=0.05)
    assert times == pytest.approx([1, 3, 5, 7, 9], abs=0.04)
    assert reading.note == ""


def test_joined_recordings_are_read_to_the_end(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    part = numbered(tmp_path / "a.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)
    decoder.sampling = Sampling("fps", 1.0)
    with decoder.open(joined) as reading:
        frames = list(reading)
    assert [f.time for f in frames] == pytest.approx(range(20), abs=0.1)
    assert [number_of(f.pixels) for f in frames[10:13]] == pytest.approx([0, 25, 50], abs=2)


def test_a_shot_begins_where_the_picture_changes(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "cuts.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25, options={"x264-params": "scenecut=0"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(250):
            shade = [30, 200, 90][(number >= 55) + (number >= 140)]
            image = np.full((96, 160, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    decoder.sampling = Sampling("shot", 20.0)
    with decoder.open(path) as reading:
        times = [frame.time for frame in reading]
    assert {0.0, 2.2, 5.6} <= {round(time, 2) for time in times}


def test_the_thumbnail_is_a_small_jpeg_of_the_whole_picture(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    path = numbered(tmp_path / "wide.mp4", range(0, 1000, 40), size=(640, 96))
    decoder.sampling = Sampling()
    with decoder.open(path) as reading:
        thumbnail = Image.open(io.BytesIO(next(reading).thumbnail))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (320, 48))


def test_a_picture_is_a_frame_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 100), "blue")
    image.paste("red", (0, 0, 20, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    image.save(tmp_path / "a.jpg", exif=exif)
    with Decoder(WIDE) as decoder:
        frame = decoder.image(tmp_path / "a.jpg")
        assert (frame.width, frame.height) == (100, 200)
        assert frame.pixels[:, 2, 48].tolist()[0] > 200, "red is on top"
        first = decoder.worker()
        decoder.image(tmp_path / "a.jpg")
        assert decoder.worker() is first, "one worker serves many pictures"


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_pictures_of_any_mode(mode: str, decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (50, 40)).save(path)
    assert decoder.image(path).pixels.shape == (3, 96, 96)


def seen(decoder: Decoder, path: Path) -> list[float]:
    """Mean red, green and blue of the left half of a picture, then of its right half."""
    pixels = decoder.image(path).pixels.astype(float)
    halves = (pixels[:, :, :44], pixels[:, :, 52:])
    return [round(float(half[colour].mean()), 1) for half in halves for colour in range(3)]


def halves(left: tuple[int, ...], right: tuple[int, ...], dtype: type) -> np.ndarray:
    rows = np.zeros((40, 50, len(left)), dtype)
    rows[:, :25], rows[:, 25:] = left, right
    return rows.squeeze()


def png_of_16_bits(path: Path, rows: np.ndarray, colour: int, more: bytes = b"") -> Path:
    """A PNG chunk by chunk, since Pillow writes no colours of 16 bits."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    height, width = rows.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    data = chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def test_grey_and_colours_of_16_bits_are_brought_to_8(decoder: Decoder, tmp_path: Path) -> None:
    grey = png_of_16_bits(tmp_path / "grey.png", halves((257 * 40,), (257 * 200,), np.uint16), 0)
    assert seen(decoder, grey) == [40] * 3 + [200] * 3
    clear = b"\0\0\0\2tRNS" + struct.pack(">H", 7) + struct.pack(">I", zlib.crc32(b"tRNS\0\7"))
    through = png_of_16_bits(tmp_path / "clear.png", halves((7,), (257 * 9,), np.uint16), 0, clear)
    assert seen(decoder, through) == [255] * 3 + [9] * 3
    left, right = (257 * 10, 257 * 20, 257 * 30), (257 * 250, 0, 65535)
    colours = png_of_16_bits(tmp_path / "rgb.png", halves(left, right, np.uint16), 2)
    assert seen(decoder, colours) == [10, 20, 30, 250, 0, 255]
    alpha = png_of_16_bits(tmp_path / "la.png", halves((0, 0), (257 * 90, 65535), np.uint16), 4)
    assert seen(decoder, alpha) == [255] * 3 + [90] * 3
    whole = png_of_16_bits(
        tmp_path / "rgba.png", halves((0, 0, 0, 0), (0, 65535, 0, 65535), np.uint16), 6
    )
    assert seen(decoder, whole) == [255] * 3 + [0, 255, 0]


def test_every_level_of_16_bits_is_the_nearest_of_8(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    wanted = ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    monkeypatch.setattr(decoder, "pixels", Pixels(size=256))
    Image.fromarray(levels).save(tmp_path / "all.png")
    assert (decoder.image(tmp_path / "all.png").pixels == wanted).all()
    for clear in (0, 5000, 65535):
        Image.fromarray(levels).save(tmp_path / "clear.png", transparency=clear)
        shown = np.where(levels == clear, 255, wanted)
        assert (decoder.image(tmp_path / "clear.png").pixels == shown).all()


def test_what_shines_through_a_picture_is_white(decoder: Decoder, tmp_path: Path) -> None:
    rows = halves((9, 9, 9, 0), (200, 100, 50, 255), np.uint8)
    Image.fromarray(rows).save(tmp_path / "rgba.png")
    assert seen(decoder, tmp_path / "rgba.png") == [255, 255, 255, 200, 100, 50]
    Image.fromarray(rows).save(tmp_path / "a.webp", lossless=True)
    assert seen(decoder, tmp_path / "a.webp") == [255, 255, 255, 200, 100, 50]
    Image.fromarray(halves((0, 0), (80, 255), np.uint8)).save(tmp_path / "la.png")
    assert seen(decoder, tmp_path / "la.png") == [255, 255, 255, 80, 80, 80]
    palette = Image.frombytes("P", (50, 40), halves((0,), (1,), np.uint8).tobytes())
    palette.putpalette([0, 0, 0, 10, 200, 30])
    palette.save(tmp_path / "p.png", transparency=0)
    assert seen(decoder, tmp_path / "p.png") == [255, 255, 255, 10, 200, 30]
    half = Image.fromarray(halves((0, 0, 0, 128), (0, 0, 0, 255), np.uint8))
    half.save(tmp_path / "half.png")
    assert seen(decoder, tmp_path / "half.png")[0] == pytest.approx(127, abs=1)


def test_a_picture_in_inks_has_its_colours(decoder: Decoder, tmp_path: Path) -> None:
    rows = halves((0, 0, 0, 0), (255, 0, 0, 0), np.uint8)
    inks = Image.frombytes("CMYK", (50, 40), rows.tobytes())
    inks.save(tmp_path / "a.jpg", quality=100)
    assert seen(decoder, tmp_path / "a.jpg") == pytest.approx([255, 255, 255, 0, 255, 255], abs=4)


def test_a_picture_that_is_none_names_the_formats(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("P6 2 2 255")
    with pytest.raises(MediaError, match=r"a\.png: no picture that is read \(JPEG, PNG, WEBP"):
        decoder.image(tmp_path / "a.png")


def test_a_reading_left_half_way_does_not_disturb_the_next(
    numbered: Numbered, tmp_path: Path
) -> None:
    long = numbered(tmp_path / "long.mp4", range(0, 40_000, 40))
    short = numbered(tmp_path / "short.mp4", range(0, 400, 40))
    with Decoder(WIDE, Sampling("fps", 25.0)) as decoder:
        next(decoder.open(long))  # neither finished nor left
        with decoder.open(short) as reading:
            assert [number_of(frame.pixels) for frame in reading] == list(range(10))
        with decoder.open(long) as reading:
            next(reading)
        assert len(list(decoder.open(short))) == 10


def test_an_edited_film_begins_at_its_first_visible_frame(
    decoder: Decoder, numbered: Numbered, tmp_path: Path
) -> None:
    """An edit list that cuts the first second, as phones write it: decoded but not shown."""
    path = numbered(tmp_path / "a.mp4", bf="0")
    data = path.read_bytes()
    at = data.index(b"elst") + 4
    count, length, begin = struct.unpack(">IIi", data[at + 4 : at + 16])
    assert (count, begin) == (1, 0)
    with av.open(str(path)) as container:
        tick = container.streams.video[0].time_base
    assert tick is not None
    edited = struct.pack(">IIi", 1, length - 1000, round(1 / tick))
    path.write_bytes(data[: at + 4] + edited + data[at + 16 :])
    decoder.sampling = Sampling("fps", 1.0)
    with decoder.open(path) as reading:
        frames = list(reading)
    assert [f.time for f in frames] == pytest.approx(range(9), abs=0.001)
    assert [number_of(f.pixels) for f in frames] == list(range(25, 250, 25))
