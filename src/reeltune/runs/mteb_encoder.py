"""A model of Reeltune as an encoder of mteb, whose tasks then judge it (extra `mteb`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import ConfigError, in_short
from reeltune.media.squares import squares
from reeltune.models.opening.open import open_encoder
from reeltune.registry import given
from reeltune.types import DualEncoder

AT_ONCE = 256  # texts encoded together, to bound memory


class MtebEncoder:
    """Has `encode`, `similarity` and what else mteb asks for, of texts and of pictures, each of
    which is a clip of one frame; an item that has both is the sum of their vectors, as with the
    CLIP of mteb itself.

    `mteb.evaluate(MtebEncoder("lite"), mteb.get_tasks(["Flickr30kT2IRetrieval"]))`
    """

    def __init__(
        self, model_name: str, revision: str | None = None, *, device: str | None = None, **_: Any
    ) -> None:
        """`model_name` is what `--model` takes, a folder that `reeltune export` wrote among them.

        Raises ConfigError where mteb is absent, or the model makes no vectors, and CheckpointError
        where it cannot be opened.
        """
        try:
            from mteb.models import ModelMeta
        except ImportError as error:
            raise ConfigError(
                f"an encoder of mteb needs mteb, which is absent ({in_short(error)}); get it with: "
                "pip install 'reeltune[mteb]'"
            ) from error
        self.model: DualEncoder = open_encoder(given(model_name), device)
        facts = {
            "name": f"reeltune/{model_name.strip('/').replace('/', '--')}",
            "revision": revision or self.model.fingerprint,
            "embed_dim": self.model.dim,
            "modalities": ["text", "image"],
        }
        self.mteb_model_meta = ModelMeta.create_empty(facts)

    @torch.inference_mode()
    def encode(
        self, inputs: Iterable[Mapping[str, Sequence[Any]]], **_: Any
    ) -> Float[np.ndarray, "N D"]:
        """Vectors of the items of all batches, in their order; raises ConfigError for items without
        a text and a picture."""
        made = [self._batch(batch) for batch in inputs]
        return torch.cat(made).float().cpu().numpy()

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Float[Tensor, "Q N"]:
        """Cosines of each with each."""
        return _unit(embeddings1) @ _unit(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Float[Tensor, " N"]:
        """Cosines of those in the same place."""
        return (_unit(embeddings1) * _unit(embeddings2)).sum(dim=-1)

    def _batch(self, batch: Mapping[str, Sequence[Any]]) -> Tensor:
        parts = []
        if "text" in batch:
            texts = list(batch["text"])
            few = [texts[at : at + AT_ONCE] for at in range(0, len(texts), AT_ONCE)]
            read = [self.model.encode_text(self.model.tokenize(some)) for some in few]
            parts.append(torch.cat(read))
        if "image" in batch:
            shown = np.concatenate([self._square(picture) for picture in batch["image"]])
            frames = torch.from_numpy(shown)[:, None]  # (B, 1, 3, S, S)
            there = torch.ones(len(frames), 1, dtype=torch.bool)
            parts.append(self.model.encode_video(frames, there))
        if not parts:
            raise ConfigError(
                f"mteb gave items of {', '.join(sorted(batch))}, and {self.model.name} reads text "
                "and image; choose a task of these"
            )
        return torch.stack(parts).sum(dim=0)

    def _square(self, picture: Any) -> UInt8[np.ndarray, "1 3 S S"]:
        return squares(np.asarray(picture.convert("RGB"))[None], self.model.pixels)


def _unit(vectors: Any) -> Tensor:
    return F.normalize(torch.as_tensor(vectors).float(), dim=-1)
