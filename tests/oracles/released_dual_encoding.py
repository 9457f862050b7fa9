"""The layouts of released Dual Encoding checkpoints: names and shapes of hybrid_space and of 2019.

Written from a description of the released model, to make checkpoints that the converter reads and
the scores that they must give. It computes as released: a padded GRU for videos, a packed one for
texts, and convolutions over (1, L, C) whose maximum sees zeros in the padding.
"""

import pickle
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MARKS = ("<pad>", "<start>", "<end>", "<unk>")
LATER = (  # options that the code of 2021 added
    *("collectionStrt", "collection", "collections_pathname", "cap_file", "space", "measure_2"),
    *("gru_pool", "margin_2", "tag_vocab_size"),
)


class Vocabulary:
    """As the released code pickles it."""

    word2idx: dict[str, int]


def pickle_words(path: Path, words: Sequence[str]) -> Path:
    """A vocabulary file; that of the GRU has `MARKS` first."""
    vocabulary = Vocabulary()
    vocabulary.word2idx = {word: place for place, word in enumerate(words)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(vocabulary))
    return path


class Python2(pickle._Pickler):
    """Writes short strings as bytes."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_str(self, text: str) -> None:
        self.write(pickle.SHORT_BINSTRING + bytes([len(text)]) + text.encode("ascii"))
        self.memoize(text)

    dispatch[str] = save_str

    @classmethod
    def dump_into(cls, what: object, file: IO[bytes], protocol: int) -> None:
        cls(file, protocol).dump(what)


class ReleasedLevels(nn.Module):
    """`rnn` and `convs1`, and for texts `embed`."""

    def __init__(self, width: int, hidden: int, kernels: tuple[int, ...], filters: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.convs1 = nn.ModuleList(
            nn.Conv2d(1, filters, (kernel, 2 * hidden), padding=(kernel - 1, 0))
            for kernel in kernels
        )

    def pooled(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        rows = zip(outputs, lengths.tolist(), strict=True)
        mean = torch.stack([row[:length].mean(0) for row, length in rows])
        maps = [conv(outputs[:, None]).squeeze(3).relu().amax(2) for conv in self.convs1]
        return torch.cat([mean, *maps], dim=1)


class ReleasedMapping(nn.Module):
    """`mapping` to the latent space, `tag_fc` to the concepts."""

    def __init__(self, width: int, latent: int, concepts: int) -> None:
        super().__init__()
        self.mapping = nn.ModuleDict({"fc1": nn.Linear(width, latent)})
        self.mapping["bn_1"] = nn.BatchNorm1d(latent)
        self.concepts = concepts
        if concepts:
            self.tag_fc = nn.Linear(width, concepts)
            self.tag_fc_batch_norm = nn.BatchNorm1d(concepts)

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        latent = self.mapping["bn_1"](self.mapping["fc1"](levels))
        latent = latent / latent.pow(2).sum(1, keepdim=True).sqrt()
        if not self.concepts:
            return latent, latent[:, :0]
        return latent, self.tag_fc_batch_norm(self.tag_fc(levels)).sigmoid()


class Released:
    """A small one of random weights; `concepts` 0 is the model of 2019."""

    def __init__(self, words: int, concepts: int = 5, video_hidden: int = 6) -> None:
        self.words, self.concepts, self.video_hidden = words, concepts, video_hidden
        self.video = ReleasedLevels(9, video_hidden, (2, 3, 4, 5), 4)
        self.text = ReleasedLevels(8, 6, (2, 3, 4), 4)
        self.text.embed = nn.Embedding(4 + words, 8)
        self.video_map = ReleasedMapping(2 * video_hidden + 16 + 9, 10, concepts)
        self.text_map = ReleasedMapping(12 + 12 + words, 10, concepts)
        self.parts = (self.video, self.text, self.video_map, self.text_map)
        for part in self.parts:
            part.eval()
            for name, buffer in part.named_buffers():
                if name.endswith("running_mean"):
                    buffer.normal_()
                elif name.endswith("running_var"):
                    buffer.uniform_(0.5, 2)

    @torch.no_grad()
    def scores(
        self, frames: list[Tensor], ids: list[list[int]], bags: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Texts x videos: cosines, and generalised Jaccard."""
        (v_latent, v_concepts), (t_latent, t_concepts) = self.watch(frames), self.read(ids, bags)
        low = torch.minimum(t_concepts[:, None], v_concepts[None]).sum(-1)
        high = torch.maximum(t_concepts[:, None], v_concepts[None]).sum(-1)
        return t_latent @ v_latent.T, low / high

    @torch.no_grad()
    def watch(self, frames: list[Tensor]) -> tuple[Tensor, Tensor]:
        """One batch of videos in both parts of the space."""
        return self.video_map(self._watch(frames))

    @torch.no_grad()
    def read(self, ids: list[list[int]], bags: Tensor) -> tuple[Tensor, Tensor]:
        """One batch of texts."""
        return self.text_map(self._read(ids, bags))

    def _watch(self, frames: list[Tensor]) -> Tensor:
        lengths = torch.tensor([min(64, len(clip)) for clip in frames])
        padded = torch.zeros(len(frames), int(lengths.max()), 9)
        for row, clip in zip(padded, frames, strict=True):
            row[: len(clip)] = clip[:64]
        outputs = self.video.rnn(padded)[0]
        real = torch.arange(outputs.shape[1]) < lengths[:, None]
        levels = self.video.pooled(outputs * real[..., None], lengths)
        return torch.cat([levels, torch.stack([clip.mean(0) for clip in frames])], dim=1)

    def _read(self, ids: list[list[int]], bags: Tensor) -> Tensor:
        lengths = torch.tensor([len(row) for row in ids])
        padded = torch.zeros(len(ids), int(lengths.max()), dtype=torch.long)
        for row, some in zip(padded, ids, strict=True):
            row[: len(some)] = torch.tensor(some)
        packed = pack_padded_sequence(
            self.text.embed(padded), lengths, batch_first=True, enforce_sorted=False
        )
        outputs = pad_packed_sequence(self.text.rnn(packed)[0], batch_first=True)[0]
        return torch.cat([self.text.pooled(outputs, lengths), bags], dim=1)

    def options(self, **changed: object) -> Namespace:
        """As the trainer of hybrid_space leaves them in the file; of 2019, without later ones."""
        hidden = {"visual": 2 * self.video_hidden + 16, "text": 12 + 12}
        given = {
            "rootpath": "/data", "collectionStrt": "single", "collection": "toy",
            "trainCollection": "toytrain", "valCollection": "toyval", "testCollection": "toytest",
            "collections_pathname": dict.fromkeys(("train", "val", "test"), "toy"),
            "cap_file": {"train": "toytrain.caption.txt", "val": "toyval.caption.txt"},
            "overwrite": 0, "model": "dual_encoding_hybrid", "space": "hybrid",
            "concate": "full", "measure": "cosine", "measure_2": "jaccard", "dropout": 0.1,
            "vocab": "word_vocab_5", "word_dim": 8, "text_rnn_size": 6, "text_kernel_num": 4,
            "text_kernel_sizes": [2, 3, 4], "text_norm": True, "visual_feature": "made-up",
            "visual_rnn_size": self.video_hidden, "visual_kernel_num": 4,
            "visual_kernel_sizes": [2, 3, 4, 5], "visual_norm": True, "gru_pool": "mean",
            "text_mapping_layers": [hidden["text"] + self.words, 10],
            "visual_mapping_layers": [hidden["visual"] + 9, 10], "loss_fun": "mrl",
            "margin": 0.3, "margin_2": 0.2, "direction": "all", "max_violation": True,
            "cost_style": "sum", "optimizer": "adam", "learning_rate": 1e-4,
            "lr_decay_rate": 0.99, "grad_clip": 2.0, "resume": "", "val_metric": "recall",
            "num_epochs": 50, "batch_size": 128, "workers": 5, "postfix": "runs_0",
            "log_step": 10, "cv_name": "cv_tpami_2021", "tag_vocab_size": self.concepts,
            "logger_name": "/data/toy/runs_0", "visual_feat_dim": 9, "we_parameter": None,
            "bow_vocab_size": self.words, "vocab_size": 4 + self.words,
        }  # fmt: skip
        if not self.concepts:
            for name in LATER:
                del given[name]
            folders = {f"{part}Collection": f"toy{part}" for part in ("train", "val", "test")}
            given |= {"model": "dual_encoding", "n_caption": 20, **folders}
        return Namespace(**(given | changed))

    def states(self) -> list[dict[str, Tensor]]:
        """Four state dicts; of 2019 two, in which the mappings stand with the levels."""
        states = [dict(part.state_dict()) for part in self.parts]
        if self.concepts:
            return states
        for side, name in enumerate(("visual_mapping", "text_mapping")):
            mapping = states.pop(2)
            states[side] |= {n.replace("mapping.", f"{name}.", 1): t for n, t in mapping.items()}
        return states

    def save(self, path: Path, best: object = 1.5, **changed: object) -> Path:
        """As released: a list of state dicts beside the options as a Namespace."""
        stored = {"epoch": 3, "model": self.states(), "best_rsum": best, "Eiters": 7}
        torch.save({**stored, "opt": self.options(**changed)}, path)
        return path

    def save_as_python_2(self, path: Path) -> Path:
        """Save in the first format of torch, with strings of bytes as Python 2 pickles them."""
        stored = {"epoch": 3, "model": self.states(), "best_rsum": 1.5, "opt": self.options()}
        module = SimpleNamespace(__name__="pickle", Pickler=Python2, dump=Python2.dump_into)
        torch.save(stored, path, pickle_module=module, _use_new_zipfile_serialization=False)
        return path
