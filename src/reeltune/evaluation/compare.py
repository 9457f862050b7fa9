"""Is one report better than another, or is the difference inside noise?"""

from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.report import AnyReport

UNFIT = (LookupError, TypeError, ValueError, ArithmeticError)


def compare(a: AnyReport, b: AnyReport, seed: int = 0) -> Comparison:
    """Difference of `b` from `a`, by a paired bootstrap: the same videos are drawn for both.

    Figures that only one of them has are named.
    Errors: `ConfigError` for reports of two kinds, and where the protocols differ in more than
    model, fingerprint and training seed; `DataError` for one whose entries do not fit its figures.
    """
    require_one_kind(a, b, "these reports")
    if unlike := a.unlike(b):
        fields = "; ".join(f"{name}: {x!r} against {y!r}" for name, (x, y) in unlike.items())
        raise ConfigError(
            f"these reports follow unlike protocols and cannot be compared ({fields}); "
            f"evaluate both models under one protocol"
        )
    try:
        return a.against(b, seed)
    except UNFIT as error:  # each entry is right by itself, as whoever read the report has checked
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"entries of these reports do not fit their figures ({why})") from error


def require_one_kind(a: AnyReport, b: AnyReport, called: str) -> None:
    """Raise ConfigError unless two reports, which are `called` so in its message, are alike."""
    if type(a) is not type(b):
        raise ConfigError(
            f"{called} are of {a.what} and of {b.what}, and cannot be compared; "
            "give two of one kind"
        )
