"""What the quality measures need to know of each character, as one table that numba reads.

*Special* characters are those that spell no word: punctuation, symbols with emoji, numbers, white space, controls and
code points that stand for nothing (general categories P, S, N, Z, C), and the marks that only shape emoji. ROOTS
listed its special characters one by one; white space is among them, and its thresholds were set so. The two joiners
U+200C and U+200D spell words of Indic and Arabic scripts and are not special, nor are other marks.
"""

import unicodedata
from functools import cache

import numpy as np

from pipeline.deduplication.characters import changed_by, kinds, spaces
from pipeline.text.scripts import SCRIPTS, script_table

CODE_MASK = 0x1FFFFF
SPECIAL, SPACE, ALONE, URL_END, CLAUSE_END, BREAK = 1 << 21, 1 << 22, 1 << 23, 1 << 24, 1 << 25, 1 << 26
"""Flags above the lower-cased code point: special; white space; a word of its own where a script has no spaces;
the last letter of a URL fragment; a mark that ends a sentence or clause; a mark that parts entries of a menu."""
SCRIPT_SHIFT, NO_SCRIPT = 27, 31
"""Above the flags: index into SCRIPTS; NO_SCRIPT for special characters."""

CLAUSE_ENDS = ".,;:!?…،؛؟۔।॥、。！？，；：።፣፤፥፧។៖၊။༎།"
BREAKS = "\n\r\t\v\f\x85\u2028\u2029|¦·•●▪◦‣»›→"
"""Line ends, tabs, and what menus and breadcrumbs put between their entries."""

SIZE = 0x110000
_SPECIAL_KINDS = "PSNZC"
_JOINERS = frozenset((0x200C, 0x200D))
_EMOJI_MARKS = frozenset((0x20E3, 0xFE0E, 0xFE0F))
_ALONE = (
    (0x0E01, 0x0EDF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF),
)  # fmt: skip
"""Thai and Lao, Tibetan, Myanmar, Khmer, kana and Han: scripts written without spaces between words."""

URL_FRAGMENTS = ("http", "href", ".com", "www", "//")
"""A word that holds one of these, whatever the case of its letters, is part of a URL or of markup (ROOTS)."""


def is_special(character: str) -> bool:
    """Whether a character spells no word."""
    code = ord(character)
    return code not in _JOINERS and (unicodedata.category(character)[0] in _SPECIAL_KINDS or code in _EMOJI_MARKS)


def lower(text: str) -> str:
    """Lower case character by character: a character whose lower case is several stays as it is."""
    return "".join([small if len(small := character.lower()) == 1 else character for character in text])


def is_alone(character: str) -> bool:
    """Whether a character is a word of its own in `segment_words`: one of a script without spaces."""
    return any(first <= ord(character) <= last for first, last in _ALONE) and not is_special(character)


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@cache
def table() -> np.ndarray:
    """The table, uint32 (SIZE,): lower-cased code point, flags and script; made once a process (about 0.1 s)."""
    entries = np.arange(SIZE, dtype=np.uint32)
    for character in changed_by(str.lower):
        entries[ord(character)] = ord(lower(character))
    entries[: len(kinds())][np.isin(kinds(), list(_SPECIAL_KINDS.encode()))] |= SPECIAL
    entries[len(kinds()) :] |= SPECIAL
    entries[spaces()] |= SPACE
    entries[list(_EMOJI_MARKS)] |= SPECIAL
    entries[list(_JOINERS)] &= ~np.uint32(SPECIAL)
    for first, last in _ALONE:
        block = entries[first : last + 1]
        block |= np.where(block & SPECIAL, 0, ALONE).astype(np.uint32)
    for marks, flag in ((CLAUSE_ENDS, CLAUSE_END), (BREAKS, BREAK)):
        for mark in marks:
            entries[ord(mark)] |= flag
    for fragment in URL_FRAGMENTS:
        entries[ord(fragment[-1])] |= URL_END
        entries[ord(fragment[-1].upper())] |= URL_END
    scripts = np.full(SIZE, SCRIPTS.index("Other"), np.uint32)
    scripts[: len(script_table())] = script_table()
    scripts[0x20000:0x323B0] = SCRIPTS.index("Hani")
    scripts[(entries & SPECIAL) != 0] = NO_SCRIPT
    return entries | scripts << SCRIPT_SHIFT
