"""Dual Encoding's layers at their published sizes, to be built on the meta device."""

from torch import nn


def dual_encoding(words: int, video_directions: int = 2) -> nn.Module:
    """MSR-VTT's hybrid model; `words` is the size of the bag of words, 7,807 or 7,811.

    Hidden units 512 a direction, 512 filters a convolution, latent space 1536, concepts 512.
    """
    wide, text = 512 * video_directions, 1024
    video_out, text_out = wide + 4 * 512 + 4096, text + 3 * 512 + words
    layers = {
        "video_gru": nn.GRU(4096, 512, bidirectional=video_directions == 2),
        **{f"video_conv{k}": nn.Conv1d(wide, 512, k) for k in (2, 3, 4, 5)},
        "table": nn.Embedding(7811, 500),
        "text_gru": nn.GRU(500, 512, bidirectional=True),
        **{f"text_conv{k}": nn.Conv1d(text, 512, k) for k in (2, 3, 4)},
    }
    for side, width in (("video", video_out), ("text", text_out)):
        for space, dim in (("latent", 1536), ("concept", 512)):
            layers[f"{side}_{space}"] = nn.Linear(width, dim)
            layers[f"{side}_{space}_norm"] = nn.BatchNorm1d(dim)
    return nn.ModuleDict(layers)
