"""How long does a search take over HTTP, alone and with 50 clients at once, and in the browser?

    python benchmarks/bench_serve.py --rows 100000 --clients 50 --seconds 60

`reeltune serve` runs as a process of its own on a library of synthetic moments with vectors as wide
as those of `lite`, which encodes the queries. Clients are tasks of this process on the same
machine, and each asks again as soon as it is answered. Times are from the request to the last byte
of the answer, 20 hits. Queries are three words, drawn at random: "repeated" ones are 1,210, which
come again and again, and "distinct" ones also have a number of their own.

In the browser, which is the chromium on PATH, a time is from Enter to the frame in which the first
moment stands on the page; its small picture may come later. Queries are distinct there. A person
sees the small pictures of one search before the next; "hurried" ones come while these are loaded.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
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
from reeltune.search.encoder import Encoder
from reeltune.search.store.schema import schema
from reeltune.search.store.table import append

QUICK = ["--rows", "20000", "--clients", "10", "--seconds", "5"]
FIGURES = {
    "p50_ms": ("lower", "milliseconds at the median"),
    "p95_ms": ("lower", "milliseconds at the 95th percentile"),
    "searches_per_s": ("higher", "searches a second"),
    "server_ms_a_search": ("lower", "milliseconds of processor a search"),
    "first_on_screen_p50_ms": ("lower", "milliseconds from Enter to the first moment, median"),
    "first_on_screen_p95_ms": ("lower", "milliseconds from Enter to the first moment, 95 % of all"),
}

NOUNS = ["dog", "cat", "car", "beach", "child", "tree", "boat", "horse", "snow", "street", "river"]
DOES = ["runs", "jumps", "turns", "falls", "waits", "moves", "sings", "opens", "burns", "shines"]
AT_ONCE = 20_000  # rows that are written together
SHOWN, PAUSE = 30, 700  # searches in the browser, and ms in which their pictures come
WATCH = """() => {
  const place = document.querySelector("#hits");
  let begun = null;
  window.waited = [];
  const enter = (event) => { if (event.key === "Enter") begun = performance.now(); };
  addEventListener("keydown", enter, true);
  new MutationObserver(() => {
    if (begun === null || !place.querySelector(".hit")) return;
    const since = begun;
    begun = null;
    requestAnimationFrame(() => setTimeout(() => waited.push(performance.now() - since)));
  }).observe(place, { childList: true });
}"""  # a task behind a frame's callbacks begins when the frame is drawn


def make_library(folder: Path, rows: int) -> None:
    """A library of `lite` with synthetic moments, 20 in a file."""
    manifest = Library.create(folder, "lite").manifest
    world, layout = World(rows, manifest.width), schema(manifest)
    for start in range(0, rows, AT_ONCE):
        numbers = np.arange(start, min(start + AT_ONCE, rows))
        arrays = columns(world, numbers, layout)
        append(folder, [pa.Table.from_arrays(arrays, schema=layout)])
    Encoder.of_library(folder, manifest).keep_usual(folder, manifest.fingerprint)  # as index does


def query(chance: random.Random, is_distinct: bool = False) -> dict[str, object]:
    """A search for three words, to which none before is equal if it `is_distinct`."""
    words = f"a {chance.choice(NOUNS)} {chance.choice(DOES)} {chance.choice(NOUNS)}"
    return {"words": f"{words} {chance.randrange(10**6)}" if is_distinct else words}


async def ask(client: httpx.AsyncClient, wanted: dict[str, object]) -> tuple[float, int]:
    """Seconds and status of one search."""
    begun = time.perf_counter()
    try:
        answer = await client.post("/api/search", json=wanted)
    except httpx.HTTPError:
        return time.perf_counter() - begun, 0
    return time.perf_counter() - begun, answer.status_code


async def load(
    url: str, clients: int, seconds: float, is_distinct: bool
) -> list[tuple[float, int]]:
    """What searches took that so many clients made one after the other, for so long."""
    end = time.perf_counter() + seconds
    found: list[tuple[float, int]] = []
    trusted = httpx.create_ssl_context()  # which is never used, and costs 20 ms to make

    async def one(seed: int) -> None:
        chance = random.Random(seed)
        # With a connection of its own: httpx looks through all that clients share at each request.
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=trusted) as client:
            while time.perf_counter() < end:
                found.append(await ask(client, query(chance, is_distinct)))

    await asyncio.gather(*(one(seed) for seed in range(clients)))
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


def processor(pid: int) -> float:
    """Seconds of processor that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(url: str, pid: int, clients: int, seconds: float, rows: int) -> None:
    """Print what so many clients at once wait for, by distinct and by repeated queries."""
    for kind in ("distinct", "repeated"):
        before, begun = processor(pid), time.perf_counter()
        found = asyncio.run(load(url, clients, seconds, kind == "distinct"))
        wall, used = time.perf_counter() - begun, processor(pid) - before
        emit(
            f"search over HTTP, {kind} queries",
            rows=rows,
            clients=clients,
            **figures(found),
            searches_per_s=round(len(found) / wall, 1),
            server_ms_a_search=round(1000 * used / len(found), 2),
            server_cores=round(used / wall, 2),
        )


def measure_library(url: str, rows: int) -> None:
    """Print what it takes to say what is in the library, as each load of a page asks."""
    with httpx.Client(base_url=url) as client:
        times = []
        for _ in range(SHOWN):
            begun = time.perf_counter()
            client.get("/api/library").raise_for_status()
            times.append(1000 * (time.perf_counter() - begun))
    emit("what is in the library over HTTP", rows=rows, p50_ms=round(float(np.median(times)), 1))


def measure_screen(url: str, rows: int, is_hurried: bool) -> None:
    """Print how long after Enter the first moment is on the screen, if there is a chromium."""
    place = shutil.which("chromium")
    if place is None:
        print("no chromium is on PATH, so nothing is measured in the browser", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    chance = random.Random(0)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url, wait_until="networkidle")
        page.evaluate(WATCH)
        for number in range(SHOWN):
            page.get_by_role("searchbox").fill(str(query(chance, is_distinct=True)["words"]))
            page.keyboard.press("Enter")
            while page.evaluate("waited.length") <= number:
                page.wait_for_timeout(20)
            if not is_hurried:
                page.wait_for_timeout(PAUSE)
        times = np.array(page.evaluate("waited"))
        browser.close()
    emit(
        f"search in the browser, {'hurried' if is_hurried else 'distinct'} queries",
        rows=rows,
        searches=len(times),
        first_on_screen_p50_ms=round(float(np.median(times)), 1),
        first_on_screen_p95_ms=round(float(np.percentile(times, 95)), 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--library", type=Path, help="made where it is not there, and kept")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = chosen.library or Path(name) / "library"
        if not folder.is_dir():
            make_library(folder, chosen.rows)
        command = [sys.executable, "-m", "reeltune", "serve", str(folder), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://[\d.:]+", line)
            if found is None:
                raise SystemExit(f"the server does not start: {line}")
            asyncio.run(load(found[0], 1, 1.0, True))  # which waits for the model
            measure_library(found[0], chosen.rows)
            for is_hurried in (False, True):
                measure_screen(found[0], chosen.rows, is_hurried)
            measure(found[0], server.pid, 1, min(10.0, chosen.seconds), chosen.rows)
            measure(found[0], server.pid, chosen.clients, chosen.seconds, chosen.rows)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
