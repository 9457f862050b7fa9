"""Frames to moments."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reeltune.search.shots import MomentSettings, change, segments, signature


def plain(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, 32, 32)).copy()


RED, BLUE = signature(plain(200, 0, 0)), signature(plain(0, 0, 200))


def slow_signature(pixels: np.ndarray) -> np.ndarray:
    counts, side = np.zeros(256), pixels.shape[1]
    for y in range(side):
        for x in range(side):
            quarter = 2 * (y >= side // 2) + (x >= side // 2)
            r, g, b = (int(v) // 64 for v in pixels[:, y, x])
            counts[64 * quarter + 16 * r + 4 * g + b] += 1
    return counts / counts.sum()


def test_signature_equals_counting_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(signature(pixels), slow_signature(pixels))


def test_change_is_the_share_of_the_picture_that_changed() -> None:
    half = plain(200, 0, 0)
    half[:, :16] = plain(0, 0, 200)[:, :16]
    assert change(RED, RED) == 0
    assert change(RED, BLUE) == 1
    assert change(RED, signature(half)) == 0.5


def test_a_cut_makes_two_moments_at_the_frame_where_it_is_seen() -> None:
    found = segments([0.0, 2.0, 4.0, 6.0, 8.0], [RED, RED, BLUE, BLUE, BLUE], 10.0)
    assert [(s.start, s.end, s.first, s.stop) for s in found] == [(0, 4, 0, 2), (4, 10, 2, 5)]


def test_short_shots_join_their_neighbours() -> None:
    found = segments([0.0, 1.0, 2.0, 3.0, 4.0], [RED, BLUE, RED, BLUE, RED], 5.0)
    assert [(s.start, s.end, s.first, s.stop) for s in found] == [(0, 5, 0, 5)]


def test_a_long_shot_becomes_windows_that_overlap_by_half() -> None:
    found = segments([float(t) for t in range(0, 60, 2)], [RED] * 30, 60.0)
    lengths = [s.end - s.start for s in found]
    assert all(7 <= length <= 9 for length in lengths)
    for a, b in pairwise(found):
        assert abs((a.end - b.start) - (a.end - a.start) / 2) < 1e-6
    assert (found[0].start, found[-1].end) == (0, 60)


@given(
    gaps=st.lists(st.floats(0.05, 2.0), min_size=0, max_size=80),
    colours=st.lists(st.booleans(), min_size=81, max_size=81),
    tail=st.floats(0, 3),
)
def test_every_frame_is_in_a_moment_and_no_moment_is_empty(
    gaps: list[float], colours: list[bool], tail: float
) -> None:
    times = [float(t) for t in np.cumsum([0.0, *gaps])]
    looks = [RED if red else BLUE for red in colours[: len(times)]]
    found = segments(times, looks, times[-1] + tail)
    covered = {i for s in found for i in range(s.first, s.stop)}
    assert covered == set(range(len(times)))
    assert all(s.stop > s.first and s.end >= s.start >= 0 for s in found)
    assert all(s.end - s.start <= MomentSettings().longest + 1e-6 for s in found)
    for s in found:
        assert all(s.start - 1e-5 <= times[i] <= s.end + 1e-5 for i in range(s.first, s.stop))


def test_settings_say_themselves() -> None:
    assert str(MomentSettings()) == "shots 3-12 window 8 cut 0.33"
