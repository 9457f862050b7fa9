"""Packed files: what comes back, how small they are, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.torch import load_file, save_file
from small_model import small
from torch import Tensor, nn

from reeltune.compress.pack import pack
from reeltune.compress.prune import census, prune
from reeltune.errors import CheckpointError
from reeltune.nn.packed import FORMAT, packed_name, read_packed

DTYPES = (np.float32, np.float16, np.float64, np.int64, np.int32, np.uint8, np.bool_)


def same_bits(a: Tensor, b: Tensor) -> bool:
    alike = (a.dtype, a.shape) == (b.dtype, b.shape)
    return alike and a.numpy().tobytes() == b.numpy().tobytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_bit_of_every_dtype_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    drawn = data.draw(arrays(data.draw(st.sampled_from(DTYPES)), shape))
    tensor = torch.from_numpy(np.array(drawn))
    pack(tmp_path / "x", {"it": tensor})
    assert same_bits(read_packed(tmp_path / "x")["it"], tensor)


def test_odd_values_keep_their_bits(tmp_path: Path) -> None:
    nan = torch.tensor([0x7FC12345, 0, -1], dtype=torch.int32).view(torch.float32)
    odd = torch.zeros(100)
    odd[:6] = torch.tensor([-0.0, float("inf"), -float("inf"), float("nan"), 1e-45, 3.0])
    tensors = {
        "nan": torch.cat([nan, torch.zeros(97)]),
        "odd": odd,
        "bfloat16": odd.bfloat16(),
        "float8": odd.to(torch.float8_e4m3fn),
        "complex": torch.complex(odd, odd),
        "steps": torch.tensor(7),
        "none": torch.empty(0, 3),
    }
    pack(tmp_path / "x", tensors)
    found = read_packed(tmp_path / "x")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        bits = (t.reshape(-1).view(torch.uint8) for t in (found[name], tensor))
        assert torch.equal(*bits), name
        assert found[name].shape == tensor.shape


def test_dense_is_kept_where_it_is_smaller(tmp_path: Path) -> None:
    pack(
        tmp_path / "x",
        {"full": torch.ones(64), "half": torch.ones(64).masked_fill_(torch.arange(64) % 2 == 0, 0)},
    )
    assert set(load_file(tmp_path / "x")) == {"full|dense", "half|bits", "half|values"}


def test_shared_tensors_are_stored_once_and_shared_again(tmp_path: Path) -> None:
    weight = torch.randn(100, 100)
    size = pack(tmp_path / "x", {"a": weight, "b": weight, "c": weight.clone(), "d": weight.T})
    assert 3 * weight.nbytes < size < 3 * weight.nbytes + 2000
    found = read_packed(tmp_path / "x")
    assert found["a"].data_ptr() == found["b"].data_ptr() != found["c"].data_ptr()
    assert torch.equal(found["d"], weight.T)


def test_a_pruned_model_loads_to_identical_outputs(tmp_path: Path) -> None:
    model, again = small(), small(seed=1)
    prune(model, 0.5)
    pack(tmp_path / "x", model.state_dict())
    again.load_state_dict(read_packed(tmp_path / "x"))
    ids = torch.arange(36).reshape(4, 9)
    assert torch.equal(model(ids), again(ids))


def medium() -> nn.Module:
    """Dual Encoding's shares of layers at about a hundredth of its size: 5.6 % are a table."""
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "table": nn.Embedding(781, 50),
            "gru": nn.GRU(410, 51, bidirectional=True),
            "conv": nn.Conv1d(102, 120, 5),
            "latent": nn.Linear(1400, 300),
            "norm": nn.BatchNorm1d(300),
        }
    )


def test_sizes_at_the_published_sparsity(tmp_path: Path) -> None:
    """0.66 of the parameters is not 0.66 of the file; with a bitmap it nearly is."""
    model = medium()
    save_file(model.state_dict(), tmp_path / "dense")
    found = census(model, prune(model, 0.36))
    assert abs(found.ratio - 0.66) < 0.005
    state = model.state_dict()
    dense = (tmp_path / "dense").stat().st_size
    statistics = [name for name, _ in model.named_buffers()]
    whole = pack(tmp_path / "float32", state)
    half = pack(tmp_path / "bfloat16", state, "bfloat16", statistics)
    byte = pack(tmp_path / "int8", state, "int8", statistics)
    assert whole / dense <= 0.70
    assert half / dense <= 0.365, "0.36 at true size, where headers are nothing"
    assert byte / dense <= 0.21
    for name, tensor in read_packed(tmp_path / "float32").items():
        assert same_bits(tensor, state[name])
    for name, tensor in read_packed(tmp_path / "bfloat16").items():
        rounded = state[name] if name in statistics else state[name].bfloat16().float()
        assert same_bits(tensor, rounded)


