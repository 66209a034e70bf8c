"""Does the fast encoder give the ids of the reference? Asked of every tokenizer before the fast one is used."""

import random
import unicodedata
from functools import lru_cache

import fastokens
import numpy as np
import tokenizers

_LARGE = 1 << 20
_HARD = (
    "",
    " ",
    "\n",
    "a",
    " a",
    "a ",
    "  a  b   c    ",
    "\r\n\t\v\f\x1c\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000",
    "e\u0301\u0301 \u0301 \u200d\u200c\ufe0f🏳️‍🌈👩‍👩‍👧‍👦🇰🇷",
    "\x00\x01\x7f\ufeff\ufffd\U0010ffff",
    "can't we'll I'M they'RE 'tis ''s",
    "1 12 123 1234 12345 ١٢٣٤ १२३४ ½ ² Ⅷ",
    "。，、！？《》．,.;:!?()[]{}|\\/…।۔،",
    "<s></s><pad><unk><|endoftext|> <s> x</s>",
    "def f(x):\n    return {'a': [x ** 2 for x in range(10)]}  # done\n\n\n\tif x:\r\n",
    "ᄒ\u1161\u11ab 한국어 日本語テキスト ไทยไม่มีช่องว่าง ཀུན་གྱིས་ မြန်မာ ខ្មែរ",
)


def differing_text(json_text: str) -> str | None:
    """None where `fastokens` gives the ids of `tokenizers` on all trial texts; else what it differs on, in words.

    Trials: letters of every script, code, odd white space, special tokens as text and as tokens, seeded random
    mixtures, and a megabyte each of one letter, of spaces, of mixed scripts and of combining marks.
    """
    try:
        fast = fastokens.Tokenizer.from_json_str(json_text)
    except Exception as error:  # whatever it cannot load, it cannot encode
        return f"loading it ({str(error)[:200]})"
    reference = tokenizers.Tokenizer.from_str(json_text)
    for special_tokens in (False, True):
        texts = [*_HARD, *scripts(), *mixtures()] if special_tokens else [*_HARD, *scripts(), *mixtures(), *_long()]
        reference.encode_special_tokens = not special_tokens
        try:
            flat, borders = fast.encode_batch_flat(texts, False, not special_tokens)
        except Exception as error:
            return f"a trial text ({str(error)[:200]})"
        ids, ends = np.frombuffer(flat, np.uint32), np.frombuffer(borders, np.int64)
        for number, encoding in enumerate(reference.encode_batch_fast(texts, add_special_tokens=False)):
            if not np.array_equal(ids[ends[number] : ends[number + 1]], np.asarray(encoding.ids, np.uint32)):
                return f"the text {texts[number][:60]!a}"
    return None


@lru_cache(1)
def scripts() -> list[str]:
    """A text for every 256 code points of Unicode that hold a character: each alone, and all in a row."""
    texts = []
    for begin in range(0, 0x110000, 256):
        row = [
            chr(code) for code in range(begin, begin + 256) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
        ]
        if row:
            texts += ["".join(row), " ".join(row)]
    return texts


@lru_cache(1)
def mixtures(count: int = 300) -> list[str]:
    """Random texts, the same every time: pieces of the hard ones and letters of all scripts, in any order."""
    chance = random.Random(7)
    letters = "".join(scripts()[::2])
    pieces = [*_HARD[1:], " ", " ", "\n", ".", ",", "the ", "la ", "ने", "的"]
    return [
        "".join(
            chance.choice(pieces) if chance.random() < 0.5 else "".join(chance.choices(letters, k=chance.randint(1, 8)))
            for _ in range(chance.randint(1, 30))
        )
        for _ in range(count)
    ]


def trial_texts() -> list[str]:
    """Texts that are hard to cut, for comparing any two tokenizers; runs are of 16,384 characters at most."""
    return [*_HARD, *scripts(), *mixtures(), *(text[: 1 << 14] for text in _long())]


def _long() -> list[str]:
    mixed = "".join(scripts()[::2])
    return ["a" * _LARGE, " " * _LARGE, "\u0301" * (_LARGE // 2), (mixed * 8)[: _LARGE // 2], "ab" * (_LARGE // 2)]
