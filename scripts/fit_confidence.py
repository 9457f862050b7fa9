"""Fit what turns scores of texts into confidence, and check it on data that took no part.

    python scripts/fit_confidence.py --data ../shared/data --cache /tmp/confidence

Photos of Flickr8k stand for moments, in galleries of several sizes, and clips of MSR-VTT, MSVD and
others for small libraries. Queries are captions, and words on which the captions of a photo agree.
A query is present (half of the weight), removed (what it is of is not in the gallery) or far (of
MSVD, with nothing like it here). An answer matches a word that any of its captions has, and a
caption if it is its own or its captions agree with it as much as three of four captions agree with
another one of their own photo.

What takes part in what: development photos are split into those of the fit and of the validation,
test photos only test; the clips of MSVD and TGIF validate, the others test; words are split by a
hash, and those of the tested clips are of the test. Weights are fitted to `lite` alone; what is
usual for a model, and the other models, are looked at on the validation. Photos of the training
split are pictures that have nothing to do with a query, of which features were tried.

Prints the log loss of each choice of features and of scale on the validation, the weights and the
thresholds, and the figures of the test by those in use and by those that were fitted now.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from confidence_data import Encoder, Shown, clips, photos, unit
from confidence_questions import Asker, Question
from fit_picture_confidence import area, chance, regression
from reeltune.search._confidence import MOST, POOR, WEIGHTS, kind_of
from reeltune.search._usual import Baseline, Usual, usual
from reeltune.search.background import captions

# The models, as the columns of lite that are theirs; a head alone knows no names of things.
MODELS = {"lite": slice(None), "lite-zero": slice(384, None), "head of lite": slice(384)}
STATES = {"present": 0.5, "removed": 0.25, "far": 0.25}  # weight
KINDS = ("short", "text")
# Most right first answers that may be called bad, by the mean of photos and clips
WRONG = {"short": 0.05, "text": 0.1}
CHOSEN_ON = {"fit": 0.25, "val": 0.25, "val clips": 0.5}  # weight
BOOTSTRAPS = 1000
Columns = dict[str, np.ndarray]
Inputs = Callable[[Columns], list[np.ndarray]]


def asked(shown: Shown, questions: list[Question], encoder: Encoder, model: str) -> Columns:
    """The best answer of a model to each question, a row each."""
    part = MODELS[model]
    vectors, background, read, seen = (
        unit(one[:, part])
        for one in (
            shown.vectors,
            encoder.background,
            encoder.vectors(captions()),
            encoder.pictures,
        )
    )
    baseline, rows = Baseline(read), []
    models, each = usual(*baseline.of(seen), seen, np.arange(len(seen))), baseline.of(vectors)
    for question in questions:
        query = unit(encoder.vectors([question.text])[:, part])[0]
        scores, far = vectors[question.members] @ query, background @ query
        best, one = int(np.argmax(scores)), question.members
        librarys = usual(each[0][one], each[1][one], vectors[:0], np.empty(0))
        rows.append(
            {
                "sort": question.sort,
                "kind": kind_of(question.text),
                "state": question.state,
                "about": question.about,
                "text": question.text,
                "match": bool(question.match[best]),
                "score": scores[best],
                "count": len(scores),
                **columns_of("the model's", models),
                **columns_of("the library's", librarys),
                **columns_of("halfway", models.halfway_to(librarys)),
                "mean": far.mean(),
                "std": far.std(),
                "low": np.median(far) - np.quantile(far, 0.16),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def columns_of(scale: str, usual: Usual) -> dict[str, float]:
    return {f"texts, {scale}": usual.texts, f"spread, {scale}": usual.spread}


def crowd(found: Columns) -> np.ndarray:
    return np.log(np.minimum(found["count"], MOST))


def strength(found: Columns, of: str = "score", scale: str = "halfway") -> np.ndarray:
    """Deviations above what is usual, for the model, in the library, or halfway between them."""
    return (found[of] - found[f"texts, {scale}"]) / found[f"spread, {scale}"]


def z(found: Columns, spread: str) -> np.ndarray:
    return (found["score"] - found["mean"]) / found[spread]


def score_alone(found: Columns) -> list[np.ndarray]:
    return [strength(found)]


SCALES: dict[str, Inputs] = {
    "the model's": lambda found: [strength(found, scale="the model's")],
    "the library's": lambda found: [strength(found, scale="the library's")],
    "halfway": score_alone,
}
CHOICES: dict[str, Inputs] = {
    "score": score_alone,
    "score, mean of the query": lambda found: [strength(found), strength(found, "mean")],
    "score, mean and deviation of the query": lambda found: [
        *(strength(found), strength(found, "mean")),
        found["std"] / found["spread, halfway"],
    ],
    "z of the query's own distribution": lambda found: [z(found, "std")],
    "z by its lower half": lambda found: [z(found, "low")],
    "z, score": lambda found: [z(found, "std"), strength(found)],
}


def design(found: Columns, inputs: Inputs) -> np.ndarray:
    return np.column_stack([*inputs(found), crowd(found)])


def rows_of(found: Columns, rows: np.ndarray) -> Columns:
    return {name: column[rows] for name, column in found.items()}


def fitted(train: Columns, inputs: Inputs) -> np.ndarray:
    return regression(design(train, inputs), train["match"].astype(float), weight(train))


def by_kind(train: Columns, inputs: Inputs) -> dict[str, np.ndarray]:
    """Weights for short texts and for others."""
    return {kind: fitted(rows_of(train, train["kind"] == kind), inputs) for kind in KINDS}


def sure_by_kind(found: Columns, weights: dict[str, np.ndarray], inputs: Inputs) -> np.ndarray:
    each = [chance(design(found, inputs), weights[kind]) for kind in KINDS]
    return np.where(found["kind"] == KINDS[0], *each)


def weight(found: Columns) -> np.ndarray:
    """Short texts and others count the same, and so do present queries and others."""
    total = np.zeros(len(found["match"]))
    for kind in KINDS:
        for state, share in STATES.items():
            inside = (found["kind"] == kind) & (found["state"] == state)
            total[inside] = share * len(total) / max(inside.sum(), 1)
    return total


def log_loss(found: Columns, sure: np.ndarray) -> float:
    sure = np.clip(sure, 1e-4, 1 - 1e-4)
    losses = -np.where(found["match"], np.log(sure), np.log(1 - sure))
    return float(np.average(losses, weights=weight(found)))


def right(found: Columns) -> np.ndarray:
    return (found["state"] == "present") & found["match"]


def figures(found: Columns, sure: np.ndarray, poor: np.ndarray) -> np.ndarray:
    """Right first answers called bad, first answers to what is absent called good, and AUC."""
    present = found["state"] == "present"
    good, absent = right(found), ~present & ~found["match"]
    if not good.any() or not absent.any():
        return np.full(3, np.nan)
    return np.array(
        [
            (sure < poor)[good].mean(),
            (sure >= poor)[absent].mean(),
            area(sure, present.astype(float)),
        ]
    )


def thresholds(found: dict[str, Columns], sure: dict[str, np.ndarray]) -> dict[str, float]:
    """The highest hundredths below which no more than the `WRONG` of right first answers lie."""
    best, steps = {}, np.arange(1, 100) / 100
    for kind in KINDS:
        wrong = np.zeros(len(steps))
        for name, share in CHOSEN_ON.items():
            one = found[name]
            answers = sure[name][right(one) & (one["kind"] == kind)]
            wrong += share * (answers < steps[:, None]).mean(axis=1)
        best[kind] = float(steps[wrong <= WRONG[kind]].max())
    return best


def interval(found: Columns, sure: np.ndarray, poor: np.ndarray) -> np.ndarray:
    """95 % interval (2, 3) of the figures: words, photos and clips are drawn anew as wholes."""
    source, drawn = np.random.default_rng(0), []
    names, codes = np.unique(found["about"], return_inverse=True)
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    for _ in range(BOOTSTRAPS):
        some = np.concatenate([rows[i] for i in source.integers(len(names), size=len(names))])
        drawn.append(figures(rows_of(found, some), sure[some], poor[some]))
    return np.nanquantile(drawn, (0.025, 0.975), axis=0)


def report(name: str, found: Columns, sure: np.ndarray, poor: np.ndarray) -> None:
    for sort in dict.fromkeys(found["sort"].tolist()):
        inside = found["sort"] == sort
        some = (rows_of(found, inside), sure[inside], poor[inside])
        mid, (low, high) = figures(*some), interval(*some)
        shown = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(mid, low, high, strict=True)]
        print(f"{name}, {sort}: right first {right(some[0]).sum()}, bad {shown[0]}, "
              f"absent good {shown[1]}, AUC {shown[2]}")  # fmt: skip


def compare(found: dict[str, dict[str, Columns]]) -> None:
    """Print the log losses, on the validation, of features and of scales."""
    train = found["lite"]["fit"]
    for choice, inputs in CHOICES.items():
        common = fitted(train, inputs)
        losses = [
            log_loss(one, chance(design(one, inputs), common))
            for one in (found["lite"]["val"], found["lite"]["val clips"])
        ]
        print(f"one fit, {choice}: log loss {losses[0]:.3f}, {losses[1]:.3f}")
    for scale, inputs in SCALES.items():
        weights = by_kind(train, inputs)
        for model, each in found.items():
            losses = [
                log_loss(one, sure_by_kind(one, weights, inputs))
                for one in (each["val"], each["val clips"])
            ]
            print(f"by kind, {scale} scale, {model}: log loss {losses[0]:.3f}, {losses[1]:.3f}")


def confidences(
    found: dict[str, dict[str, Columns]], weights: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """How sure each first answer is, by model and set."""
    return {
        model: {name: sure_by_kind(one, weights, score_alone) for name, one in each.items()}
        for model, each in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    encoder = Encoder(chosen.data, chosen.cache)
    sets = {part: photos(encoder, part) for part in ("fit", "val", "test")}
    sets |= {f"{part} clips": clips(encoder, part) for part in ("val", "test")}
    agreement = encoder.own_agreement(sets["fit"])
    askers = {name: Asker(shown, encoder, agreement) for name, shown in sets.items()}
    questions = {
        name: list(one.about_clips() if "clips" in name else one.about_photos())
        for name, one in askers.items()
    }
    found = {
        model: {name: asked(sets[name], questions[name], encoder, model) for name in sets}
        for model in MODELS
    }
    weights = by_kind(found["lite"]["fit"], score_alone)
    compare(found)
    used: dict[str, np.ndarray] = {kind: np.array(one) for kind, one in WEIGHTS.items()}
    print({kind: one.round(3).tolist() for kind, one in weights.items()}, "in use", WEIGHTS)
    sure, in_use = confidences(found, weights), confidences(found, used)
    best = thresholds(found["lite"], sure["lite"])
    print(f"thresholds {best}, in use {POOR}")
    for name in ("test", "test clips"):
        for model in MODELS:
            one = found[model][name]
            for when, sure_by, poor_by in (("in use", in_use, POOR), ("fitted now", sure, best)):
                poor = np.array([poor_by[kind] for kind in one["kind"]])
                report(f"{when}, {model}, {name}", one, sure_by[model][name], poor)
    one, now = found["lite"]["test clips"], sure["lite"]["test clips"]
    for row in np.flatnonzero(right(one) & (one["sort"] != "caption")):
        print(f"{one['text'][row]}: {now[row]:.2f}")


if __name__ == "__main__":
    main()
