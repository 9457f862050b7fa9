"""What does indexing on a Ray cluster cost over the local engine, for each core?

The same clips (the demo's samples, copied) are indexed by the local engine and by two workers of a
Ray cluster that is started for it, each into a fresh library. Rates are files per second of
processor time, from the first file that is done to the last, so that neither the start of Ray nor
the opening of models counts. Memory is the most that was in use beyond that at the beginning,
looked at twice a second. Both are those of the whole machine, which must have nothing else to do:
not all processes of Ray are below this one. The target is a rate of at least 0.85 of the local
engine's.

    python benchmarks/bench_ray.py --copies 8
"""

import argparse
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from _line import emit
from reeltune.cli.sample_clips import sample_clips
from reeltune.search.ingest import Choice, Engine, index

FIGURES = {"ratio": ("higher", "beside the local engine, files for each core and second")}


@dataclass
class Watch:
    """Progress that notes processor time and memory of the machine."""

    done: list[tuple[float, float]] = field(default_factory=list)  # wall and processor time, s
    peak: int = 0  # bytes
    stop: threading.Event = field(default_factory=threading.Event)

    def begin(self, files: int, size: int, work: str = "") -> None:
        pass

    def advance(self, path: str, size: int) -> None:
        times = psutil.cpu_times()
        self.done.append((time.perf_counter(), times.user + times.nice + times.system))

    def recognise(self, path: str, done: int, size: int) -> None:
        pass

    def look(self) -> None:
        """Note memory until told to stop."""
        before = psutil.virtual_memory().used
        while not self.stop.wait(0.5):
            self.peak = max(self.peak, psutil.virtual_memory().used - before)


def measured(videos: Path, library: Path, engine: Engine) -> dict[str, float]:
    """Rates and memory of one run."""
    watch = Watch()
    thread = threading.Thread(target=watch.look, daemon=True)
    thread.start()
    report = index(videos, library, Choice(engine=engine), watch)
    watch.stop.set()
    thread.join()
    if report.failed:
        raise RuntimeError(report.failed[0].reason)
    (begun, spent), (ended, in_all) = watch.done[0], watch.done[-1]
    files = len(report.indexed)
    return {
        "files_per_core_second": (files - 1) / (in_all - spent),
        "files_per_second": (files - 1) / (ended - begun),
        "cores_busy": (in_all - spent) / (ended - begun),
        "peak_mb": watch.peak / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=8)
    copies = parser.parse_args().copies
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "videos").mkdir()
        for path in sorted(sample_clips(folder / "clips").glob("*.mp4")):
            for number in range(copies):
                copy = folder / "videos" / f"{number}-{path.name}"
                shutil.copy(path, copy)
                with copy.open("ab") as file:
                    file.write(b"\0" * number)  # another content, or it would be a known copy
        local = measured(folder / "videos", folder / "local", "local")
        ray = measured(folder / "videos", folder / "ray", "ray")
    emit(
        "indexing on Ray over the local engine, for each core",
        ratio=round(ray["files_per_core_second"] / local["files_per_core_second"], 3),
        local={name: round(value, 3) for name, value in local.items()},
        ray={name: round(value, 3) for name, value in ray.items()},
    )


if __name__ == "__main__":
    main()
