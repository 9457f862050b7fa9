"""Tune a model on captions in a CSV file, and see what it was worth on captions it never saw.

`python examples/tune_on_a_csv.py`, or on the command line, with videos of your own:
`reeltune tune captions.csv --videos ~/Videos`.
"""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

from reeltune.data.toybox import Config
from reeltune.runs.place import RunPlace
from reeltune.runs.tune import tune

CAPTIONS_EACH = 4


def write_captions(file: Path, toybox: Config) -> None:
    """A line for each caption: the path of its video and the text. Splits are made by `tune`."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["path", "caption"])
        for split in ("train", "val", "test"):
            pairs = toybox.read(split).pairs
            for number, pair in enumerate(pairs):
                if number % 20 < CAPTIONS_EACH:  # each clip of Toybox has twenty
                    writer.writerow([pair.path.name, pair.caption])


def main() -> None:
    with TemporaryDirectory() as folder:
        toybox = Config(folder=Path(folder, "toybox"), size="tiny")
        videos = toybox.make() / "videos"
        captions = Path(folder, "captions.csv")
        write_captions(captions, toybox)
        tuning = tune(captions, videos, "tiny-clip", RunPlace(out=Path(folder, "tuned")))
        print(f"trained on {tuning.trained_on} videos")
        print(tuning.verdict())
        written = sorted(file.name for file in tuning.folder.iterdir() if file.is_file())
        print(f"the folder of the model has {', '.join(written)}")


if __name__ == "__main__":
    main()
