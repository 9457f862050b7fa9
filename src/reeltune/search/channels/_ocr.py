"""PP-OCRv6 (PaddlePaddle, 2026), small: finds lines of text in a picture and reads them.

Its networks lie inside the wheel of rapidocr. They are checked before they are opened, and handed
over by their paths, so that nothing is ever looked for on the net.
"""

import logging
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from reeltune.models.opening.packaged import packaged
from reeltune.search.channels._weights import DETECTOR, RECOGNISER

FOUND = 0.3  # probability of a pixel that is text
CERTAIN = 0.5  # mean probability over a line
CANDIDATES = 300  # lines of one picture that are looked at, however many there seem to be
MULTIPLE = 32  # the detector reads sides that are multiples of this many pixels
LARGEST = 4096  # pixels, more than any picture that is given
ENLARGED = 2.0
THREADS = 1

Picture = UInt8[np.ndarray, "H W 3"]
Corners = Float[np.ndarray, "4 2"]  # from the top left on, clockwise; x and y in pixels


class Ocr:
    """The open networks; raises CheckpointError where their files are missing or others."""

    def __init__(self) -> None:
        weights = {
            "Det.model_path": str(packaged(*DETECTOR)),
            "Rec.model_path": str(packaged(*RECOGNISER)),
        }
        cv2.setNumThreads(THREADS)
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        from rapidocr import RapidOCR

        self._engine: Any = RapidOCR(params=SETTINGS | weights)

    def find(self, picture: Picture, side: int) -> list[Corners]:
        """Corners of the lines, in pixels of the picture, which is looked at with its longer side
        made `side` pixels long, at most `ENLARGED` times its own."""
        height, width = picture.shape[:2]
        share = min(ENLARGED, side / max(height, width))
        size = _multiple(share * width), _multiple(share * height)
        rule = cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR
        seen = cv2.resize(picture[:, :, ::-1], size, interpolation=rule)
        boxes = self._engine(seen, use_det=True, use_cls=False, use_rec=False).boxes
        if boxes is None:
            return []
        return list(boxes * np.array([width / size[0], height / size[1]], np.float32))

    def read(self, picture: Picture, lines: list[Corners]) -> list[tuple[str, float]]:
        """Text and score (0 to 1) of each line of a picture."""
        if not lines:
            return []
        cut = self._engine.crop_text_regions(picture[:, :, ::-1].copy(), lines)
        read = self._engine.recognize_txt(cut)
        return list(zip(read.txts, read.scores, strict=True))


SETTINGS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "Det.limit_side_len": LARGEST,
    "Det.limit_type": "max",
    "Det.thresh": FOUND,
    "Det.box_thresh": CERTAIN,
    "Det.max_candidates": CANDIDATES,
    "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
    "EngineConfig.onnxruntime.inter_op_num_threads": THREADS,
}


def _multiple(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
