"""What a library of any size costs: time, machines, storage and latency, each by a shown formula.

Nothing here is measured when it is asked: the constants are figures that were measured here, with
the benchmark that gave them, figures of a vendor or a paper, named as such, and assumptions, each
of which is an input that can be given.
"""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

from reeltune.errors import ConfigError

Kind = Literal["measured", "vendor", "paper"]
ROWS = tuple(10**power for power in range(3, 10))  # moments of the table
YEAR_IN_MONTHS = 12
LEAST, MOST = 1e-15, 1e15  # of a number that is given: what is made of them then fits in a float


@dataclass(frozen=True)
class Constant:
    """A number that a plan stands on, and where it comes from."""

    value: float
    unit: str
    kind: Kind
    source: str


SPEED = "docs/measured/speed.md of commit 0656083, two cores of a Xeon at 2.5 GHz"
EPYC = "docs/measured/speed.md of commit bb029d8, two cores of an AMD EPYC, quiet"
CONSTANTS = {
    "decode_speed": Constant(
        24.0,
        "x real time, one process, 720p, default sampling",
        "measured",
        f"benchmarks/bench_decode.py, the lower end of 24 to 39; {SPEED}",
    ),
    "lite_rate": Constant(
        24.6 / 2,
        "frames/s of a core, lite, float32",
        "measured",
        "benchmarks/bench_frames.py; docs/measured/speed.md of commit 584d9fa, two cores",
    ),
    "clip_rate": Constant(
        15.9 / 2,
        "frames/s of a core, CLIP ViT-B/32, float32",
        "measured",
        "benchmarks/bench_frames.py; docs/measured/speed.md of commit 584d9fa, two cores",
    ),
    "clip_work": Constant(
        8.82e9,
        "operations of a frame, CLIP ViT-B/32",
        "paper",
        "4.41 G multiply-adds of the image tower at 224 pixels, twice, by the sizes of 2103.00020",
    ),
    "h100_peak": Constant(
        989e12, "operations/s, bfloat16, dense", "vendor", "NVIDIA, data sheet of the H100 SXM"
    ),
    "a100_peak": Constant(
        312e12, "operations/s, bfloat16, dense", "vendor", "NVIDIA, data sheet of the A100"
    ),
    "l4_peak": Constant(
        121e12,
        "operations/s, bfloat16, dense",
        "vendor",
        "NVIDIA, data sheet of the L4, whose 242 are with sparsity",
    ),
    "memory_p50": Constant(
        14.5,
        "ms of an answer among 100,000 x 512 in memory",
        "measured",
        f"benchmarks/bench_query.py --rows 100000; {SPEED}, quiet",
    ),
    "index_p50": Constant(
        13.7,
        "ms of an answer among 1,000,000 x 512 through the index",
        "measured",
        f"benchmarks/bench_query.py --rows 1000000; {EPYC}",
    ),
    "tail": Constant(
        18.5 / 13.7,
        "99th percentile by median of an answer through the index",
        "measured",
        f"benchmarks/bench_query.py --rows 1000000; {EPYC}",
    ),
    "build_time": Constant(
        37.8,
        "s to build the index of 1,000,000 x 512 on two cores",
        "measured",
        f"benchmarks/bench_query.py --rows 1000000; {EPYC}",
    ),
    "code": Constant(
        3 / 8,
        "bytes of the index for a number of a vector, beside 22 for a moment",
        "measured",
        f"benchmarks/bench_ann.py --rows 1000000, 214 MB for 1 million x 512; {EPYC}",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a person knows of the videos and pays for machines; the defaults are assumptions."""

    hours: float = 1000.0  # of video
    gpu: str | None = None  # h100, a100 or l4; None: processors alone
    model: str | None = None  # lite or clip; None: lite, but clip where there is a GPU
    moments_per_hour: float = 900.0  # windows of 8 s, each 4 s after the last
    frames_per_hour: float = 1800.0  # one in 2 s, where keyframes leave gaps
    width: int = 512  # numbers of a vector
    bytes_beside: float = 10_500.0  # of a moment beside its vector: thumbnail, paths, times
    gpu_share: float = 0.3  # of the vendor's peak that is reached
    cores: int = 64
    gpus: int = 8
    shard: int = 1_000_000  # moments of a shard, of which one process holds one
    core_price: float = 0.04  # of an hour, in any currency
    gpu_price: float = 2.5  # of an hour
    storage_price: float = 23.0  # of a TB in a month

    @property
    def reads(self) -> str:
        """The model that reads the frames."""
        return self.model or ("lite" if self.gpu is None else "clip")


def require(inputs: Inputs) -> None:
    """Raise ConfigError for what no plan can be made of."""
    for name, value in asdict(inputs).items():
        if isinstance(value, int | float) and not LEAST <= value <= MOST:
            range_of = "" if not 0 < value < math.inf else f", from {LEAST:g} to {MOST:g}"
            raise ConfigError(
                f"--{name.replace('_', '-')} is {value}; give a number above 0{range_of}"
            )
    if inputs.gpu is not None and f"{inputs.gpu}_peak" not in CONSTANTS:
        raise ConfigError(f"--gpu is {inputs.gpu!r}, and known are h100, a100 and l4; give one")
    if f"{inputs.reads}_rate" not in CONSTANTS:
        raise ConfigError(f"--model is {inputs.model!r}, and known are lite and clip; give one")
    if inputs.gpu is not None and inputs.reads != "clip":
        raise ConfigError(
            f"--model is {inputs.reads!r}, and a plan has --gpu {inputs.gpu} run clip; leave one "
            "of them out"
        )
    if inputs.gpu_share > 1:
        raise ConfigError(f"--gpu-share is {inputs.gpu_share}; give a part of 1, such as 0.3")
    of_gpus = {name: getattr(inputs, name) for name in ("gpu_share", "gpus", "gpu_price")}
    for name, value in of_gpus.items():
        if inputs.gpu is None and value != getattr(Inputs, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is {value}, and no GPU is planned with; give --gpu "
                "h100, a100 or l4 as well, or leave it out"
            )


FORMULAS = {
    "moments": "hours x moments_per_hour",
    "core_hours": "hours / decode_speed, and without a GPU + frames / rate / 3600",
    "gpu_hours": "frames x clip_work / (peak x gpu_share) / 3600",
    "days": "max((core_hours + build_core_hours) / cores, gpu_hours / gpus) / 24",
    "storage_gb": "moments x (4 x width + bytes_beside) / 1e9",
    "index_gb": "moments x (width x code + 22) / 1e9: three bits for each number, and what RaBitQ "
    "corrects",
    "shards": "moments / shard, rounded up",
    "build_core_hours": "2 cores x build_time x moments / 1e6 / 3600",
    "p50_ms": "of one shard: memory_p50 x moments / 100,000, or index_p50 x moments / 1e6 above a "
    "million; of more: the median of the slowest shard",
    "p99_ms": "the 99th percentile of the slowest shard, each log-normal with the measured tail",
    "cost": "(core_hours + build_core_hours) x core_price + gpu_hours x gpu_price",
    "storage_cost_year": "storage and index in TB x storage_price x 12",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A plan for so many moments."""

    moments: float
    hours: float
    core_hours: float
    gpu_hours: float
    build_core_hours: float
    days: float
    storage_gb: float
    index_gb: float
    shards: int
    p50_ms: float
    p99_ms: float
    cost: float
    storage_cost_year: float


def plan(inputs: Inputs) -> dict[str, Any]:
    """The plan for these hours and for 10^3 to 10^9 moments, with formulas and constants.

    Errors: `ConfigError` for inputs that are no numbers above 0, and unknown names.
    """
    require(inputs)
    return {
        "inputs": {**asdict(inputs), "model": inputs.reads},
        "asked": asdict(row(inputs.hours * inputs.moments_per_hour, inputs)),
        "table": [asdict(row(moments, inputs)) for moments in ROWS],
        "formulas": FORMULAS,
        "constants": {name: asdict(constant) for name, constant in used(inputs).items()},
    }


def used(inputs: Inputs) -> dict[str, Constant]:
    """The constants that a plan of these inputs reads."""
    other = {f"{inputs.reads}_rate"} if inputs.gpu is None else {"clip_work", f"{inputs.gpu}_peak"}
    always = {"decode_speed", "memory_p50", "index_p50", "tail", "build_time", "code"}
    return {name: one for name, one in CONSTANTS.items() if name in always | other}


def row(moments: float, inputs: Inputs) -> Row:
    """What so many moments take."""
    hours = moments / inputs.moments_per_hour
    frames = hours * inputs.frames_per_hour
    core_hours, gpu_hours = hours / CONSTANTS["decode_speed"].value, 0.0
    if inputs.gpu is None:
        core_hours += frames / CONSTANTS[f"{inputs.reads}_rate"].value / 3600
    else:
        reached = CONSTANTS[f"{inputs.gpu}_peak"].value * inputs.gpu_share
        gpu_hours = frames * CONSTANTS["clip_work"].value / reached / 3600
    shards = max(1, math.ceil(moments / inputs.shard))
    each = moments / shards
    build = 2 * CONSTANTS["build_time"].value * moments / 1e6 / 3600
    storage = moments * (4 * inputs.width + inputs.bytes_beside) / 1e9
    index = moments * (inputs.width * CONSTANTS["code"].value + 22) / 1e9
    one = shard_p50(each)
    return Row(
        moments=moments,
        hours=hours,
        core_hours=core_hours,
        gpu_hours=gpu_hours,
        build_core_hours=build,
        days=max((core_hours + build) / inputs.cores, gpu_hours / inputs.gpus) / 24,
        storage_gb=storage,
        index_gb=index,
        shards=shards,
        p50_ms=slowest_of(shards, one, CONSTANTS["tail"].value, 0.5),
        p99_ms=slowest_of(shards, one, CONSTANTS["tail"].value, 0.99),
        cost=(core_hours + build) * inputs.core_price + gpu_hours * inputs.gpu_price,
        storage_cost_year=(storage + index) / 1000 * inputs.storage_price * YEAR_IN_MONTHS,
    )


def shard_p50(moments: float) -> float:
    """Milliseconds of an answer among so many moments of one shard, at the median."""
    if moments <= 1_000_000:
        return max(moments / 1e5, 0.01) * CONSTANTS["memory_p50"].value
    return moments / 1e6 * CONSTANTS["index_p50"].value


def slowest_of(shards: int, median: float, tail: float, quantile: float) -> float:
    """The quantile of the slowest of `shards` times that are independent and log-normal with this
    median, and a 99th percentile `tail` times that.

    All are within t with the chance F(t)^shards, so it is the quantile^(1/shards) of one. That is
    1 for a float where shards are many, so the chance of being slower is computed.
    """
    deviation = math.log(tail) / NormalDist().inv_cdf(0.99)
    slower = -math.expm1(math.log(quantile) / shards)
    return median * math.exp(-deviation * NormalDist().inv_cdf(slower))


def merged(shards: Iterable[Sequence[tuple[float, str]]], count: int) -> list[tuple[float, str]]:
    """The best `count` of all shards from the best `count` of each, as scores and ids.

    Each shard is in order: the highest score first, and equal scores by their ids. Whatever is
    among the best of all is among the best of its shard, so nothing is missed.
    """
    parts = [list(some)[:count] for some in shards]
    every = heapq.merge(*parts, key=lambda one: (-one[0], one[1]))
    return [one for one, _ in zip(every, range(count), strict=False)]
