"""Broken and false media files before a real server: a slice of benchmarks/bench_mutated.py."""

from benched import benched


def test_each_of_twenty_broken_files_is_indexed_or_named_and_none_breaks_the_server() -> None:
    (line,) = benched("bench_mutated.py", "--files", "20")
    assert (line["unaccounted"], line["server_errors"], line["leaks"]) == (0, 0, 0)
    assert line["became"]["indexed"] > 3
    assert line["became"]["failed"] > 3
    assert line["answers"]["200"] > line["became"]["indexed"]
