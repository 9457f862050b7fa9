"""Reports: ratios by hand, interleaved times, and a table that can be read."""

import pytest

from reeltune.compress.report import Comparison, Row, latencies

DENSE = Row(
    name="dense",
    size=4_000_000,
    parameters=1_000_000,
    nonzeros=1_000_000,
    milliseconds=(10.0, 20.0, 40.0),
    accuracy={"R@1": 50.0},
)
SMALL = Row(
    name="small",
    size=1_000_000,
    parameters=600_000,
    nonzeros=500_000,
    milliseconds=(5.0, 8.0, 24.0),
    accuracy={"R@1": 49.25},
)


def test_ratios_are_to_the_first_row() -> None:
    first, second = Comparison((DENSE, SMALL)).as_dict()
    assert (first["size_ratio"], first["nonzero_ratio"], first["time_ratio"]) == (1, 1, 1)
    assert (second["size_ratio"], second["nonzero_ratio"]) == (0.25, 0.5)
    assert second["median_ms"] == 8.0
    assert second["time_ratio"] == 0.5, "of 0.5, 0.4 and 0.6, each against the call beside it"
    assert second["time_ratio_quartiles"] == pytest.approx([0.45, 0.55])
    assert second["accuracy"] == {"R@1": 49.25}


def test_the_table_says_it_all() -> None:
    text = Comparison((DENSE, SMALL)).text()
    assert text.splitlines()[0].startswith("|  | size, MB | ratio | parameters | non-zeros")
    assert (
        "| small | 1.00 | 0.250 | 600,000 | 500,000 | 0.5000 | 8.0 (6.5-16.0) | 0.500 | 49.2 |"
        in (text)
    )
    bare = Row(name="bare", size=1, parameters=1, nonzeros=1)
    assert "latency" not in Comparison((bare,)).text()


def test_calls_take_turns() -> None:
    made: list[str] = []
    calls = {name: (lambda name=name: made.append(name)) for name in "ab"}
    found = latencies(calls, repeats=3)
    assert "".join(made) == "abababab"
    assert {name: len(times) for name, times in found.items()} == {"a": 3, "b": 3}
    assert all(time >= 0 for times in found.values() for time in times)
