"""The window of sound that Whisper reads, without most of the silence that fills it up."""

import numpy as np
from jaxtyping import Float32

SHORTEST = 1000  # hundredths of a second; in less than this, words are lost
AFTER = 200  # hundredths of a second that stay of what follows the sound


def shortened(features: Float32[np.ndarray, "M T"]) -> Float32[np.ndarray, "M _"]:
    """Features of a window without the zeros at its end that are more than `AFTER`.

    faster-whisper fills every window up to 30 s, and most of the time that short clips take is
    spent on reading that silence.
    """
    there = np.flatnonzero(features.any(axis=0))
    length = int(there[-1]) + 1 if len(there) else 0
    kept = max(SHORTEST, length + AFTER)
    return features[:, : kept + kept % 2]
