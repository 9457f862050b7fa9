"""Words of strangers as one plain line, which no terminal and no table can be harmed by."""

import unicodedata

KEPT = "\u200c\u200d"  # unseen, and a part of proper writing in some languages and of emoji
UNSEEN = ("Cc", "Cf", "Cs", "Cn", "Co")  # categories of what is no letter, mark or sign


def plain(text: str) -> str:
    """The text as one line in NFC: whatever is not seen is gone, and each run of white space, line
    breaks among it, is one space."""
    spaced = " ".join(text.split())
    seen = (c for c in spaced if c in KEPT or unicodedata.category(c) not in UNSEEN)
    return " ".join(unicodedata.normalize("NFC", "".join(seen)).split())
