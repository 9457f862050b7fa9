"""PP-OCRv6 (PaddlePaddle, 2026), small: finds lines of text in a picture and reads them.

Its networks lie inside the wheel of rapidocr. They are checked before they are opened, and handed
over by their paths, so that nothing is ever looked for on the net.
"""

import logging
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from reeltune.batches.in_threads import usable_cores
from reeltune.models.opening.packaged import packaged
from reeltune.search.channels._weights import DETECTOR, RECOGNISER

FOUND = 0.3  # probability of a pixel that is text
CERTAIN = 0.5  # mean probability over a line
CANDIDATES = 300  # lines of one picture that are looked at, however many there seem to be
MULTIPLE = 32  # the detector reads sides that are multiples of this many pixels
STRIP = 8  # times as wide as high at most; else black is put above and below
ENLARGED = 2.0
THREADS = 4  # at most

Picture = UInt8[np.ndarray, "H W 3"]
Corners = Float[np.ndarray, "4 2"]  # from the top left on, clockwise; x and y in pixels


class Ocr:
    """The open networks; raises CheckpointError where their files are missing or others."""

    def __init__(self) -> None:
        weights = {
            "Det.model_path": str(packaged(*DETECTOR)),
            "Rec.model_path": str(packaged(*RECOGNISER)),
        }
        cv2.setNumThreads(1)
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        from rapidocr import RapidOCR
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        self._detector = _opened(weights["Det.model_path"])
        self._input: str = self._detector.get_inputs()[0].name
        self._boxes: Any = DBPostProcess(**BOXES)
        self._engine: Any = RapidOCR(params=SETTINGS | weights)
        # Its own options leave out what keeps threads of two networks out of each other's way.
        self._engine._load_rec_model().session.session = _opened(weights["Rec.model_path"])

    def find(self, picture: Picture, side: int) -> list[Corners]:
        """Corners of the lines, in pixels of the picture, which is looked at with its longer side
        made `side` pixels long, at most `ENLARGED` times its own."""
        height, width = picture.shape[:2]
        share = min(ENLARGED, side / max(height, width))
        size = _multiple(share * width), _multiple(share * height)
        rule = cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR
        seen = cv2.resize(picture, size, interpolation=rule)
        rim = _rim(*size)
        seen = cv2.copyMakeBorder(seen, rim, rim, 0, 0, cv2.BORDER_CONSTANT)
        blob = cv2.dnn.blobFromImage(seen, 1 / 127.5, mean=(127.5,) * 3, swapRB=True)
        chances = self._detector.run(None, {self._input: blob})[0]
        if chances.max() <= FOUND:
            return []
        boxes, _ = self._boxes(chances, seen.shape[:2])
        within = np.clip(np.reshape(boxes, (-1, 4, 2)) - [0, rim], 0, size)
        return list((within * [width / size[0], height / size[1]]).astype(np.float32))

    def read(self, picture: Picture, lines: list[Corners]) -> list[tuple[str, float]]:
        """Text and score (0 to 1) of each line of a picture."""
        if not lines:
            return []
        cut = self._engine.crop_text_regions(picture[:, :, ::-1].copy(), lines)
        read = self._engine.recognize_txt(cut)
        return list(zip(read.txts, read.scores, strict=True))


BOXES = {
    "thresh": FOUND,
    "box_thresh": CERTAIN,
    "max_candidates": CANDIDATES,
    "unclip_ratio": 1.6,
    "use_dilation": True,
}
SETTINGS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


def _opened(path: str) -> Any:
    """A network whose threads sleep while they have nothing to do: those of the other one would
    wait for cores that they spin on."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = min(THREADS, usable_cores())
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # pictures are of many sizes, and it would keep them all
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _rim(width: int, height: int) -> int:
    """Pixels of black above and below a picture that is wide and low, at whose rims lines are lost;
    with them it is about four times as wide as high."""
    if width <= STRIP * height:
        return 0
    return (_multiple(2 * width / STRIP) - height) // 2


def _multiple(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
