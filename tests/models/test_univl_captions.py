"""Beam search against exhaustive search, and a UniVL that learns captions by heart."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_univl import TEXTS, batch_for, small, videos
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.models._univl.beam import beam_search
from reeltune.models._univl.network import rows_of
from reeltune.models._univl.towers import Sequence
from reeltune.models._univl.writing import Writing

END = 0
pytestmark = pytest.mark.usefixtures("one_thread")


def toy(seed: int, words: int) -> dict[tuple[int, ...], Tensor]:
    """Logarithms of chances of the next word after every sentence that can come up."""
    source = torch.Generator().manual_seed(seed)
    made = {}
    for length in range(1, 4):
        for before in itertools.product(range(1, words), repeat=length):
            chances = 2 * torch.randn(words, generator=source, dtype=torch.float64)
            made[before] = chances.log_softmax(dim=0)
    return made


def likeliest(table: dict[tuple[int, ...], Tensor], words: int) -> tuple[list[int], float]:
    """The best of all sentences of at most three words, found by trying each."""
    best, most = [], -math.inf
    for length in range(4):
        for middle in itertools.product(range(1, words), repeat=length):
            whole = [*middle, END] if length < 3 else list(middle)
            score, before = 0.0, (1,)
            for word in whole:
                score += float(table[before][word])
                before = (*before, word)
            if score > most:
                best, most = [1, *whole], score
    return best, most


@settings(max_examples=25)
@given(st.integers(0, 500), st.integers(2, 4))
def test_wide_beams_find_what_exhaustive_search_finds(seed: int, words: int) -> None:
    tables = [toy(seed, words), toy(seed + 1000, words)]

    def next_word(ids: Tensor, rows: Tensor, grown_from: Tensor) -> Tensor:
        read = [tuple(w for w in row.tolist() if w != END) for row in ids]
        return torch.stack([tables[r][b[:3]] for r, b in zip(rows.tolist(), read, strict=True)])

    found = beam_search(next_word, 2, 1, END, beams=words**3, longest=3)
    for row, table in enumerate(tables):
        best, score = likeliest(table, words)
        ids = found.ids[row, 0].tolist()
        assert ids[: len(best)] == best
        assert set(ids[len(best) :]) <= {END}
        assert found.scores[row, 0].item() == pytest.approx(score)
        finite = found.scores[row][found.scores[row].isfinite()]
        assert torch.equal(finite, finite.sort(descending=True).values), "best first"
    narrow = beam_search(next_word, 2, 1, END, beams=1, longest=3)
    assert (narrow.scores[:, 0] <= found.scores[:, 0] + 1e-12).all()


def test_one_beam_is_greedy_and_a_row_does_not_depend_on_the_others() -> None:
    table = toy(7, 4)

    def next_word(ids: Tensor, rows: Tensor, grown_from: Tensor) -> Tensor:
        return torch.stack([table[tuple(row.tolist())] for row in ids])

    word, sentence = 1, [1]
    while word != END and len(sentence) < 4:
        word = int(table[tuple(sentence)].argmax())
        sentence.append(word)
    found = beam_search(next_word, 1, 1, END, beams=1, longest=3)
    assert found.ids[0, 0].tolist() == sentence


def test_no_beam_and_no_word_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"beams is 0 and longest is 3; both must be at least 1"):
        beam_search(lambda ids, rows, grown_from: ids, 1, 1, END, beams=0, longest=3)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("beams", [1, 4])
def test_keeping_what_was_made_of_words_changes_nothing(layers: int, beams: int) -> None:
    """Sentences and scores are those of a decoder that reads all words anew at each step."""
    model = small(decoder_layers=layers, words=8)
    network, (features, mask) = model.network, videos()
    with torch.no_grad():
        tokens = model.tokenize(TEXTS)
        seen = network.cross(
            network.read_text(tokens.ids, tokens.mask), network.read_video(features, mask)
        )
        seen = Sequence(30 * seen.states, seen.mask)  # so that rows say different things
        lengths: list[int] = []

        def slow(ids: Tensor, of: Tensor, grown_from: Tensor) -> Tensor:
            return network.decoder.next_word(ids, rows_of(seen, of))

        writing = Writing(network.decoder, seen)

        def fast(ids: Tensor, of: Tensor, grown_from: Tensor) -> Tensor:
            lengths.append(len(ids))
            found = writing.next_word(ids, of, grown_from)
            torch.testing.assert_close(found, slow(ids, of, grown_from), atol=1e-10, rtol=1e-9)
            return found

        # The third word of the first sentence ends it, and other rows go on.
        start, unused = model.words.start, model.words.pad
        free = beam_search(slow, 4, start, unused, beams=beams, longest=7)
        end = int(free.ids[0, 0, 3])
        by_words = [beam_search(one, 4, start, end, beams=beams, longest=7) for one in (slow, fast)]
    assert torch.equal(by_words[0].ids, by_words[1].ids)
    torch.testing.assert_close(by_words[0].scores, by_words[1].scores)
    assert len(lengths) >= 3
    assert len(set(lengths)) > 1, "some rows are done before others"


def test_a_batch_of_captions_equals_its_rows_whatever_the_padding() -> None:
    model = small()
    features, mask = videos()
    together = model.caption(features, mask, beams=3)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = model.caption(
            features[row : row + 1, :length], mask[row : row + 1, :length], beams=3
        )
        assert alone == [together[row]]
    said = model.tokenize(TEXTS)
    assert len(model.caption(features, mask, said, beams=2, longest=4)) == 4
    assert all(len(text.split()) <= 4 for text in model.caption(features, mask, longest=4))


def test_it_learns_captions_by_heart_and_writes_them() -> None:
    model = small(reads="nothing", tasks=("joint", "decoder"))
    model.train()
    batch = batch_for(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    for _ in range(100):
        optimizer.zero_grad()
        model.losses(batch)["decoder"].backward()
        optimizer.step()
    model.eval()
    features, mask = videos()
    assert model.caption(features, mask) == TEXTS
    assert model.losses(batch)["decoder"] < 0.2
