"""Says in sentences what figures lack."""

from collections.abc import Mapping, Sequence

from reeltune.records import LeftOut

BySplit = Mapping[str, Sequence[LeftOut]]  # of the split measured, and of those trained on


def sentences(left_out: BySplit) -> list[str]:
    """One for each thing left out, which names the splits it was left out of."""
    splits: dict[LeftOut, list[str]] = {}
    for split, entries in left_out.items():
        for entry in entries:
            splits.setdefault(entry, []).append(split)
    return [f"{_label(entry)} {', '.join(parts)}: {entry}" for entry, parts in splits.items()]


def _label(entry: LeftOut) -> str:
    return "left out of" if entry.missing else "note on"


def is_incomplete(left_out: BySplit, split: str) -> bool:
    """Whether the split lacks something that was asked for."""
    return any(entry.missing for entry in left_out.get(split, ()))
