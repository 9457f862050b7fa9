"""What Dual Encoding reads of a text: words, bags, word vectors."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.errors import CheckpointError, DataError
from reeltune.models._dual_encoding._towers import bag_of_words
from reeltune.models._dual_encoding._vocabulary import Vocabulary, split_words
from reeltune.models._dual_encoding._word2vec import embedding_from
from reeltune.models.released.dual_encoding_words import read_official

CAPTIONS = ["A man's dog", "the DOG runs; a man", "dog-show no. 7", "caf\u00e9 7", "a"]


def test_words_are_ascii_letters_and_digits_in_lower_case() -> None:
    assert split_words(" A man's DOG-show,no. 7\tcaf\u00e9\n") == (
        ["a", "man", "s", "dog", "show", "no", "7", "caf"]
    )
    assert split_words("!? \u732b") == []


def test_a_vocabulary_has_frequent_words_as_first_seen() -> None:
    assert Vocabulary.of(CAPTIONS, at_least=2).words == ("a", "man", "dog", "7")
    assert Vocabulary.of(CAPTIONS, at_least=3).words == ("a", "dog")
    assert Vocabulary.of(CAPTIONS * 2).words == ("a", "dog")
    with pytest.raises(DataError, match=r"no word occurs 5 times"):
        Vocabulary.of(CAPTIONS)


def test_ids_begin_after_the_marks() -> None:
    words = Vocabulary(("a", "dog"))
    assert words.ids("A cat, a dog") == [1, 4, 3, 4, 5, 2]
    assert words.ids("") == [1, 2]
    some = words.tokenize(["a dog", ""])
    assert some.ids.tolist() == [[1, 4, 5, 2], [1, 2, 0, 0]]
    assert some.mask.tolist() == [[True] * 4, [True, True, False, False]]
    with pytest.raises(DataError, match=r"no text"):
        words.tokenize([])
    with pytest.raises(DataError, match=r"'dog' more than once"):
        Vocabulary(("dog", "a", "dog"))


def test_a_bag_counts_words_and_nothing_else() -> None:
    words = Vocabulary(("a", "dog", "runs"))
    some = words.tokenize(["a dog, a cat", "zebra", "runs"])
    counts = bag_of_words(some.ids, some.mask, 3)
    assert counts.tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]
    hidden = some.mask.clone()
    hidden[0, 1] = False
    assert bag_of_words(some.ids, hidden, 3)[0].tolist() == [1, 1, 0]


def test_a_vocabulary_survives_its_file(tmp_path: Path) -> None:
    words = Vocabulary(("a", "7", "dog"))
    words.write(tmp_path / "v.json")
    assert Vocabulary.read(tmp_path / "v.json") == words
    assert len(Vocabulary.stand_in(3)) == 3
    assert len(Vocabulary.stand_in(300)) == 300


def word_vectors(folder: Path, names: str, rows: int, width: int = 3) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(0).standard_normal((rows, width)).astype("<f4")
    (folder / "feature.bin").write_bytes(values.tobytes())
    (folder / "id.txt").write_bytes(names.encode("iso-8859-1"))
    (folder / "shape.txt").write_text(f"{rows} {width}\n")
    return values


def test_word_vectors_are_found_by_their_words(tmp_path: Path) -> None:
    stored = word_vectors(tmp_path, "dog <pad> caf\u00e9\na", 4)
    words = Vocabulary(("a", "zebra", "dog"))
    got, known = embedding_from(tmp_path, words, torch.Generator().manual_seed(0))
    assert known == 2
    assert got.shape == (7, 3)
    assert got.dtype == torch.float32
    np.testing.assert_array_equal(got[[4, 6]].numpy(), stored[[3, 0]])
    missing = got[[0, 1, 2, 3, 5]]
    assert (missing.abs() <= 1).all()
    assert missing.unique().numel() == missing.numel()
    again, _ = embedding_from(tmp_path, words, torch.Generator().manual_seed(0))
    assert again.equal(got), "drawn from the generator alone"


def test_missing_vectors_are_uniform_between_minus_one_and_one(tmp_path: Path) -> None:
    """So their length at 500 columns is about 12.9."""
    word_vectors(tmp_path, "word0", 1, 500)
    words = Vocabulary(tuple(f"word{number}" for number in range(400)))
    got = embedding_from(tmp_path, words, torch.Generator().manual_seed(0))[0][5:]
    assert got.norm(dim=1).mean().item() == pytest.approx((500 / 3) ** 0.5, rel=0.01)
    assert got.mean().abs() < 0.01


def test_of_the_shape_of_word_vectors_the_first_line_counts_as_in_the_released_code(
    tmp_path: Path,
) -> None:
    stored = word_vectors(tmp_path, "a", 1)
    (tmp_path / "shape.txt").write_text("1 3\nmade from flickr30m, 500 columns\n")
    got, _ = embedding_from(tmp_path, Vocabulary(("a",)), torch.Generator())
    np.testing.assert_array_equal(got[4].numpy(), stored[0])


def test_word_vector_folders_that_are_not_whole_are_told(tmp_path: Path) -> None:
    words, source = Vocabulary(("a",)), torch.Generator()
    with pytest.raises(DataError, match=r"no word vectors.*feature\.bin, id\.txt"):
        embedding_from(tmp_path / "none", words, source)
    word_vectors(tmp_path, "a b", 3)
    with pytest.raises(DataError, match=r"says 3 x 3, id\.txt has 2 words.*36 bytes.*36 were"):
        embedding_from(tmp_path, words, source)
    word_vectors(tmp_path, "b c d", 3)
    with pytest.raises(DataError, match=r"vector for none of the 1 word"):
        embedding_from(tmp_path, words, source)
    (tmp_path / "shape.txt").write_text("three")
    with pytest.raises(DataError, match=r"no word vectors"):
        embedding_from(tmp_path, words, source)


class Stored:
    """Pickled as the released class is, under the name it has there."""

    def __init__(self, words: list[str]) -> None:
        self.word2idx = {word: place for place, word in enumerate(words)}
        self.idx2word = dict(enumerate(words))
        self.idx, self.text_style = len(words), "rnn"


MARKS = ["<pad>", "<start>", "<end>", "<unk>"]


def official(path: Path, words: list[str], protocol: int = 4, module: str = "__main__") -> Path:
    """Written by swapping names in the pickle, as the class of that name is not here."""
    text = pickle.dumps(Stored(words), protocol=0 if protocol == 0 else 2)
    old = f"{Stored.__module__}\n{Stored.__name__}\n".encode()
    assert old in text
    path.write_bytes(text.replace(old, f"{module}\nVocabulary\n".encode()))
    return path


@pytest.mark.parametrize("module", ["__main__", "util.vocab"])
def test_official_vocabularies_are_read_with_their_marks_or_without(
    tmp_path: Path, module: str
) -> None:
    rnn = official(tmp_path / "rnn.pkl", [*MARKS, "a", "dog"], module=module)
    bow = official(tmp_path / "bow.pkl", ["dog", "a"], module=module)
    assert read_official(rnn).words == ("a", "dog")
    assert read_official(bow).words == ("dog", "a")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran code')",)


def test_a_pickle_that_wants_more_than_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.pkl"
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(CheckpointError, match=r"asks for builtins\.exec"):
        read_official(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match=r"not a vocabulary of the released code"):
        read_official(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match=r"give vocabulary/rnn/word_vocab_5\.pkl"):
        read_official(path)
    with pytest.raises(CheckpointError, match=r"No such file"):
        read_official(tmp_path / "none.pkl")


def test_ids_with_a_hole_are_refused(tmp_path: Path) -> None:
    stored = Stored(["a", "b"])
    stored.word2idx["b"] = 7
    old = f"{Stored.__module__}\nStored\n".encode()
    pickled = pickle.dumps(stored, protocol=2).replace(old, b"__main__\nVocabulary\n")
    (tmp_path / "v.pkl").write_bytes(pickled)
    with pytest.raises(CheckpointError, match=r"leave some out"):
        read_official(tmp_path / "v.pkl")
