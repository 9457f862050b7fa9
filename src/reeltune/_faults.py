"""What is wrong with settings that pydantic refuses, in one line."""

from pydantic import ValidationError


def first_fault(error: ValidationError, whole: str = "the whole") -> tuple[str, str]:
    """Where the first fault is, such as `training.lr`, or `whole`; and what it is."""
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])) or whole, first["msg"]
