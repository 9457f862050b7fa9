"""Wrong pairs of a batch, drawn evenly, for losses that ask whether a text belongs to a clip."""

import torch
from jaxtyping import Int
from torch import Generator, Tensor


def draw_wrong(
    video: Int[Tensor, " B"],
    count: int,
    source: Generator | None = None,
    own: Int[Tensor, " R"] | None = None,
) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
    """Rows of texts and of clips: for each text `count` clips of other videos, each at most once,
    and all of them where there are fewer. Rows of one video are never a wrong pair. The texts are
    of the videos `own`, by default of all.

    Drawn on the CPU from `source`, torch's own generator without one, so a seed means the same
    on every device.
    """
    wrong = ((video if own is None else own)[:, None] != video).cpu()  # (R, B)
    lots = torch.rand(wrong.shape, generator=source).masked_fill(~wrong, -1.0)
    drawn, clips = lots.topk(min(count, len(video)), dim=1)
    there = drawn >= 0
    texts = torch.arange(len(wrong))[:, None].expand_as(clips)
    return texts[there].to(video.device), clips[there].to(video.device)
