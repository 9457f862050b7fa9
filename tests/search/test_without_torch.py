"""A search by words starts without torch, whose import takes longer than all else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from reeltune.errors import LibraryError
from reeltune.models.text_towers import known
from reeltune.search._kept_usual import FILE_NAME as USUAL
from reeltune.search.ingest import REPORT_NAME, index
from reeltune.search.library import Library
from reeltune.search.maintain import verify
from reeltune.search.store.manifest import Manifest

HEAVY = ("torch", "transformers", "matplotlib", "scipy", "av", "huggingface_hub")
LIGHT = (  # modules that must not wait for those
    "reeltune",
    "reeltune.records",
    "reeltune.cli.app",
    "reeltune.cli.shown_hits",
    "reeltune.cli.kept_hits",
    "reeltune.search.library",
    "reeltune.search.choice",
    "reeltune.search.encoder",
    "reeltune.models.opening.sentences",
    "reeltune.models.text_towers.known",
    "reeltune.serve.run",
    "reeltune.serve.client",
)
SAYS = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([*{{*{HEAVY!r}}} & {{*sys.modules}}]), file=sys.stderr))
"""

COMMAND = "sys.argv[0] = 'reeltune'; from reeltune.__main__ import main; main()"


def heavy_after(program: str, *arguments: str) -> tuple[str, list[str]]:
    """What a program prints, and which heavy modules it has imported."""
    command = [sys.executable, "-c", SAYS + program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


def test_lite_reads_frames_without_transformers() -> None:
    program = "from reeltune.models.opening.open import open_model; print(open_model('lite').name)"
    printed, heavy = heavy_after(program)
    assert printed == "lite\n"
    assert "torch" in heavy
    assert "transformers" not in heavy


def test_the_command_searches_by_words_without_torch(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("search", "a red wall + green - blue", "--library", str(library), "--json")
    printed, heavy = heavy_after(COMMAND, *asked)
    assert heavy == []
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path))  # which is empty: torch reads the words
    hits = Library(library).search("a red wall + green - blue")
    found = json.loads(printed)
    assert [hit["id"] for hit in found] == [hit.id for hit in hits]
    for one, other in zip(found, hits, strict=True):
        assert abs(one["score"] - other.score) < 1e-5
        assert abs(one["confidence"] - other.confidence) < 1e-3  # type: ignore[operator]


def test_a_library_in_which_nothing_is_new_is_indexed_without_its_model(
    library: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(library.parent, tmp_path / "home")) / "lib"
    videos = str(library.parent / "videos")
    told, heavy = heavy_after(COMMAND, "index", videos, "-l", str(copy), "--json")
    assert heavy == []
    first, report = json.loads((library / REPORT_NAME).read_text()), json.loads(told)
    assert len(report["unchanged"]) == len(first["indexed"])
    assert report["precision"] == first["precision"]
    copies = str(tmp_path / "home" / "videos")  # which are read, but not decoded
    told, heavy = heavy_after(COMMAND, "index", copies, "-l", str(copy), "--json")
    assert heavy == []
    assert len(json.loads(told)["copies"]) == len(first["indexed"])
    assert json.loads(told)["precision"] == first["precision"]
    (copy / USUAL).unlink()  # which the model alone can measure
    _, heavy = heavy_after(COMMAND, "index", videos, "-l", str(copy))
    assert "torch" in heavy
    assert (copy / USUAL).read_bytes() == (library / USUAL).read_bytes()


def test_a_model_that_was_changed_is_found_out_though_nothing_is_new(
    library: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(library, tmp_path / "lib"))
    kept = Manifest.read(copy)
    model = Path(shutil.copytree(kept.model, tmp_path / "model"))
    kept.model_copy(update={"model": str(model)}).write(copy)
    videos = [str(library.parent / "videos")]
    assert not index(videos, copy).indexed
    assert known.stored(str(model), kept.fingerprint) is not None
    weights = model / "model.safetensors"
    held = load_file(weights)
    save_file({name: 2 * weight for name, weight in held.items()}, weights, {"format": "pt"})
    with pytest.raises(LibraryError, match="fingerprint"):
        index(videos, copy)


def test_python_and_what_a_server_holds_need_no_torch(library: Path) -> None:
    imports = "\n".join(f"import {name}" for name in LIGHT)
    program = f"""{imports}
from pathlib import Path
from reeltune.serve.settings import Settings
from reeltune.serve.state import State
held = State(Settings(library=Path({str(library)!r})))
held.warm()
print(len(held.library().search("a red wall")))
held.jobs.close()
"""
    printed, heavy = heavy_after(program)
    assert heavy == []
    assert int(printed) == len(Library(library).search("a red wall"))


def test_verify_reads_the_models_files_whole(library: Path) -> None:
    manifest = Manifest.read(library)
    found = known.stored(manifest.model, manifest.fingerprint)
    assert found is not None
    assert verify(library).remarks == []
    wrong = dict.fromkeys(found.files, "0" * 64)
    words = known.place_of(found.name, found.fingerprint) / known.WORDS
    known.keep(found.model_copy(update={"files": wrong}), words.read_text())
    (remark,) = verify(library).remarks
    assert "are not as they were when its fingerprint was taken" in remark
    assert known.stored(manifest.model, manifest.fingerprint) is None
    known.keep(found, words.read_text())
