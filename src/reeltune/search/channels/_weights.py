"""What the reader of text reads out of a PyPI package."""

RAPIDOCR = "rapidocr==3.10.0"
# package, a file in it, the SHA-256 of that file, who needs it, and what a user installs for it
DETECTOR = (
    RAPIDOCR,
    "PP-OCRv6_det_small.onnx",
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "reading text in pictures",
    "reeltune[text]",
)
RECOGNISER = (
    RAPIDOCR,
    "PP-OCRv6_rec_small.onnx",
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    "reading text in pictures",
    "reeltune[text]",
)
