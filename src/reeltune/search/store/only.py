"""A part of a library that alone is searched."""

from dataclasses import dataclass

from reeltune.search.store._sql import is_one_of


@dataclass(frozen=True)
class Only:
    """What moments must be, beside a filter in a person's words."""

    videos: tuple[str, ...] | None = None  # contents that they are of; None: any
    moments: tuple[str, ...] | None = None  # their ids; None: any
    firsts: bool = False  # the first ones of their videos
    after: float | None = None  # s, which they last beyond
    before: float | None = None  # s, at which they have begun
    apart: tuple[tuple[str, float, float], ...] = ()  # contents, from and to, that they leave alone

    def sql(self) -> str | None:
        """The condition in the table's own language; None where all moments meet it."""
        found = [] if self.videos is None else [is_one_of("video", self.videos)]
        found += [] if self.moments is None else [is_one_of("id", self.moments)]
        found += ["part = 0"] if self.firsts else []
        found += [] if self.after is None else [f"`end` > {float(self.after)!r}"]
        found += [] if self.before is None else [f"`start` < {float(self.before)!r}"]
        for video, start, end in self.apart:
            same = is_one_of("video", [video])
            found.append(f"NOT ({same} AND `start` < {end!r} AND `end` > {start!r})")
        return " AND ".join(found) or None
