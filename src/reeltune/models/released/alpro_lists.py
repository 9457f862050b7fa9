"""Lists beside ALPRO's checkpoints: of entities and of answers, in the order of their heads."""

import json
from pathlib import Path

from reeltune.errors import DataError
from reeltune.storage.text_file import read_text

ENTITIES = 1000  # of the head of the release: the first lines of its file
UNIGRAMS = "data/unigrams.txt of ALPRO's release"
ANSWERS = "train_ans2label.json of ALPRO's release"


def entities_in(path: Path) -> tuple[str, ...]:
    """The first word of each of the first 1,000 lines, such as `man 12345`.

    Errors: `DataError` for a file that cannot be read, or has a line without a word.
    """
    lines = read_text(path, f"give {UNIGRAMS}").rstrip().split("\n")[:ENTITIES]
    words = [line.split()[0] if line.split() else "" for line in lines]
    if not all(words) or not words:
        raise DataError(
            f"{path} has no words, or a line without one among the first {ENTITIES:,}; give "
            f"{UNIGRAMS}"
        )
    return tuple(words)


def answers_in(path: Path) -> tuple[str, ...]:
    """Answers by their label, of a JSON object such as `{"man": 0, "dog": 1}`.

    Errors: `DataError` for a file that is none, or whose labels are not 0, 1, 2 and so on.
    """
    try:
        labels = json.loads(read_text(path, f"give {ANSWERS}"))
        order = sorted(labels, key=labels.__getitem__)
        counted = [labels[answer] for answer in order]
    except (ValueError, TypeError, LookupError) as error:
        raise DataError(
            f"{path} is no JSON object of answers and their labels; give {ANSWERS}"
        ) from error
    if counted != list(range(len(counted))):
        raise DataError(
            f"{path} has labels {counted[:3]} and so on, and not each of 0 to {len(counted) - 1}; "
            f"give {ANSWERS}"
        )
    return tuple(order)
