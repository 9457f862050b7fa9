"""A model of video and language that reads word pieces, as it is placed, named and kept."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from reeltune.errors import CheckpointError
from reeltune.models._asking.answering import Answering
from reeltune.models._asking.settings import Asked
from reeltune.models._bert.words import FILE, WordPieces, read_vocabulary
from reeltune.models._device import device_named, precision_named
from reeltune.models._released_keys import Release, unique
from reeltune.models.opening.weights import (
    WEIGHTS,
    card_settings,
    fingerprint,
    read_tensors,
    versions,
    write_card,
)
from reeltune.storage.tensors import write_tensors
from reeltune.types import Batch, Tokens


class WithWords(Answering):
    """Kept in a folder of weights, settings and vocabulary; `component` is its file in models/."""

    component: str
    config: Any  # of a class of its own, which has `words`: tokens of a text at most
    network: nn.Module
    primary: str
    tasks: tuple[str, ...]
    words: WordPieces
    _known: tuple[int, str] | None = None  # versions of the weights, their fingerprint

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """What else than weights changes what the model makes of texts and videos."""

    @abstractmethod
    def losses_of(self, batch: Batch, wanted: list[str]) -> dict[str, Tensor]:
        """Losses by name, computed in the order in which they are `wanted`."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses by name, in the order of `tasks`.

        What is hidden, cropped or paired wrongly is drawn anew at each call from torch's global
        generator, for the primary loss first.
        """
        found = self.losses_of(batch, sorted(self.tasks, key=lambda name: name != self.primary))
        return {name: found[name] for name in self.tasks}

    def primary_loss(self, batch: Batch) -> Tensor:
        """The loss that the model is judged by, without the work of the others; in the same draw it
        is the one among `losses`."""
        return self.losses_of(batch, [self.primary])[self.primary]

    def pinned(self) -> Asked:
        """The settings as they are kept: with the fingerprint of a frozen model beside it."""
        config: Asked = self.config
        return config

    def stored(self) -> Mapping[str, Tensor]:
        """The tensors as they are kept."""
        return unique(self.network)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights as stored, until they are changed."""
        if self._known is None or self._known[0] != versions(self):
            self._known = versions(self), fingerprint(unique(self.network), self.facts())
        return self._known[1]

    def place(self, device: torch.device, dtype: torch.dtype) -> None:
        """Place the network; the fingerprint stays that of the weights before rounding."""
        stored = self.fingerprint
        self.to(device, dtype)
        self._known = versions(self), stored

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Word pieces on the CPU, cut to `words` with [SEP] kept."""
        return self.words.encode(texts, self.config.words)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write weights, settings and vocabulary; a frozen model beside it only by its name."""
        folder = Path(folder)
        write_card(folder, self.component, self.pinned().model_dump(mode="json"))
        write_tensors(folder / WEIGHTS, self.stored())
        (folder / FILE).write_text("\n".join(self.words.words) + "\n", encoding="utf-8")


Model = TypeVar("Model", bound=WithWords)


@torch.inference_mode(False)
def opened(
    kind: type[Model],
    settings: type[Asked],
    release: Release,
    folder: Path | None,
    device: str | None,
    dtype: str | None,
) -> Model:
    """The model in a folder that training or `convert` wrote.

    Errors: `CheckpointError` where no folder is given, and names the file, field or keys that do
    not fit; `ConfigError` for a device or precision that is not there.
    """
    if folder is None:
        raise CheckpointError(
            f"{release.component} has no weights of its own; give a folder that training wrote, or "
            f"make one of the released {release.file} with `reeltune convert {release.component}`"
        )
    place, precision = device_named(device), precision_named(dtype)
    model = kind(card_settings(folder, settings), WordPieces(read_vocabulary(str(folder))))
    release.fill_whole(model.network, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    model.place(place, precision)
    return model.eval()
