"""Index a folder of clips and search it with words: `python examples/search_videos.py`.

The clips are generated, and the model is one that knows them; for videos of your own leave the
choice out, and the default model `lite` is taken.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import reeltune
from reeltune.data.toybox import Config
from reeltune.search.ingest import Choice

QUERIES = ("a red square", "a blue square and a green circle")


def main() -> None:
    with TemporaryDirectory() as folder:
        split = Config(folder=Path(folder, "toybox"), size="tiny").read("test")
        captions = {str(pair.path): pair.caption for pair in reversed(split.pairs)}
        library = Path(folder, "clips.library")
        report = reeltune.index(list(captions), library, Choice(model="tiny-clip"))
        print(f"{len(report.indexed)} clips are indexed, {len(report.failed)} could not be read")
        opened = reeltune.Library(library)
        for query in QUERIES:
            print(f"\n{query}?")
            for hit in opened.search(query, k=3):
                shown = f"{Path(hit.path).name}, {hit.start:.1f} to {hit.end:.1f} s"
                print(f"  {hit.score:.3f}  {shown}: {captions[hit.path]}")


if __name__ == "__main__":
    main()
