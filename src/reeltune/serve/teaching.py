"""Tuning by what people marked: how much there is, what more is wanted, and what came of it.

Each tuning has a folder within the library's, named by its captions and its model, so that one that
was stopped goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reeltune.errors import LibraryError, counted, in_shell, in_short
from reeltune.evaluation.comparison import FEWEST
from reeltune.search.mark_captions import LEAST, TURN, MarkCaptions, captions_of
from reeltune.search.marks import read_marks
from reeltune.search.store.manifest import Manifest
from reeltune.serve.errors import Refusal
from reeltune.serve.jobs import ENDED, Job
from reeltune.serve.state import State
from reeltune.serve.training_runs import run_id
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place
from reeltune.storage.run_log import METRICS, VERDICT
from reeltune.storage.settings_file import read_json

CAPTIONS, BEGUN = "captions.csv", "begun.json"
SHOWN = 20  # tunings
FAR = 1000  # videos, beyond which nobody counts


class Tuned(BaseModel):
    """A tuning, and what it was worth."""

    id: str = Field(description="Of its run: /api/runs/{id} has its curves and figures.")
    state: Literal["finished", "unfinished"]
    in_use: bool = Field(description="Whether the library has this model now.")
    verdict: str | None = Field(default=None, description="In words, with the interval.")
    is_better: bool = False
    wrong: str | None = Field(
        default=None, description="What became of held-out moments that were marked wrong."
    )


class Teaching(BaseModel):
    """What was marked, and what a fair verdict wants."""

    videos: int = Field(description="Videos with marks, or captions.")
    learn: int = Field(description="Moments with a caption to learn from.")
    choose: int = Field(description="Moments with a caption to choose the epoch by.")
    test: int = Field(description="Moments with a caption to test on, which are never learned.")
    wrong: int = Field(description="Moments that were marked wrong for some words.")
    without_file: int = Field(description="Marks of videos that the library has no more.")
    unsayable: int = Field(description="Marks of videos that captions cannot name.")
    unread: int = Field(description="Lines of the file of marks that are none.")
    wanted: int = Field(description="Further videos to caption a moment of before tuning can go.")
    wanted_for_verdict: int = Field(description="Those before a gain could be beyond chance.")
    model: str = Field(description="The model that would be tuned.")
    tunings: list[Tuned] = Field(description="The newest first.")


class _Begun(BaseModel):
    """What a tuning began with."""

    model_config = ConfigDict(extra="forbid")
    model: str


def folder_of(library: Place) -> Path:
    """The folder of a library in the file system; raises LibraryError for one in an object store,
    where no training can put its files."""
    if isinstance(library, ObjectPath):
        raise LibraryError(
            f"tuning from the page is for libraries in folders alone, and {library} lies in an "
            f"object store; write its marks by reeltune library marks {in_shell(library)} -o "
            "captions.csv, and tune by these"
        )
    return Path(str(library))


def tunings_of(library: Path) -> Path:
    """The folder of a library's tunings, which need not be there."""
    return library / "tunings"


def run_folders(held: State) -> tuple[Path, ...]:
    """The folders whose training runs are shown: those named at the start, and the library's
    tunings."""
    if isinstance(held.folder, ObjectPath):
        return held.settings.runs
    own = tunings_of(folder_of(held.folder))
    return (*held.settings.runs, *([own] if own.is_dir() else []))


def teaching(library: Path) -> Teaching:
    """How much of a library is marked, and its tunings."""
    kept = read_marks(library)
    captions = captions_of(library, kept)
    each = captions.counts()
    model = model_of(library)
    return Teaching(
        videos=captions.files,
        learn=each["train"],
        choose=each["val"],
        test=each["test"],
        wrong=captions.count(label="wrong"),
        without_file=captions.without_file,
        unsayable=captions.unsayable,
        unread=kept.bad,
        wanted=_wanted(captions, len(kept.files), test=1),
        wanted_for_verdict=_wanted(captions, len(kept.files), test=FEWEST),
        model=model,
        tunings=_tunings(library),
    )


def begin(held: State) -> Job:
    """Have a model tuned by what is marked, as a job; raises Refusal where there is too little, or
    where there is nothing to be done."""
    library = folder_of(held.library().folder)
    kept = read_marks(library)
    captions = captions_of(library, kept)
    if more := _wanted(captions, len(kept.files), test=1):
        raise Refusal(
            409,
            "TooFewMarks",
            f"tuning needs captions of {LEAST} moments to learn from and of one to test on; write "
            f"some for moments of about {counted(more, 'further video')}, or for more moments of "
            "those marked",
        )
    model = model_of(library)
    out = _place(library, captions, model)
    _require_to_do(held, out)
    out.mkdir(parents=True, exist_ok=True)
    captions.write(out / CAPTIONS)
    write_atomically(out / BEGUN, json.dumps({"model": model}).encode())
    return _added(held, out, model)


