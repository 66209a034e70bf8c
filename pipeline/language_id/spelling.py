"""Near relatives told apart by what their spelling or their commonest words give away.

A rule is a group of languages and, for each, strings of bytes with weights. Where the vote answers a language of a
group and the strings of another weigh more, that one is the answer.
"""

from collections.abc import Mapping
from typing import Final

Signs = Mapping[str, Mapping[str, int]]

GROUPS: Final[tuple[Signs, ...]] = (
    {  # Kirundi writes c before back vowels and vy where Kinyarwanda writes cy and by; kuraba, gufise; kureba, gufite
        "rn": {"vy": 3, "ca": 1, "co": 1, "cu": 1, "fise": 3, "raba": 2, "shir": 1},
        "rw": {"by": 3, "cy": 3, "shy": 2, "jye": 2, "njy": 2, "fite": 3, "reba": 2},
    },
    {  # Setswana writes tlh where the Sothos write hl; go and ga of the others are ho and ha in Southern Sotho
        "nso": {
            "hl": 2, "tlh": -2, " go ": 2, " ga ": 2, " gore": 2, "š": 2, "Š": 2, "bj": 2, "mps": 2, " ye ": 2,
            " yeo ": 2,
        },
        "st": {
            "hl": 2, "tlh": -2, " ho ": 3, " ha ": 3, " hore": 3, "tjh": 2, "pj": 2, " tsa ": 1, "jw": 1, " kapa ": 3,
        },
        "tn": {
            "tlh": 2, " go ": 2, " ga ": 2, " gore": 2, " mo ": 2, " tsa ": 1, "jw": 1, " kgotsa ": 3, " gongwe ": 3,
        },
    },
    {  # isiXhosa doubles the vowel of a prefix; isiZulu's demonstratives begin with l
        "xh": {
            " ii": 2, " oo": 2, " ee": 2, "kunye": 2, "okanye": 3, " kwaye": 3, " xa ": 2, " eli ": 2, " esi ": 2,
            " olu ": 2, " oku ": 2, " apho": 2,
        },
        "zu": {
            " noma": 3, " futhi": 3, "ukuthi": 2, " kanye": 2, " uma ": 2, "lapho": 2, "kumele": 2, "leli ": 2,
            "lesi ": 2, "lolu ": 2, "lokhu": 2, "lezi ": 2,
        },
    },
    {
        "id": {
            " karena": 3, " bahwa": 3, " bisa ": 3, " ketika": 2, " maupun": 2, " harus": 2, "apakah": 2, "tanggal": 2,
            "nomor": 2, "otomatis": 2, "informasi": 2, "itas ": 2, " tersebut": 1, " anda ": 1,
        },
        "ms": {
            " kerana": 3, " bahawa": 3, " boleh": 2, " ialah": 3, " sila ": 3, " mesti": 2, "adakah": 2, "tarikh": 2,
            "nombor": 2, "automatik": 2, "maklumat": 2,
        },
    },
    {  # letters of Kashmiri's vowels
        "ur": {},
        "pnb": {},
        "ks": {"ٲ": 3, "ؠ": 3},
    },
)  # fmt: skip
MARGIN: Final = 2  # a single weak sign, a name perhaps, overturns nothing

_ENCODED = tuple(
    {language: [(sign.encode(), weight) for sign, weight in signs.items()] for language, signs in group.items()}
    for group in GROUPS
)
_GROUP_OF = {language: group for group in _ENCODED for language in group}
GROUPED: Final = frozenset(_GROUP_OF)


def respell(language: str, text: bytes) -> str:
    """The language of the group of `language` whose signs weigh most in a UTF-8 text; `language` itself near a tie."""
    group = _GROUP_OF.get(language)
    if group is None:
        return language
    lower = b" " + text.lower() + b" "
    weights = {name: sum(lower.count(sign) * weight for sign, weight in signs) for name, signs in group.items()}
    best = max(weights, key=lambda name: weights[name])
    return best if weights[best] >= weights[language] + MARGIN else language
