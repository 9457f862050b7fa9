"""Write the sentence vectors of the ImageNet class names, which ConSE weights.

    python scripts/make_class_vectors.py

They depend on nothing but the class names and the pinned sentence encoder; shipping them (0.8 MB)
saves every indexing run the encoding of a thousand sentences.
"""

from reeltune.models._lite.conse import VECTORS, sentence_vectors
from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.storage.tensors import write_tensors


def main() -> None:
    write_tensors(VECTORS, {"vectors": sentence_vectors(SentenceEncoder()).half()})
    print(f"wrote {VECTORS}")


if __name__ == "__main__":
    main()
