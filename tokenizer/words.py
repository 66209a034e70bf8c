"""Words of running text by Unicode's word boundaries (UAX #29), through the library `uniseg`.

A segment counts as a word where it holds a letter or a digit: white space and punctuation are none. In scripts written
without spaces UAX #29 sees no words; `is_unspaced` finds such text.
"""

import re
import unicodedata
from functools import lru_cache

from uniseg.wordbreak import WordBreak, word_boundaries, word_break

from pipeline.quality.characters import is_alone

RUN_MAX = 1000
"""Characters of a run without white space that are segmented at once; longer ones are cut, since `uniseg` takes time
quadratic in the length of some."""
_RUN = re.compile(rf"[\S\u202f]{{1,{RUN_MAX}}}")
_EDGES = ".,;:!?()"
"""They end a word wherever no letter or digit follows, and begin none."""
_JOINING = frozenset((WordBreak.EXTEND, WordBreak.FORMAT, WordBreak.ZWJ))
_classes = lru_cache(1 << 16)(word_break)
_is_alone = lru_cache(1 << 16)(is_alone)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of each word, in characters.

    Runs between white space are segmented one by one, each different one once: no word of UAX #29 holds white space,
    but for the narrow no-break space U+202F, which joins figures.
    """
    spans = []
    for run in _RUN.finditer(text):
        begin = run.start()
        spans += [(begin + first, begin + last) for first, last in _spans_of_run(run.group())]
    return spans


@lru_cache(1 << 18)
def _spans_of_run(run: str) -> tuple[tuple[int, int], ...]:
    core = run.lstrip(_EDGES)
    begin = len(run) - len(core)
    core = core.rstrip(_EDGES)
    if core and _is_letters(core):
        return ((begin, begin + len(core)),)
    spans, first = [], 0
    for last in word_boundaries(core):
        if any(character.isalnum() for character in core[first:last]):
            spans.append((begin + first, begin + last))
        first = last
    return tuple(spans)


def _is_letters(core: str) -> bool:
    """Whether rules WB4 and WB5 alone make one word of it: letters, with marks behind them."""
    return (
        core[0].isalnum()
        and _classes(core[0]) is WordBreak.ALETTER
        and all((found := _classes(character)) is WordBreak.ALETTER or found in _JOINING for character in core)
    )


def is_unspaced(text: str) -> bool:
    """Whether more than half of the letters belong to scripts written without spaces (Han, kana, Thai, Khmer, …)."""
    letters = [character for character in text[:5_000] if unicodedata.category(character)[0] == "L"]
    return sum(map(_is_alone, letters)) > len(letters) / 2