def test_int8_is_within_half_a_step_of_each_row(tmp_path: Path) -> None:
    model = medium()
    prune(model, 0.36)
    pack(tmp_path / "x", model.state_dict(), "int8")
    for name, found in read_packed(tmp_path / "x").items():
        tensor = model.state_dict()[name]
        if tensor.ndim < 2:
            assert torch.equal(found, tensor)
            continue
        rows, again = tensor.flatten(1), found.flatten(1)
        step = rows.abs().amax(dim=1, keepdim=True) / 127
        assert ((rows - again).abs() <= 0.5001 * step).all()
        assert (again[rows == 0] == 0).all()


def test_what_int8_cannot_hold_is_kept_whole(tmp_path: Path) -> None:
    endless = torch.zeros(4, 40)
    endless[0, 0] = float("inf")
    state = {"endless": endless, "nothing": torch.zeros(3, 50), "empty": torch.empty(0, 5)}
    pack(tmp_path / "x", state, "int8")
    for name, found in read_packed(tmp_path / "x").items():
        assert torch.equal(found, state[name])


def test_names_with_bars_do_not_collide(tmp_path: Path) -> None:
    sparse = torch.zeros(64)
    sparse[3] = 1
    state = {"a": sparse, "a|bits": torch.ones(5), "a|values": 2 * sparse}
    pack(tmp_path / "x", state)
    for name, found in read_packed(tmp_path / "x").items():
        assert torch.equal(found, state[name])


def test_a_tensor_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"w is on the meta device.*load them first"):
        pack(tmp_path / "x", {"w": torch.empty(3, device="meta")})


def test_the_packed_file_has_its_own_name() -> None:
    assert packed_name(Path("a/model.safetensors")) == Path("a/model.packed.safetensors")


SOUND = {"dtype": "float32", "shape": [16], "sparse": True, "scaled": False}
BITS = torch.tensor([3, 0], dtype=torch.uint8)


def written(path: Path, parts: dict[str, Tensor], plan: object) -> Path:
    text = plan if isinstance(plan, str) else json.dumps(plan)
    save_file(parts, path, {"format": FORMAT, "tensors": text})
    return path


def test_a_file_by_hand_is_read(tmp_path: Path) -> None:
    parts = {"w|bits": BITS, "w|values": torch.tensor([5.0, 6.0])}
    found = read_packed(written(tmp_path / "x", parts, {"w": SOUND}))
    assert found["w"].tolist() == [5.0, 6.0] + 14 * [0.0]


@pytest.mark.parametrize(
    ("parts", "plan", "message"),
    [
        ({"w|bits": BITS, "w|values": torch.ones(3)}, {"w": SOUND}, "3 values for 2 set bits"),
        ({"w|bits": BITS[:1], "w|values": torch.ones(2)}, {"w": SOUND}, r"bits \(1,\) for 16"),
        ({"w|bits": BITS}, {"w": SOUND}, "w|values"),
        ({"w|bits": BITS}, {"w": {**SOUND, "dtype": "float33"}}, "float33"),
        ({"w|bits": BITS}, {"w": {**SOUND, "shape": [-4, -4]}}, r"w has shape \(-4, -4\)"),
        ({"w|bits": BITS}, {"w": {**SOUND, "shape": [2**50]}}, "w has shape"),
        ({"w|dense": BITS}, {"w": {**SOUND, "sparse": False}}, r"2 values for shape \(16,\)"),
        ({"w|bits": BITS}, {"w": {"dtype": "float32", "shape": [16]}}, "sparse"),
        ({"w|bits": BITS}, [1], "list of tensors is damaged"),
        ({"w|bits": BITS}, {"w": 3}, "list of tensors is damaged"),
        ({"w|bits": BITS}, "{", "Expecting property name"),
        ({"w|bits": BITS}, {"w": {"same": "v"}}, "w is the same as v, which is not there"),
        (
            {"w|dense": torch.ones(16), "w|scales": torch.ones(3)},
            {"w": {**SOUND, "sparse": False, "scaled": True}},
            r"scales \(3,\) for shape \(16,\)",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_its_reason(
    tmp_path: Path, parts: dict[str, Tensor], plan: object, message: str
) -> None:
    path = written(tmp_path / "damaged", parts, plan)
    with pytest.raises(CheckpointError, match=rf"damaged.*{message}.*pack it again"):
        read_packed(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with pytest.raises(CheckpointError, match=r"other cannot be read as packed"):
        read_packed(path)
    save_file({"w": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match=r"format is None, wanted 'reeltune-packed-1'"):
        read_packed(path)
    pack(path, {"w": torch.randn(500)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"other cannot be read as packed"):
        read_packed(path)
