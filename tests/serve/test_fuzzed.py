"""Requests of every address, with tokens and without: a slice of benchmarks/bench_fuzzed.py."""

from benched import benched


def test_what_is_answered_is_described_and_no_more_than_a_token_may_have() -> None:
    (line,) = benched("bench_fuzzed.py", "--requests", "80")
    assert (line["requests"], line["addresses"]) == (80, 40)
    wrong = ("server_errors", "not_described", "too_much", "leaks")
    assert {name: line[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert {"200", "401", "403", "404", "422"} <= set(line["answers"])
