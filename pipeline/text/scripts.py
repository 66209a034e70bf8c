"""Which script a letter is of, as a table that numba reads."""

from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.deduplication.characters import kinds

SCRIPTS = (
    "Zyyy", "Latn", "Arab", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai",
    "Laoo", "Tibt", "Mymr", "Geor", "Hang", "Ethi", "Khmr", "Grek", "Cyrl", "Armn", "Hebr", "Kana", "Hani", "Other",
)  # fmt: skip
"""ISO 15924; `Zyyy` is what is no letter, or goes with any script."""

_RANGES = (
    (0x0041, 0x024F, "Latn"), (0x0250, 0x02AF, "Latn"), (0x1E00, 0x1EFF, "Latn"), (0xA720, 0xA7FF, "Latn"),
    (0x0600, 0x06FF, "Arab"), (0x0750, 0x077F, "Arab"), (0xFB50, 0xFDFF, "Arab"), (0xFE70, 0xFEFC, "Arab"),
    (0x0900, 0x097F, "Deva"), (0x0980, 0x09FF, "Beng"), (0x0A00, 0x0A7F, "Guru"), (0x0A80, 0x0AFF, "Gujr"),
    (0x0B00, 0x0B7F, "Orya"), (0x0B80, 0x0BFF, "Taml"), (0x0C00, 0x0C7F, "Telu"), (0x0C80, 0x0CFF, "Knda"),
    (0x0D00, 0x0D7F, "Mlym"), (0x0D80, 0x0DFF, "Sinh"), (0x0E00, 0x0E7F, "Thai"), (0x0E80, 0x0EFF, "Laoo"),
    (0x0F00, 0x0FFF, "Tibt"), (0x1000, 0x109F, "Mymr"), (0x10A0, 0x10FF, "Geor"), (0x1100, 0x11FF, "Hang"),
    (0xAC00, 0xD7AF, "Hang"), (0x1200, 0x139F, "Ethi"), (0x1780, 0x17FF, "Khmr"), (0x0370, 0x03FF, "Grek"),
    (0x1F00, 0x1FFF, "Grek"), (0x0400, 0x052F, "Cyrl"), (0x0530, 0x058F, "Armn"), (0x0590, 0x05FF, "Hebr"),
    (0x3040, 0x30FF, "Kana"), (0x3400, 0x4DBF, "Hani"), (0x4E00, 0x9FFF, "Hani"), (0xF900, 0xFAFF, "Hani"),
)  # fmt: skip
_HAN_BEYOND, _HAN_END = 0x20000, 0x32400
"""Han beyond the basic plane."""
_LETTERS = {"Hani": 3, "Kana": 2, "Hang": 2, "Ethi": 2}
_SEVERAL = {"Jpan": ("Hani", "Kana"), "Kore": ("Hang", "Hani"), "Hrkt": ("Kana",), "Hira": ("Kana",)}
_SAME = {"Hans": "Hani", "Hant": "Hani", "Hanb": "Hani", "Aran": "Arab", "Latf": "Latn", "Latg": "Latn"}


@cache
def script_table() -> npt.NDArray[np.uint8]:
    """Code point of the basic plane → index into SCRIPTS, 0 for what is no letter; uint8, (65536,)."""
    table = np.zeros(1 << 16, np.uint8)
    letters = np.isin(kinds()[: len(table)], list(b"LM"))
    letters[0x02BC] = False  # an apostrophe in many orthographies
    table[letters] = SCRIPTS.index("Other")
    for first, last, script in _RANGES:
        span = slice(first, last + 1)
        table[span] = np.where(letters[span], SCRIPTS.index(script), 0)
    table[0x0300:0x0370] = 0  # combining marks go with any script
    return table


@cache
def letters_table() -> npt.NDArray[np.uint8]:
    """Code point → how many letters of an alphabet it stands for, uint8, (0x32400,): 3 of Han, 2 of kana, Hangul and
    Ethiopic, 1 of all others.

    The Universal Declaration has 0.27 times as many characters in Chinese as in English, 0.39 in Japanese, 0.44 in
    Korean, 0.51 in Amharic; but 0.87 to 1.4 in Thai, Lao, Khmer, Tibetan and Burmese, which lack spaces only. None
    stands for more letters than it has bytes in UTF-8.
    """
    table = np.ones(_HAN_END, np.uint8)
    for script, letters in _LETTERS.items():
        table[: 1 << 16][script_table() == SCRIPTS.index(script)] = letters
    table[_HAN_BEYOND:] = _LETTERS["Hani"]
    return table


def scripts_of(written: str) -> tuple[int, ...]:
    """Indices into SCRIPTS of the scripts that a language is written in, by its ISO 15924 code.

    All of them for `Zyyy`; `Other` for a script that has no entry.
    """
    if written == "Zyyy":
        return tuple(range(len(SCRIPTS)))
    names = _SEVERAL.get(written, (_SAME.get(written, written),))
    return tuple(SCRIPTS.index(name if name in SCRIPTS else "Other") for name in names)
