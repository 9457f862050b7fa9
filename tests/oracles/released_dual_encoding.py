"""The layout of released Dual Encoding checkpoints: names and shapes of hybrid_space.

Written from a description of the released model, to make checkpoints that the converter reads and
the scores that they must give. It computes as released: a padded GRU for videos, a packed one for
texts, and convolutions over (1, L, C) whose maximum sees zeros in the padding.
"""

from argparse import Namespace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


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

    def __init__(self, words: int, concepts: int = 5) -> None:
        self.video = ReleasedLevels(9, 6, (2, 3, 4, 5), 4)
        self.text = ReleasedLevels(8, 6, (2, 3, 4), 4)
        self.text.embed = nn.Embedding(4 + words, 8)
        self.video_map = ReleasedMapping(12 + 16 + 9, 10, concepts)
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
        v_latent, v_concepts = self.video_map(self._watch(frames))
        t_latent, t_concepts = self.text_map(self._read(ids, bags))
        low = torch.minimum(t_concepts[:, None], v_concepts[None]).sum(-1)
        high = torch.maximum(t_concepts[:, None], v_concepts[None]).sum(-1)
        return t_latent @ v_latent.T, low / high

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

    def save(self, path: Path) -> Path:
        """As released: a list of state dicts beside the options as a Namespace."""
        states = [part.state_dict() for part in self.parts]
        options = Namespace(visual_rnn_size=6, dropout=0.2)
        torch.save({"epoch": 3, "model": states, "best_rsum": 1.5, "opt": options}, path)
        return path
