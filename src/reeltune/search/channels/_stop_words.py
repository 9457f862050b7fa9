"""English words that hold a sentence together and say little of what it is about."""

from collections.abc import Sequence

_WORDS = """
a an the and or but nor if so than then as at by for from in into of off on onto out over to up
upon with without about above across after against along among around before behind below
between down during near since through toward towards under until within while
i me my mine we us our ours you your yours he him his she her hers it its they them their theirs
this that these those here there who whom whose which what where when why how
am is are was were be been being do does did doing have has had having can could may might must
shall should will would isnt arent wasnt werent dont doesnt didnt cant couldnt wont wouldnt
not no all any both each every some such same other only own just also very too
im ive id ill youre youve hes shes thats theyre lets
"""
STOP_WORDS = frozenset(_WORDS.split())


def telling(words: Sequence[str]) -> list[str]:
    """The words of a query that say what it is about; all of them where none does."""
    return [word for word in words if word not in STOP_WORDS] or list(words)
