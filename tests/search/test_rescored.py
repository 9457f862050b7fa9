"""Searching with a model that has a score of its own: what it finds, keeps and refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
import torch
from moment_tables import DIM, MANIFEST, Moments, random_files, unit

from reeltune.cli.output import show_hits
from reeltune.errors import CheckpointError, ConfigError, LibraryError
from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.search import query as query_module
from reeltune.search._rescore import Score, indexed_columns, score_of
from reeltune.search.holdings import info
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import verify
from reeltune.search.query import Ask, answer, may_match
from reeltune.search.repair import repair
from reeltune.search.store import table as _table
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.manifest import FILE_NAME, SCHEMA_VERSION, Manifest
from reeltune.search.store.nearest import build_index, vectors_of
from reeltune.search.store.schema import CHECKSUM, REST, to_table
from reeltune.types import Hit, Rescored
from search.hybrid_model import write_hybrid
from search.made_once import MadeOnce

CONCEPTS = 5
SPLIT = Manifest(
    **MANIFEST.model_dump(exclude={"dim", "indexed"}),
    dim=DIM + CONCEPTS,
    indexed=DIM,
)
ALL = 100_000  # candidates: every moment


class Stand:
    """Files with whole vectors, their table, and a text with the model's score of it."""

    def __init__(self, folder: Path, seed: int, files: int = 12) -> None:
        rng = np.random.default_rng(seed)
        self.files = [with_concepts(file, rng) for file in random_files(rng, files)]
        rows = pa.concat_tables([to_table(file, SPLIT, 0) for file in self.files])
        self.dataset = Table.create(folder / "t.lance", rows)
        self.text = np.concatenate([unit(rng, DIM), rng.random(CONCEPTS)]).astype(np.float32)
        torch.manual_seed(0)
        settings = Config.tiny().model_copy(update={"latent": DIM, "concepts": CONCEPTS})
        self.model = settings.model_copy(update={"encoder": None, "alpha": 0.3}).build()
        self.model.divisors.copy_(torch.tensor([0.7, 0.2]))

    @property
    def own(self) -> Score:
        return score_of(self.model, self.text)

    def answer(self, ask: Ask, gallery: Gallery | None = None) -> list[Hit]:
        gallery = gallery or Gallery.read(self.dataset)
        return answer(gallery, self.text[:DIM], ask, own=self.own)

    def slow_scores(self) -> dict[str, float]:
        """By id the hybrid score, from its definition, one moment at a time."""
        found, (latent, concept) = {}, self.model.divisors.tolist()
        for file in self.files:
            ids = to_table(file, SPLIT, 0)["id"].to_pylist()
            for one, vector in zip(ids, file.vector.astype(np.float64), strict=True):
                cosine = float(vector[:DIM] @ self.text[:DIM].astype(np.float64))
                ours, theirs = vector[DIM:], self.text[DIM:].astype(np.float64)
                alike = np.minimum(ours, theirs).sum() / np.maximum(ours, theirs).sum()
                found[one] = 0.3 * cosine / latent + 0.7 * alike / concept
        return found


