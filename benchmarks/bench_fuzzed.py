"""Does a server answer as its API describes, whatever it is sent?

    python benchmarks/bench_fuzzed.py --requests 10000

schemathesis makes requests of every address that `reeltune serve` describes, valid ones and others,
always the same for one seed. In half of them ids and folders are those of the library, or lead out
of it. They come with the token for all, with the one that only reads, or with none. An answer must
be one that is described, and of no status of 500 or more; no token may do more than it is for; and
nothing may hold a word of a file that lies outside the library.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import schemathesis
from hypothesis.strategies import one_of
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from _line import emit
from _served import SECRET, arguments, brought_in, clips_of, serving
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.serve.guard import FOR_ALL, is_reading
from reeltune.training.log import Log

QUICK = ["--requests", "200"]
RUNS = [["--requests", "10000"]]
FIGURES = {
    "server_errors": ("lower", "answers of status 500 or more"),
    "not_described": ("lower", "answers that the API does not describe"),
    "too_much": ("lower", "answers that a token is not for"),
    "leaks": ("lower", "answers with a word of a file outside the library"),
}

TOKENS = {"REELTUNE_TOKEN": "w" * 40, "REELTUNE_READ_TOKEN": "r" * 40}
CHECKS = [
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]
AT_ONCE = 20  # requests of one address before those of the next, at most
RARE = ("/api/jobs", "/api/clips", "/api/files/remove")  # rarely of what there is
PATIENCE = 60  # s for an answer
SHOWN = 20  # failures that are told in full
Case = schemathesis.Case[Any]
Known = dict[str, list[str]]  # what a field of that name may be
ALIASES = {"moments": "moment", "like": "moment", "other": "run", "inside": "file", "paths": "path"}


def known_to(client: httpx.Client, root: Path, secret: Path) -> Known:
    """The ids and folders that there are now, and names that would lead out of the library."""
    found = {
        name: [one["id"] for one in client.get(f"/api/{name}s{few}").json()["items"]]
        for few, names in (("?count=50", ("file", "moment", "mark", "run")), ("", ("job",)))
        for name in names
    }
    found["path"] = [str(root), str(root / "..")]
    out = [str(secret), f"../{secret.name}", f"..%2F{secret.name}", "../" * 9 + str(secret)]
    return {name: some + out for name, some in found.items()}


def with_known(given: Any, name: str, known: Known, chance: random.Random) -> Any:
    """What schemathesis made, with some of the values that are known in the place of its own."""
    if isinstance(given, dict):
        return {key: with_known(one, key, known, chance) for key, one in given.items()}
    if isinstance(given, list):
        return [with_known(one, name, known, chance) for one in given]
    some = known.get(ALIASES.get(name, name))
    return chance.choice(some) if some and isinstance(given, str) else given


@dataclass
class Heard:
    """What was asked and answered."""

    made: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    told: int = 0

    def judge(self, case: Case, answer: Any, scope: str) -> None:
        """Count an answer, and what is wrong with it."""
        status, content = answer.status_code, answer.content
        self.made += 1
        self.answers[str(status)] += 1
        self.addresses[case.operation.label] += 1
        if status >= 500:
            self.mark("server_errors", case, f"{status} {content[:300]!r}")
        if SECRET in content:
            self.mark("leaks", case, f"{status}")
        if status < 400 and not may(scope, case):
            self.mark("too_much", case, f"{status} with the token {scope}")
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            self.mark("not_described", case, "; ".join(str(one) for one in failures.exceptions))

    def mark(self, what: str, case: Case, said: str) -> None:
        """Count a failure, and tell of the first ones."""
        self.wrong[what] += 1
        self.told += 1
        if self.told <= SHOWN:
            print(f"{what}: {case.as_curl_command()}\n  {said}", file=sys.stderr, flush=True)


def may(scope: str, case: Case) -> bool:
    """Whether a token may do what it was answered for."""
    path = case.operation.path
    if scope == "none":
        return path in FOR_ALL
    return scope == "write" or is_reading(case.method.upper(), path)


def write_runs(folder: Path) -> None:
    """Two training runs that were stopped."""
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        log = Log(folder / name, 0, 0)
        for step in range(1, 9):
            log.write("step", step, {"loss": 1 / step, "lr": 1e-3})
        log.close()
        write_recipe(as_stored(read_recipe("toybox/vop")), folder / name)


def sender(address: str, heard: Heard, known: Known, chance: random.Random) -> Any:
    """A function that sends a case, and counts its answer."""
    quoted = {name: [quote(one, safe="") for one in some] for name, some in known.items()}

    def send(case: Case) -> None:
        scope = chance.choices(("write", "read", "none"), (60, 35, 5))[0]
        rare = case.method.upper() == "DELETE" or case.operation.path in RARE
        if chance.random() < (0.02 if rare else 0.5):
            case.query = with_known(case.query, "", known, chance)
            case.body = with_known(case.body, "", known, chance)
            case.path_parameters = with_known(case.path_parameters, "", quoted, chance)
        token = TOKENS.get("REELTUNE_TOKEN" if scope == "write" else "REELTUNE_READ_TOKEN")
        headers = {} if scope == "none" else {"Authorization": f"Bearer {token}"}
        if chance.random() < 0.1:
            headers["Range"] = chance.choice(("bytes=0-99", "bytes=-5", "bytes=9-1", "lines=1-2"))
        answer = case.call(address, headers=headers, timeout=PATIENCE)
        heard.judge(case, answer, scope)

    return send


def asked(operation: Any, count: int, seed: int, send: Callable[[Any], None]) -> None:
    """Have up to so many cases of one address sent: there may be fewer."""
    modes = [*schemathesis.GenerationMode]
    strategy = one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[*hypothesis.HealthCheck],
    )
    @hypothesis.given(strategy)
    def all_of_them(case: Case) -> None:
        send(case)

    all_of_them()


def fuzz(place: Path, clips: list[Path], count: int, seed: int) -> Heard:
    """Ask a server of these clips so many times, in rounds over all addresses."""
    heard, root, secret = Heard(), place / "root", place / "secret.mp4"
    root.mkdir()
    secret.write_bytes(SECRET)
    (root / "link.mp4").symlink_to(secret)
    for clip in clips:
        (root / clip.name).write_bytes(clip.read_bytes())
    write_runs(place / "runs")
    options = ("--token", "--runs", str(place / "runs"))
    with serving(place / "library", root, *options, tokens=TOKENS) as client:
        client.headers["Authorization"] = f"Bearer {TOKENS['REELTUNE_TOKEN']}"
        described = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
        operations = [one.ok() for one in described.get_all_operations() if isinstance(one, Ok)]
        of_each = min(AT_ONCE, max(1, count // len(operations)))
        while heard.made < count:
            brought_in(client, root)
            known, chance = known_to(client, root, secret), random.Random(seed)
            send = sender(str(client.base_url), heard, known, chance)
            for operation in operations:
                if left := count - heard.made:
                    asked(operation, min(of_each, left), seed, send)
            seed += 1
        client.get("/api/health").raise_for_status()
    return heard


def main() -> int:
    chosen = arguments("requests", 10_000)
    with TemporaryDirectory() as name:
        place = Path(name).resolve()
        heard = fuzz(place, clips_of(chosen.clips, place), chosen.requests, chosen.seed)
    emit(
        "fuzzed requests",
        requests=heard.made,
        seed=chosen.seed,
        addresses=len(heard.addresses),
        fewest=min(heard.addresses.values()),
        answers=dict(sorted(heard.answers.items())),
        **{name: heard.wrong[name] for name in FIGURES},
    )
    return int(any(heard.wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
