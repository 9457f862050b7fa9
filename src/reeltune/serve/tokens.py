"""Tokens, by which whoever reaches a server off loopback is let in."""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal

from reeltune.errors import ConfigError, counted

Scope = Literal["read", "write"]
SHORTEST = 32  # characters of a token that a person chose
BYTES = 24  # of chance in one that is drawn


@dataclass(frozen=True)
class Tokens:
    """One token for all that a server does, and one for what changes nothing."""

    write: str = field(repr=False)
    read: str = field(repr=False)

    @classmethod
    def drawn(cls, write: str | None = None, read: str | None = None) -> "Tokens":
        """Tokens by chance in place of those that are not given.

        Raises ConfigError for a given one that is short, or not printable ASCII.
        """
        for name, given in (("REELTUNE_TOKEN", write), ("REELTUNE_READ_TOKEN", read)):
            if given is not None:
                _require_strong(name, given)
        return cls(write or secrets.token_urlsafe(BYTES), read or secrets.token_urlsafe(BYTES))

    def scope_of(self, given: str) -> Scope | None:
        """What a token allows; it takes as long for a wrong one as for a right one."""
        tried = given.encode("utf-8", "replace")
        may_write = hmac.compare_digest(tried, self.write.encode())
        may_read = hmac.compare_digest(tried, self.read.encode())
        return "write" if may_write else "read" if may_read else None


def _require_strong(name: str, token: str) -> None:
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"{name} has {counted(len(token), 'character')}; give it {SHORTEST} or more of "
            "printable ASCII without spaces, or leave it out for a token by chance"
        )