def with_concepts(file: Moments, rng: np.random.Generator) -> Moments:
    """The moments, each with probabilities of concepts behind its vector."""
    concepts = rng.random((len(file.start), CONCEPTS)).astype(np.float32)
    return replace(file, vector=np.concatenate([file.vector, concepts], axis=1))


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many candidates there are at first."""

    def set_to(count: int) -> None:
        monkeypatch.setattr(query_module, "OWN_LOOK", count)
        monkeypatch.setattr(query_module, "OWN_ANSWER", 0)

    return set_to


@pytest.mark.parametrize("seed", range(6))
def test_with_all_moments_as_candidates_the_order_is_that_of_brute_force(
    tmp_path: Path, seed: int, look: Callable[[int], None]
) -> None:
    look(ALL)
    stand = Stand(tmp_path, seed)
    slow = stand.slow_scores()
    hits = stand.answer(Ask(k=ALL, per_video=ALL, fold=False))
    assert [hit.id for hit in hits] == sorted(slow, key=lambda one: -slow[one])
    assert [hit.score for hit in hits] == pytest.approx([slow[hit.id] for hit in hits], abs=1e-6)


@pytest.mark.parametrize("per_video", [None, 1])
@pytest.mark.parametrize("count", [3, 10, 40])
def test_candidates_are_the_best_by_cosine_and_nothing_else_is_shown(
    tmp_path: Path, count: int, per_video: int | None, look: Callable[[int], None]
) -> None:
    look(count)
    stand = Stand(tmp_path, 1)
    slow = stand.slow_scores()
    by_cosine = answer(
        Gallery.read(stand.dataset), stand.text[:DIM], Ask(k=ALL, per_video=ALL, fold=False)
    )
    least = by_cosine[count - 1].score - 2e-5
    best = {hit.id for hit in by_cosine if hit.score >= least}
    (first,) = stand.answer(Ask(k=1, per_video=per_video))
    assert first.id == max(best, key=lambda one: slow[one])


def test_too_few_answers_make_it_look_further(tmp_path: Path, look: Callable[[int], None]) -> None:
    stand = Stand(tmp_path, 2)
    look(ALL)
    whole = stand.answer(Ask(k=12))
    look(1)
    hits = stand.answer(Ask(k=12))
    assert {hit.path for hit in hits} == {hit.path for hit in whole}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_filters_and_folds_are_as_ever(tmp_path: Path) -> None:
    stand = Stand(tmp_path, 3)
    hits = stand.answer(Ask(k=5, where="path like 'v1%'", per_video=1))
    assert {hit.path for hit in hits} <= {"v1.mp4", "v10.mp4", "v11.mp4"}
    assert len({hit.path for hit in hits}) == len(hits)
    everything = stand.answer(Ask(k=ALL, per_video=ALL, fold=False))
    assert len(stand.answer(Ask(k=ALL))) < len(everything) == Gallery.read(stand.dataset).count


def test_no_confidence_is_known_of_scores_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = Stand(tmp_path, 4).answer(Ask(k=3))
    assert [hit.confidence for hit in hits] == [None] * 3
    assert may_match(hits, "a dog")
    with pytest.raises(ConfigError, match=r"min_confidence is 0.5, but .* leave it out"):
        Stand(tmp_path / "other", 4).answer(Ask(min_confidence=0.5))
    show_hits(hits, "a dog")
    shown = capsys.readouterr().out
    assert "?" in shown
    assert "nothing" not in shown


def test_moments_of_equal_vectors_stand_in_the_order_of_their_ids(
    tmp_path: Path, look: Callable[[int], None]
) -> None:
    look(ALL)
    stand = Stand(tmp_path, 5, files=30)
    rows = stand.dataset.to_table()
    same = rows.set_column(
        rows.schema.get_field_index(REST),
        rows.schema.field(REST),
        rows[REST].combine_chunks().take(pa.array([0] * len(rows))),
    )
    vectors = rows["vector"].combine_chunks().take(pa.array([0] * len(rows)))
    same = same.set_column(
        same.schema.get_field_index("vector"), same.schema.field("vector"), vectors
    )
    gallery = Gallery.read(Table.create(tmp_path / "same.lance", same))
    hits = stand.answer(Ask(k=ALL, per_video=ALL, fold=False), gallery)
    assert [hit.id for hit in hits] == sorted(hit.id for hit in hits)
    assert len({hit.score for hit in hits}) == 1


def test_through_the_index_the_answers_are_those_of_memory(tmp_path: Path) -> None:
    stand = Stand(tmp_path, 6, files=60)
    build_index(stand.dataset)
    memory, disk = Gallery(stand.dataset), Gallery(stand.dataset, ann_rows=10)
    for where in (None, "path like 'v1%'", "duration > 1000"):
        ask = Ask(k=7, where=where)
        hits = stand.answer(ask, memory)
        assert hits == stand.answer(ask, disk)
        assert bool(hits) == (where != "duration > 1000")


def test_a_rest_that_is_not_finite_is_named_with_the_remedy(tmp_path: Path) -> None:
    stand = Stand(tmp_path, 7)
    stand.files[0].vector[0, -1] = np.nan
    rows = pa.concat_tables([to_table(file, SPLIT, 0) for file in stand.files])
    gallery = Gallery.read(Table.create(tmp_path / "bad.lance", rows))
    with pytest.raises(LibraryError, match=r"not finite; find and mend.*library repair"):
        stand.answer(Ask(), gallery)


def test_columns_that_are_indexed_are_all_but_for_models_with_a_rest() -> None:
    tiny = Config.tiny()
    hybrid = tiny.build()
    assert isinstance(hybrid, Rescored)
    assert (indexed_columns(hybrid), hybrid.dim) == (12, 17)
    latent = tiny.model_copy(update={"concepts": 0}).build()
    assert indexed_columns(latent) == latent.dim == 12


def test_a_manifest_names_the_indexed_columns_where_they_are_not_all() -> None:
    assert "indexed" not in json.loads(MANIFEST.as_json())
    assert SPLIT.settings_hash() != MANIFEST.settings_hash()
    assert json.loads(SPLIT.as_json())["indexed"] == DIM


# The whole path, over real clips.


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Dual Encoding on frames through the tiny CLIP."""
    folder = tmp_path_factory.mktemp("hybrid")
    write_hybrid(folder)
    return folder


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, hybrid: Path) -> MadeOnce:
    """A library of three clips, beside them."""

    def make(videos: Path) -> None:
        choice = Choice(model=str(hybrid))
        assert index([str(videos)], videos.parent / "library", choice).exit_code == 0

    return MadeOnce(tmp_path_factory.mktemp("made"), make)


