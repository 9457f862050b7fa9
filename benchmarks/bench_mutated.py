"""Does a server survive broken and false media files, and does it say what became of each?

    python benchmarks/bench_mutated.py --files 500

Clips, made here or those below `--clips`, are cut, flipped, emptied, given the head or a box of
another file or replaced by what is no video, always the same for one seed. `reeltune serve` brings
them in, is asked for the media, the thumbnail and clips of each file that it took, and is sent each
file as a picture to search by. A file must be in the library or be named with a reason; nothing may
answer with a status of 500 or more, and nothing may hold a word of a file that lies outside the
library, to which some of the false ones lead.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from _line import emit
from _served import SECRET, arguments, brought_in, clips_of, serving

QUICK = ["--files", "20"]
FIGURES = {
    "unaccounted": ("lower", "files neither indexed nor named with a reason"),
    "server_errors": ("lower", "answers of status 500 or more"),
    "leaks": ("lower", "answers with a word of a file outside the library"),
}

HEAD = 4096  # bytes
HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")  # boxes of boxes
Mutation = Callable[[bytes, bytes, random.Random], bytes]  # of a clip, beside another one


def cut_short(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    return clip[: chance.randrange(len(clip))]


def flipped(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    found = bytearray(clip)
    for _ in range(chance.choice((1, 16, 256))):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def emptied(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(clip))
    length = min(chance.choice((64, HEAD, 1 << 16)), len(clip) - start)
    return clip[:start] + bytes(length) + clip[start + length :]


def with_other_head(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    length = chance.randrange(8, HEAD)
    return other[:length] + clip[length:]


def joined(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(clip))
    return clip[:at] + other + clip[at:]


def boxes(clip: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Where each box of an mp4 begins and ends, with those inside of it; none of another format."""
    found: list[tuple[int, int]] = []
    end = len(clip) if end is None else end
    while start + 8 <= end:
        length, kind = int.from_bytes(clip[start : start + 4], "big"), clip[start + 4 : start + 8]
        if length < 8 or start + length > end or not kind.isalnum():
            break
        found.append((start, start + length))
        if kind in HOLDERS:
            found += boxes(clip, start + 8, start + length)
        start += length
    return found


def spliced(clip: bytes, other: bytes, chance: random.Random) -> bytes:
    """With a part of another clip in place of one of its own: a box, where both have boxes."""
    if (own := boxes(clip)) and (others := boxes(other)):
        (start, end), (first, last) = chance.choice(own), chance.choice(others)
    else:
        start, end = sorted(chance.randrange(len(clip)) for _ in range(2))
        first, last = sorted(chance.randrange(len(other)) for _ in range(2))
    return clip[:start] + other[first:last] + clip[end:]


MUTATIONS: dict[str, Mutation] = {
    one.__name__: one for one in (cut_short, flipped, emptied, with_other_head, joined, spliced)
}


def false_ones(secret: Path) -> dict[str, bytes]:
    """What is no video, some of which would lead to a file elsewhere."""
    place = str(secret)
    return {
        "nothing": b"",
        "text": b"no video " * 100,
        "zip": b"PK\x03\x04" + bytes(200),
        "concat": f"ffconcat version 1.0\nfile '{place}'\n".encode(),
        "m3u8": f"#EXTM3U\n#EXTINF:1,\nfile://{place}\n#EXT-X-ENDLIST\n".encode(),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        "dash": f"<MPD><Period><BaseURL>{place}</BaseURL></Period></MPD>".encode(),
        "markup": b"<script>alert(1)</script>",
    }


def write_mutated(
    root: Path, clips: list[Path], count: int, secret: Path, seed: int
) -> Counter[str]:
    """So many files, every fifth of which is a false one; how many there are of each kind."""
    chance, kinds = random.Random(seed), Counter[str]()
    contents, false = {clip: clip.read_bytes() for clip in clips}, [*false_ones(secret).items()]
    for number in range(count):
        clip, other = chance.choice(clips), chance.choice(clips)
        if number % 5 == 4:
            kind, content = false[number // 5 % len(false)]
        else:
            kind, mutation = chance.choice([*MUTATIONS.items()])
            content = mutation(contents[clip], contents[other], chance)
        kinds[kind] += 1
        (root / f"{number:04} {kind}{clip.suffix}").write_bytes(content)
    return kinds


def addresses(client: httpx.Client) -> Iterator[str]:
    """All that can be asked of the files and their first moments."""
    for file in client.get("/api/files", params={"count": 500}).json()["items"]:
        yield f"/api/files/{file['id']}/media"
    for moment in client.get("/api/moments?first=true&count=500").json()["items"]:
        yield f"/api/moments/{moment['id']}/thumbnail"
        yield f"/api/moments/{moment['id']}/clip"
        yield f"/api/moments/{moment['id']}/clip?exact=true"


def sent_as_picture(client: httpx.Client, file: Path) -> httpx.Response:
    """The answer to a search by a file as if it were a picture."""
    return client.post("/api/search/picture", files={"picture": file.read_bytes()})


def accounted(report: dict[str, list[Any]]) -> dict[str, str]:
    """The files that a report tells of, each with what became of it."""
    found = {one["path"]: "indexed" for one in report["indexed"]}
    found |= {one["path"]: "failed" for one in report["failed"] if one["reason"].strip()}
    return found | dict.fromkeys(report["copies"], "copy")


def main() -> int:
    chosen = arguments("files", 500)
    with TemporaryDirectory() as name:
        place = Path(name).resolve()
        root, secret = place / "root", place / "secret.txt"
        root.mkdir()
        secret.write_bytes(SECRET)
        clips = clips_of(chosen.clips, place)
        kinds = write_mutated(root, clips, chosen.files, secret, chosen.seed)
        with serving(place / "library", root) as client:
            told = accounted(brought_in(client, root))
            answers = [client.get(address) for address in addresses(client)]
            answers += [sent_as_picture(client, file) for file in sorted(root.iterdir())]
            answers.append(client.get("/api/health"))
        unaccounted = [path.name for path in sorted(root.iterdir()) if str(path) not in told]
    found = {
        "unaccounted": len(unaccounted),
        "server_errors": sum(answer.status_code >= 500 for answer in answers),
        "leaks": sum(SECRET in answer.content for answer in answers),
    }
    emit(
        "broken and false media files",
        files=chosen.files,
        seed=chosen.seed,
        kinds=dict(sorted(kinds.items())),
        became=dict(Counter(told.values())),
        answers=dict(sorted(Counter(str(one.status_code) for one in answers).items())),
        **found,
        unnamed=unaccounted[:10],
    )
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
