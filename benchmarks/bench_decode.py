"""What does sandboxed reading cost over bare PyAV doing the same work, and is memory flat?

`python benchmarks/bench_decode.py` makes its own clips (h264, a keyframe every 250 frames, 30
frames a second), reads them in turns both ways, and prints one JSON line. A ratio of 1.1 means
10 % more wall time than bare PyAV.
"""

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageFilter

from _line import emit
from _memory import memory
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.media.squares import fitted
from reeltune.types import Pixels

QUICK: list[str] = []
FIGURES = {
    "*/*/wall_ratio": ("lower", "beside bare PyAV doing the same work, wall time"),
    "*/*/cpu_ratio": ("lower", "beside bare PyAV doing the same work, processor time"),
    "*/default_x_real_time": ("higher", "times real time by default sampling"),
    "two hours/worker_mb": ("lower", "peak memory of the worker over two hours of video, MB"),
}

PIXELS = Pixels(size=224)
ROUNDS = 5
SECONDS = 40
CLIPS = {"720p": (1280, 720), "360p": (640, 360)}


def scene(width: int, height: int, frames: int) -> Iterator[np.ndarray]:
    """A textured picture that moves steadily, with fresh grain on each frame."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (height * 2, width * 2, 3), np.uint8))
    texture = np.asarray(noise.filter(ImageFilter.GaussianBlur(6)), np.int16)
    texture = np.clip((texture - 128) * 6 + 128, 0, 255)
    grain = [rng.integers(-6, 7, (height, width, 1), np.int16) for _ in range(7)]
    for number in range(frames):
        x, y = (number * 3) % width, number % height
        picture = texture[y : y + height, x : x + width] + grain[number % len(grain)]
        yield np.clip(picture, 0, 255).astype(np.uint8)


def write_clip(path: Path, size: tuple[int, int], seconds: int, rate: int) -> Path:
    options = {"preset": "veryfast", "x264-params": "keyint=250:min-keyint=250:scenecut=0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in scene(*size, seconds * rate):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def loop_clip(source: Path, target: Path, times: int) -> Path:
    """The packets of a clip over and over: a long film without the work of encoding one."""
    with av.open(str(target), "w") as out:
        writer = None
        for number in range(times):
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                writer = writer or out.add_stream_from_template(stream)
                length = stream.duration or 0
                for packet in container.demux(stream):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts += number * length
                        packet.dts += number * length
                        packet.stream = writer
                        out.mux(packet)
    return target


def finish(frame: av.VideoFrame) -> tuple[np.ndarray, bytes]:
    """The square and the thumbnail, as anyone would write it."""
    image = frame.to_image()
    small = image.copy()
    small.thumbnail((160, 160), Image.Resampling.BILINEAR)
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    square = fitted(image, PIXELS)
    return square, jpeg.getvalue()


def bare(path: Path, rule: Sampling) -> list[float]:
    """Bare PyAV: one pass, one thread, the same frames."""
    times: list[float] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        if rule.kind == "keyframe":
            stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            if rule.kind == "keyframe" or frame.time >= len(times) / rule.value - 1e-6:
                finish(frame)
                times.append(frame.time)
    return times


def ours(decoder: Decoder, path: Path) -> list[float]:
    with decoder.open(path) as reading:
        return [frame.time for frame in reading]


def wall(work: Callable[[], list[float]]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor(pid: int) -> float:
    """Seconds of processor time that this process and a worker have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(path: Path, rule: Sampling, seconds: int) -> dict[str, float]:
    """Medians over interleaved rounds, as ratios to bare PyAV and as times real time."""
    rounds = []
    with Decoder(PIXELS, rule) as decoder:
        assert ours(decoder, path) == bare(path, rule)  # warms up too
        pid = decoder.worker().pid
        for _ in range(ROUNDS):
            start = processor(pid)
            mine = wall(lambda: ours(decoder, path))
            between = processor(pid)
            theirs = wall(lambda: bare(path, rule))
            rounds.append((mine, theirs, between - start, processor(pid) - between))
    mine, theirs, _, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "wall_ratio": round(statistics.median(r[0] / r[1] for r in rounds), 3),
        "cpu_ratio": round(statistics.median(r[2] / r[3] for r in rounds), 3),
        "x_real_time": round(seconds / mine, 1),
        "bare_x_real_time": round(seconds / theirs, 1),
    }


def default_speed(path: Path) -> float:
    with Decoder(PIXELS) as decoder:
        ours(decoder, path)
        return round(SECONDS / min(wall(lambda: ours(decoder, path)) for _ in range(3)), 1)


def peaks(path: Path) -> dict[str, float]:
    """Most memory (MB) of worker and parent over a whole file, and how fast it was read."""
    start, parent, last = time.perf_counter(), 0, 0.0
    with Decoder(PIXELS) as decoder, decoder.open(path) as reading:
        for number, frame in enumerate(reading):
            last = frame.time
            if number % 20 == 0:
                parent = max(parent, memory("VmRSS") >> 20)
        worker = memory("VmHWM", decoder.worker().pid) >> 20
    speed = round(last / (time.perf_counter() - start))
    return {"worker_mb": worker, "parent_mb": parent, "x_real_time": speed, "minutes": last / 60}


def start_up() -> float:
    with Decoder(PIXELS) as decoder:
        return round(wall(lambda: [decoder.worker().pid]), 3)


def main() -> None:
    figures: dict[str, object] = {"start_up_s": start_up()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, size in CLIPS.items():
            path = write_clip(folder / f"{label}.mp4", size, SECONDS, 30)
            long = loop_clip(path, folder / f"{label}-long.mp4", 10)  # fifty keyframes
            figures[label] = {
                "fps 1": compare(path, Sampling("fps", 1.0), SECONDS),
                "keyframe": compare(long, Sampling("keyframe", 0.5), 10 * SECONDS),
                "default_x_real_time": default_speed(path),
            }
        short = write_clip(folder / "short.mp4", (320, 180), 120, 10)
        figures["two minutes"] = peaks(short)
        figures["two hours"] = peaks(loop_clip(short, folder / "long.mp4", 60))
    emit("sandboxed reading against bare PyAV, same frames, squares and thumbnails", **figures)


if __name__ == "__main__":
    main()