@pytest.fixture
def videos(once: MadeOnce) -> Path:
    return once.anew()


@pytest.fixture
def made(videos: Path) -> Path:
    return videos.parent / "library"


def test_a_library_keeps_both_parts_and_searches_by_the_hybrid_score(made: Path) -> None:
    assert verify(made).faults == []
    facts = info(made)
    assert (facts["dim"], facts["indexed"], facts["schema_version"]) == (17, 12, SCHEMA_VERSION)
    opened = Library(made)
    rows = _table.open_table(made).to_table()
    whole = torch.from_numpy(np.hstack([vectors_of(rows), vectors_of(rows, REST)]))
    assert whole.shape[1] == 17
    text = "a red square"
    assert isinstance(opened.model, DualEncoding)
    with torch.inference_mode():
        words = opened.model.encode_text(opened.model.tokenize([text]))
        scores = opened.model.similarity(words, whole)[0]
    best = dict(zip(rows["id"].to_pylist(), scores.tolist(), strict=True))
    hits = opened.search(text, fold=False)
    assert [hit.id for hit in hits] == sorted(best, key=lambda one: -best[one])
    assert [hit.score for hit in hits] == pytest.approx([best[hit.id] for hit in hits], abs=1e-5)
    assert opened.embed_text([text, "a circle"]).shape == (2, 12)


def test_a_video_is_its_own_best_answer_by_the_cosine(made: Path, videos: Path) -> None:
    (hit,) = Library(made).search(video=videos / "green.mp4", k=1)
    assert hit.score <= 1 + 1e-6


def test_a_broken_rest_is_found_and_mended(made: Path) -> None:
    table = _table.open_table(made)
    rows = table.to_table()
    rest = vectors_of(rows, REST)
    rest[0] = np.inf
    column = pa.FixedSizeListArray.from_arrays(pa.array(rest.reshape(-1)), rest.shape[1])
    at = rows.schema.get_field_index(REST)
    broken = rows.set_column(at, rows.schema.field(REST), column)
    at = rows.schema.get_field_index(CHECKSUM)
    unknown = pa.nulls(rows.num_rows, pa.int64())  # one that is known would tell as well
    broken = broken.set_column(at, rows.schema.field(CHECKSUM), unknown)
    lance.write_dataset(broken, str(made / _table.NAME), mode="overwrite")
    (fault,) = verify(made).faults
    assert "has vectors whose rest is not finite" in fault
    assert repair(made) == ["took out what is at fault, 1 of 3 files; index it again"]
    assert verify(made).faults == []


def test_a_lost_manifest_comes_back_from_the_table(made: Path) -> None:
    before = Manifest.read(made)
    (made / FILE_NAME).unlink()
    assert repair(made) == [
        f"wrote {FILE_NAME} again from the table; it leaves out nothing and finds no words"
    ]
    assert Manifest.read(made) == before


def test_a_model_of_stored_features_alone_leaves_no_library(videos: Path, tmp_path: Path) -> None:
    Config.tiny().model_copy(update={"encoder": None}).build().save_pretrained(tmp_path / "m")
    library = tmp_path / "library"
    with pytest.raises(
        ConfigError, match=r"reads stored frame features alone.*give --set config\.encoder=MODEL"
    ):
        index([str(videos)], library, Choice(model=str(tmp_path / "m")))
    assert not (library / FILE_NAME).exists()
    assert not _table.exists(library)


def test_a_model_without_ranges_of_its_scores_leaves_no_library(
    videos: Path, tmp_path: Path
) -> None:
    Config.tiny().build().save_pretrained(tmp_path / "m")
    library = tmp_path / "library"
    with pytest.raises(CheckpointError, match=r"m has no ranges of its scores"):
        index([str(videos)], library, Choice(model=str(tmp_path / "m")))
    assert not (library / FILE_NAME).exists()


def test_a_library_of_another_layout_is_refused(made: Path, videos: Path, hybrid: Path) -> None:
    fields = json.loads((made / FILE_NAME).read_text())
    del fields["indexed"]
    (made / FILE_NAME).write_text(json.dumps(fields))
    with pytest.raises(LibraryError, match=r"made with indexed None .*, not 12 .*library reindex"):
        index([str(videos)], made, Choice(model=str(hybrid)))
