"""`reeltune export --to sentence-transformers`: a folder that this library loads, held to ours."""

import logging
from typing import Any

import numpy as np
import torch
from PIL import Image

from reeltune.errors import ConfigError, in_short
from reeltune.evaluation.agreement import Vectors, agreement
from reeltune.models.clip import Clip
from reeltune.models.exported.sentence_transformers import (
    plain_clip,
    write_sentence_transformers,
)
from reeltune.models.opening.open import open_model
from reeltune.registry import given
from reeltune.runs.export import ExportReport, Form, by_torch, bytes_of, judged, timed
from reeltune.runs.place import RunPlace
from reeltune.search.background import captions
from reeltune.storage.outputs import new_folder

FAR = 1e-4  # from our own vectors, which no number may be
NOT_CLEANED = (
    "sentence-transformers does not mend broken letters and HTML in texts first, as CLIP's own "
    "release and Reeltune do"
)


def export_sentences(name: str, place: RunPlace, repeats: int = 9) -> ExportReport:
    """Write the CLIP called `name` to `place.out`, and compare what both libraries make of it.

    Raises ConfigError for a model that has no such form, and where sentence-transformers, which
    loads the folder, is absent or makes other vectors of it.
    """
    model = plain_clip(open_model(given(name), "cpu"), name)
    loads = _library()
    with new_folder(place.out) as folder:
        write_sentence_transformers(model, folder)
        theirs = loads(str(folder), device="cpu", local_files_only=True)
        shown = judged()
        made = Vectors(theirs.encode(captions()), theirs.encode(shown))
        ours = by_torch(model)
        off = max(
            float(np.abs(ours.texts - made.texts).max()),
            float(np.abs(ours.pictures - made.pictures).max()),
        )
        if off > FAR:
            raise ConfigError(
                f"{name} cannot be exported: what sentence-transformers makes of it is off by "
                f"{off:.2g}, and at most {FAR:.2g} is rounding; please report the model"
            )
        files = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        forms = _forms(model, theirs, files, shown, repeats)
    said = (NOT_CLEANED,) if model.rule.cleaning == "clip" else ()
    return ExportReport(
        model=name,
        folder=place.out,
        forms=forms,
        off_by=off,
        agreement=agreement(ours, made),
        said=said,
    )


def _library() -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ConfigError(
            f"sentence-transformers, which loads the folder, is absent ({in_short(error)}); get it "
            "with: pip install sentence-transformers"
        ) from error
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    return SentenceTransformer


@torch.inference_mode()
def _forms(
    model: Clip, theirs: Any, files: int, shown: list[Image.Image], repeats: int
) -> tuple[Form, Form]:
    side = model.pixels.size
    frames = [one.resize((side, side)) for one in shown[:8]]
    seen = torch.from_numpy(np.stack([np.asarray(one).transpose(2, 0, 1) for one in frames]))
    medians = timed(
        {
            "read": lambda text: model.encode_text(model.tokenize([text])),
            "read by them": lambda text: theirs.encode([text], show_progress_bar=False),
            "watch": lambda _: model.encode_frames(seen),
            "watch by them": lambda _: theirs.encode(frames, show_progress_bar=False),
        },
        repeats,
    )
    return (
        Form(name="torch", size=bytes_of(model), text_ms=medians[0], frames_ms=medians[2]),
        Form(name="sentence-transformers", size=files, text_ms=medians[1], frames_ms=medians[3]),
    )
