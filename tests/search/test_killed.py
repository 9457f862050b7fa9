"""A few kills of the matrix in `benchmarks/bench_killed.py`, which says what is checked."""

from benched import benched


def test_a_library_survives_sigkill_at_random_moments() -> None:
    runs, cares = benched("bench_killed.py", "--kills", "1", "--files", "7")
    assert runs["kills"] == 1
    assert runs["libraries_completed_and_equal"] >= 1
    commands = ("remove", "undo", "relocate", "prune", "repair")
    assert cares["kills"] == dict.fromkeys(commands, 1)
