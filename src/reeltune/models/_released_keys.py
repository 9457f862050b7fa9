"""Keys of a released checkpoint, and what of them fits a network."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from reeltune.errors import CheckpointError, counted, in_shell
from reeltune.models._pickled import read_pickled
from reeltune.models.opening.weights import WEIGHTS, require_all_keys

OLD_NAMES = {"gamma": "weight", "beta": "bias"}  # of layer norms in the first BERT files
NESTED = ("state_dict", "model")  # under which some files hold their weights, beside other things


@dataclass(frozen=True)
class KeyReport:
    """What became of every key.

    `tied` are keys of weights that another key of the network holds too (the word table of the
    encoder, of the decoder and of two heads is one); they are filled whichever of them is given.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]  # of the network; they keep the weights they had
    unexpected: tuple[str, ...]  # of the file; they are left out
    tied: tuple[str, ...]
    renamed: tuple[str, ...] = ()  # "name in the file -> name in the network"
    interpolated: tuple[str, ...] = ()  # loaded in another size than the file has
    skipped: tuple[str, ...] = ()  # of the file; known, and without a use in the network

    def beside(self, other: "KeyReport", before: str) -> "KeyReport":
        """These keys, and those of another network whose names have `before` before them."""
        both = {
            field.name: (
                *getattr(self, field.name),
                *(f"{before}{name}" for name in getattr(other, field.name)),
            )
            for field in fields(self)
        }
        return KeyReport(**both)

    def __str__(self) -> str:
        parts = [field.name for field in fields(self)]
        lines = [f"{len(getattr(self, part))} {part}" for part in parts]
        named = [
            f"{part}: {', '.join(getattr(self, part))}"
            for part in ("missing", "unexpected", "interpolated", "skipped")
            if getattr(self, part)
        ]
        return "\n".join([", ".join(lines), *named])


@dataclass(frozen=True)
class Release:
    """What messages call a model and the file of its release."""

    model: str  # such as "UniVL"
    file: str  # such as "univl.pretrained.bin"
    component: str  # of models/, by which `reeltune convert` calls it
    allowed: tuple[tuple[type, str], ...] = ()  # stand-ins for classes that its pickle names

    def without_weights(self, folder: Path) -> str:
        """Says what is wrong with a folder from which training should begin."""
        if (folder / WEIGHTS).is_file():
            return ""
        return (
            f"{folder / WEIGHTS} is not there, and training begins with it; make it of the release "
            f"with: reeltune convert {self.component} {self.file} {in_shell(folder)}, or name "
            "another folder by --set config.pretrained=FOLDER (null: random weights)"
        )

    def read(self, path: Path) -> dict[str, Tensor]:
        """A state dict of torch, with names of today; nothing in the file is run.

        Errors: `CheckpointError` for a file that is no such thing.
        """
        given = read_pickled(path, "a state dict of torch", "download it again", self.allowed)
        if isinstance(given, Mapping):
            inner = (given[name] for name in NESTED if isinstance(given.get(name), Mapping))
            given = next(inner, given)
        if not isinstance(given, Mapping) or not all(
            isinstance(name, str) and isinstance(value, Tensor) for name, value in given.items()
        ):
            raise CheckpointError(
                f"{path} holds a {type(given).__name__} and not weights by name; give a file such "
                f"as {self.file}"
            )
        found: dict[str, Tensor] = {}
        for name, value in given.items():
            if not _equal(found.setdefault(_modern(name), value), value):
                raise CheckpointError(
                    f"{path} has two values for one weight, {_modern(name)}, of which one is under "
                    f"{name}; take the file from where it was trained"
                )
        return found

    def require_fits(self, network: nn.Module, given: Mapping[str, Tensor], path: Path) -> None:
        """Raise CheckpointError for weights of another shape, for what is no number, and for a file
        of which nothing fits.

        The weights of `network` are not read, so it may be one without storage.
        """
        wanted = network.state_dict(keep_vars=True)
        _require_shapes(wanted, given, path)
        require_numbers({name: given[name] for name in given.keys() & wanted.keys()}, path)
        if not given.keys() & wanted.keys():
            raise CheckpointError(
                f"{path} has no key of {self.model} (its first is {next(iter(given), 'none')!r}); "
                f"give a file such as {self.file}"
            )

    def fill(self, network: nn.Module, given: Mapping[str, Tensor], path: Path) -> KeyReport:
        """Copy what fits into `network`.

        Errors: `CheckpointError` as of `require_fits`, and for copies of one tied weight that
        differ.
        """
        self.require_fits(network, given, path)
        wanted = network.state_dict(keep_vars=True)
        names: dict[int, list[str]] = defaultdict(list)  # of each weight
        for name, weight in wanted.items():
            names[id(weight)].append(name)
        missing: list[str] = []
        for group in names.values():
            found = [name for name in group if name in given]
            if not found:
                missing += group
                continue
            _require_equal(found, given, path)
            with torch.no_grad():
                wanted[group[0]].copy_(given[found[0]])
        return KeyReport(
            loaded=tuple(name for name in wanted if name in given),
            missing=tuple(missing),
            unexpected=tuple(name for name in given if name not in wanted),
            tied=tuple(name for group in names.values() for name in group[1:]),
        )

    def fill_whole(
        self,
        network: nn.Module,
        given: Mapping[str, Tensor],
        path: Path,
        may_lack: tuple[str, ...] = (),
    ) -> KeyReport:
        """`fill` from a file of our own, which has every key and no other.

        What begins with one of `may_lack` may be missing.
        Errors: `CheckpointError` names keys that are missing or unexpected.
        """
        report = self.fill(network, given, path)
        missing = [name for name in report.missing if not name.startswith(may_lack)]
        require_all_keys(path, missing=missing, unexpected=report.unexpected)
        return report


def unique(network: nn.Module) -> dict[str, Tensor]:
    """Weights by their first name, each weight once."""
    return dict(network.named_parameters())


def _modern(name: str) -> str:
    parts = name.removeprefix("module.").split(".")
    return ".".join([*parts[:-1], OLD_NAMES.get(parts[-1], parts[-1])])


def _require_shapes(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path) -> None:
    wrong = [
        f"{name} {tuple(given[name].shape)} for {tuple(wanted[name].shape)}"
        for name in sorted(given.keys() & wanted.keys())
        if given[name].shape != wanted[name].shape
    ]
    if wrong:
        raise CheckpointError(
            f"{path} has {counted(len(wrong), 'weight')} of another shape than the model "
            f"({wrong[0]}); give the sizes it was trained with"
        )


def require_numbers(weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise CheckpointError for weights that are no floats, or not finite: a model of them would be
    another one, or find nothing."""
    for name, weight in sorted(weights.items()):
        if not weight.is_floating_point():
            fault = f"is of {str(weight.dtype).removeprefix('torch.')}, and wanted are floats"
        elif not weight.isfinite().all():
            fault = f"has {int((~weight.isfinite()).sum()):,} numbers that are not finite"
        else:
            continue
        raise CheckpointError(
            f"{path}: {name} {fault}; download the file again, or take it from where it was trained"
        )


def _equal(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.shape == other.shape and torch.equal(one, other))


def _require_equal(names: list[str], given: Mapping[str, Tensor], path: Path) -> None:
    for name in names[1:]:
        if not torch.equal(given[name], given[names[0]]):
            raise CheckpointError(
                f"{path} has two values for one tied weight, in {names[0]} and in {name}; take "
                "the file from where it was trained"
            )
