"""How long does a search over HTTP take, alone and with 50 clients at once?

    python benchmarks/bench_serve.py --rows 100000 --clients 50 --seconds 60

`reeltune serve` runs as a process of its own on a library of synthetic moments with vectors as wide
as those of `lite`, which encodes the queries: three words each, drawn at random. Clients are tasks
of this process on the same machine, and each asks again as soon as it is answered. Times are from
the request to the last byte of the answer, 20 hits.
"""

import argparse
import asyncio
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pyarrow as pa

from _line import emit
from _moments import World, columns
from reeltune import Library
from reeltune.search.store.schema import schema
from reeltune.search.store.table import append

QUICK = ["--rows", "20000", "--clients", "10", "--seconds", "5"]
FIGURES = {
    "p50_ms": ("lower", "milliseconds at the median"),
    "p95_ms": ("lower", "milliseconds at the 95th percentile"),
}

NOUNS = ["dog", "cat", "car", "beach", "child", "tree", "boat", "horse", "snow", "street", "river"]
DOES = ["runs", "jumps", "turns", "falls", "waits", "moves", "sings", "opens", "burns", "shines"]
AT_ONCE = 20_000  # rows that are written together


def make_library(folder: Path, rows: int) -> None:
    """A library of `lite` with synthetic moments, 20 in a file."""
    manifest = Library.create(folder, "lite").manifest
    world, layout = World(rows, manifest.width), schema(manifest)
    for start in range(0, rows, AT_ONCE):
        numbers = np.arange(start, min(start + AT_ONCE, rows))
        arrays = columns(world, numbers, layout)
        append(folder, [pa.Table.from_arrays(arrays, schema=layout)])


def query(chance: random.Random) -> dict[str, object]:
    """A search for three words."""
    return {"words": f"a {chance.choice(NOUNS)} {chance.choice(DOES)} {chance.choice(NOUNS)}"}


async def ask(client: httpx.AsyncClient, chance: random.Random) -> tuple[float, int]:
    """Seconds and status of one search."""
    begun = time.perf_counter()
    try:
        answer = await client.post("/api/search", json=query(chance))
    except httpx.HTTPError:
        return time.perf_counter() - begun, 0
    return time.perf_counter() - begun, answer.status_code


async def load(url: str, clients: int, seconds: float) -> list[tuple[float, int]]:
    """What searches took that so many clients made one after the other, for so long."""
    end = time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    found: list[tuple[float, int]] = []

    async def one(client: httpx.AsyncClient, seed: int) -> None:
        chance = random.Random(seed)
        while time.perf_counter() < end:
            found.append(await ask(client, chance))

    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        await asyncio.gather(*(one(client, seed) for seed in range(clients)))
    return found


def figures(found: list[tuple[float, int]]) -> dict[str, float]:
    """Milliseconds and errors of searches."""
    times = np.array([seconds for seconds, _ in found]) * 1000
    return {
        "searches": len(found),
        "errors": sum(status != 200 for _, status in found),
        "p50_ms": round(float(np.median(times)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name) / "library"
        make_library(folder, chosen.rows)
        command = [sys.executable, "-m", "reeltune", "serve", str(folder), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://[\d.:]+", line)
            if found is None:
                raise SystemExit(f"the server does not start: {line}")
            asyncio.run(load(found[0], 1, 1.0))  # which waits for the model
            alone = figures(asyncio.run(load(found[0], 1, min(10.0, chosen.seconds))))
            emit("search over HTTP, one client", rows=chosen.rows, **alone)
            many = figures(asyncio.run(load(found[0], chosen.clients, chosen.seconds)))
            emit(
                "search over HTTP, many clients",
                rows=chosen.rows,
                clients=chosen.clients,
                seconds=chosen.seconds,
                **many,
            )
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