def go_on(held: State, run: str) -> Job:
    """Have a tuning go on that was stopped, by the captions that it began with, as a job; raises
    Refusal where it is not there, or there is nothing to be done."""
    out = _tuning(folder_of(held.library().folder), run)
    _require_to_do(held, out)
    begun = _begun(out)
    if begun is None or not (out / CAPTIONS).is_file():
        raise Refusal(409, "NotBegun", f"the tuning {run} lacks what it began with; tune again")
    return _added(held, out, begun.model)


def _require_to_do(held: State, out: Path) -> None:
    """Raise Refusal where a tuning goes on, or this one is finished."""
    going = [job for job in held.jobs.all() if job.kind == "tune" and job.state not in ENDED]
    if going:
        raise Refusal(409, "Busy", f"the job {going[0].id} tunes already; stop it, or wait")
    if (out / METRICS).is_file():
        raise Refusal(
            409, "TunedAlready", "a model was tuned by these very marks already; mark more first"
        )


def _added(held: State, out: Path, model: str) -> Job:
    wanted = {"out": str(out), "model": model, "device": held.settings.device, "run": run_id(out)}
    return held.jobs.add("tune", wanted)


def use(held: State, run: str) -> Job:
    """Have the library made anew with a tuned model, as a job; raises Refusal for a tuning that is
    not there or not finished."""
    library = folder_of(held.library().folder)
    out = _tuning(library, run)
    if not (out / METRICS).is_file():
        raise Refusal(409, "NotFinished", f"the tuning {run} is not finished; tune again to go on")
    wanted = {
        "library": str(library),
        "model": str(out),
        "device": held.settings.device,
        "drop_missing": False,
    }
    return held.jobs.add("reindex", wanted)


def _tuning(library: Path, run: str) -> Path:
    """The folder of a tuning by the id of its run; raises Refusal for one that is not there."""
    out = next((one for one in _folders(library) if run_id(one) == run), None)
    if out is None:
        raise Refusal(
            404, "NoRun", f"there is no tuning {run}; /api/teaching lists those there are"
        )
    return out


def model_of(library: Path) -> str:
    """The model that would be tuned: that of the library, or where this is one of its tunings, the
    one that it began from."""
    model = Manifest.read(library).model
    begun = _begun(Path(model)) if Path(model).parent == tunings_of(library) else None
    return model if begun is None else begun.model


def _begun(folder: Path) -> _Begun | None:
    try:
        return _Begun.model_validate(read_json(folder / BEGUN))
    except (OSError, ValueError, ValidationError):
        return None


def _place(library: Path, captions: MarkCaptions, model: str) -> Path:
    """The folder of the tuning of a model by these captions."""
    said = json.dumps([model, captions.rows], sort_keys=True).encode()
    return tunings_of(library) / hashlib.blake2b(said, digest_size=6).hexdigest()


def _wanted(captions: MarkCaptions, files: int, test: int) -> int:
    """How many further videos, with one captioned moment each, fill what is learned from, and what
    is tested on with so many; `files` were marked so far."""
    lacks = {"train": LEAST - captions.count("train"), "test": test - captions.count("test")}
    more = 0
    while max(lacks.values()) > 0 and more < FAR:
        part = TURN[(files + more) % len(TURN)]
        if part in lacks:
            lacks[part] -= 1
        more += 1
    return more


def _folders(library: Path) -> Sequence[Path]:
    """The folders of the tunings, the newest first."""
    place = tunings_of(library)
    found = [one for one in place.iterdir() if one.is_dir()] if place.is_dir() else []
    return sorted(found, key=lambda one: (-one.stat().st_mtime, one.name))


def _tunings(library: Path) -> list[Tuned]:
    in_use = Manifest.read(library).model
    return [_tuned(folder, str(folder) == in_use) for folder in _folders(library)[:SHOWN]]


def _tuned(folder: Path, in_use: bool) -> Tuned:
    """A tuning by what its folder says."""
    id = run_id(folder)
    if not (folder / METRICS).is_file():
        return Tuned(id=id, state="unfinished", in_use=in_use)
    found: dict[str, Any]
    try:
        found = read_json(folder / VERDICT)
        wrong = found["wrong"] and found["wrong"]["said"]
        return Tuned(
            id=id,
            state="finished",
            in_use=in_use,
            verdict=found["verdict"],
            is_better=found["is_better"],
            wrong=wrong,
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        said = f"{VERDICT} cannot be read ({in_short(error)})"
        return Tuned(id=id, state="finished", in_use=in_use, verdict=said)
