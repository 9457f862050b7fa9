"""int8 layers: exact where int8 is exact, close elsewhere, called as the layers they replace."""

from pathlib import Path

import pytest
import torch
from small_model import ids, small
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from reeltune.compress.pack import pack
from reeltune.errors import ConfigError
from reeltune.nn.int8 import Int8Conv1d, Int8Linear, Int8Matrix
from reeltune.nn.packed import read_packed
from reeltune.nn.quantize import quantize

RECURRENT = [
    (nn.GRU, {}),
    (nn.GRU, {"bidirectional": True, "batch_first": True}),
    (nn.GRU, {"num_layers": 2, "bidirectional": True, "bias": False}),
    (nn.LSTM, {"batch_first": True}),
    (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def exact(*shape: int) -> Tensor:
    """Integers that int8 holds exactly, with the largest in each row."""
    x = torch.randint(-126, 127, shape).float()
    x[..., 0] = 127
    return x


@pytest.mark.parametrize("has_vnni", [True, False])
def test_integers_are_multiplied_exactly(has_vnni: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: has_vnni)
    for rows, inputs, outputs in [(1, 1, 1), (5, 3, 2), (17, 130, 33)]:
        weight, x = exact(outputs, inputs), exact(rows, inputs)
        assert torch.equal(Int8Matrix(weight)(x), x @ weight.T)


def test_rounding_is_to_the_nearest_with_a_scale_for_each_output() -> None:
    weight = torch.tensor([[1.0, 0.5, -0.25], [100.0, 50.0, 1.0]])
    matrix = Int8Matrix(weight)
    assert matrix.weight.tolist() == [[127, 64, -32], [127, 64, 1]]
    torch.testing.assert_close(matrix.scales, torch.tensor([1 / 127, 100 / 127]))


def test_a_row_depends_on_no_other_row() -> None:
    matrix = Int8Matrix(torch.randn(8, 16))
    x = torch.randn(4, 16)
    x[2] *= 1000
    for row in range(4):
        assert torch.equal(matrix(x)[row], matrix(x[row : row + 1])[0])


def test_zeros_no_rows_and_what_is_not_a_number() -> None:
    matrix = Int8Matrix(torch.cat([torch.randn(3, 8), torch.zeros(1, 8)]))
    assert (matrix(torch.zeros(2, 8)) == 0).all()
    assert matrix(torch.empty(0, 8)).shape == (0, 4)
    x = torch.randn(3, 8)
    x[1, 2] = float("nan")
    out = matrix(x)
    assert out[1].isnan().all()
    assert out[[0, 2]].isfinite().all()


@pytest.mark.parametrize("bias", [True, False])
def test_linear_keeps_its_shapes(bias: bool) -> None:
    layer = nn.Linear(40, 24, bias=bias)
    x = torch.randn(2, 3, 40)
    assert_close(Int8Linear(layer)(x), layer(x))
    assert Int8Linear(layer)(x[0, 0]).shape == (24,)
    assert_close(Int8Linear(layer).weight, layer.weight)


@pytest.mark.parametrize("kernel", [1, 2, 5])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_convolution(kernel: int, padding: int) -> None:
    layer = nn.Conv1d(16, 12, kernel, padding=padding)
    for length in (5, 9):
        x = torch.randn(3, 16, length)
        assert_close(Int8Conv1d(layer)(x), layer(x))


def test_convolution_of_integers_is_exact() -> None:
    layer = nn.Conv1d(4, 3, 3, padding=2, bias=False)
    layer.weight.data = exact(3, 3, 4).transpose(1, 2).contiguous()
    x = exact(2, 7, 4).transpose(1, 2)
    assert torch.equal(Int8Conv1d(layer)(x), layer(x).detach().round())


@pytest.mark.parametrize(("kind", "options"), RECURRENT)
def test_recurrent_layers_take_what_torch_takes(kind: type, options: dict[str, object]) -> None:
    layer = kind(20, 16, **options).eval()
    small = quantize(layer)
    x = torch.randn(5, 4, 20)  # (T, B, I), or (B, T, I): either is a batch
    ours, theirs = small(x), layer(x)
    assert_same_form(ours, theirs)
    assert_same_form(small(x[0]), layer(x[0]))
    batch = 5 if layer.batch_first else 4
    given = torch.randn(len(theirs[1][0]) if kind is nn.LSTM else len(theirs[1]), batch, 16)
    given = (given, given.flip(0)) if kind is nn.LSTM else given
    assert_same_form(small(x, given), layer(x, given))
    assert_same_form(small(x, theirs[1]), layer(x, theirs[1]))


@pytest.mark.parametrize(("kind", "options"), RECURRENT)
@pytest.mark.parametrize("with_states", [False, True])
def test_packed_rows_equal_those_alone(
    kind: type, options: dict[str, object], with_states: bool
) -> None:
    layer = kind(20, 16, **options | {"batch_first": True}).eval()
    small = quantize(layer)
    x, lengths = torch.randn(4, 6, 20), [2, 6, 1, 6]
    depth = layer.num_layers * (2 if layer.bidirectional else 1)
    states = torch.randn(depth, 4, 16)
    given = (states, states.flip(1)) if kind is nn.LSTM else states
    packed = pack_padded_sequence(x, torch.tensor(lengths), True, enforce_sorted=False)
    out, last = small(packed, given) if with_states else small(packed)
    assert_same_form((out, last), layer(packed, given) if with_states else layer(packed))
    padded, _ = pad_packed_sequence(out, batch_first=True)
    for row, length in enumerate(lengths):
        part = slice(row, row + 1)
        own = tuple(s[:, part] for s in given) if kind is nn.LSTM else given[:, part]
        alone, ended = small(x[part, :length], own if with_states else None)
        torch.testing.assert_close(padded[part, :length], alone, atol=1e-6, rtol=0)
        states_of = (lambda s: s[0]) if kind is nn.LSTM else (lambda s: s)
        torch.testing.assert_close(states_of(last)[:, part], states_of(ended), atol=1e-6, rtol=0)


def test_a_model_keeps_its_outputs_and_its_floats() -> None:
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    little = quantize(model)
    kinds = {type(module).__name__ for module in little.modules()}
    assert {"Int8Recurrent", "Int8Conv1d", "Int8Linear", "Embedding", "BatchNorm1d"} <= kinds
    assert not kinds & {"GRU", "Conv1d", "Linear"}
    cosine = F.cosine_similarity(little(ids()), model(ids()))
    assert cosine.min() > 0.999
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_it_is_stored_and_comes_back(tmp_path: Path) -> None:
    little = quantize(small())
    size = pack(tmp_path / "int8", little.state_dict())
    again = quantize(small(seed=1))
    again.load_state_dict(read_packed(tmp_path / "int8"))
    assert torch.equal(again(ids()), little(ids()))
    assert size < 12_000


def test_layers_that_int8_cannot_take_stay() -> None:
    model = nn.Sequential(
        nn.Conv1d(4, 4, 3, stride=2), nn.Conv1d(4, 4, 1, groups=2), nn.Linear(2, 2)
    )
    little = quantize(model)
    assert [type(m).__name__ for m in little] == ["Conv1d", "Conv1d", "Int8Linear"]
    shared = nn.Linear(4, 4)
    twice = quantize(nn.Sequential(shared, nn.ReLU(), shared))
    assert twice[0] is twice[2]


def test_what_cannot_be_quantised_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"LayerNorm has no layer that int8 could replace"):
        quantize(nn.LayerNorm(4))
    with pytest.raises(ConfigError, match=r"weight is torch\.bfloat16 on cpu.*float32"):
        quantize(nn.Linear(2, 2).bfloat16())


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    """Equal in shape, and as close as rounding two factors to 1/254 of their range allows."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 0.03 * theirs.abs().max()


def assert_same_form(ours: object, theirs: object) -> None:
    if isinstance(theirs, PackedSequence):
        assert isinstance(ours, PackedSequence)
        assert torch.equal(ours.batch_sizes, theirs.batch_sizes)
        assert_close(ours.data, theirs.data)
    elif isinstance(theirs, tuple):
        assert isinstance(ours, tuple)
        for a, b in zip(ours, theirs, strict=True):
            assert_same_form(a, b)
    else:
        assert isinstance(ours, Tensor)
        assert_close(ours, theirs)
