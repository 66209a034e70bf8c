"""Models of the order of letters, one a language: what `letter_order` looks sequences up in, and how one is made.

A model is a table of sequences of two and three letters, with the pointwise mutual information of the last letter and
those before it (nats, int8 in units of 1/32, cut at ±3), from counts smoothed by absolute discounting (Ney, Essen and
Kneser 1994). Letters are lower-cased; a word end is a letter. Alphabets of more than 400 letters (Han, Hangul) are
taken by pairs, with the frequency of each letter: most pairs are unseen, and these weigh what their letters lead one to
expect (`letter_order.UNSEEN`). Ten kilobytes of text make a usable model: letters thrown together lie far below text.
"""

import hashlib
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from configs.errors import ModelError
from pipeline.quality.characters import is_special, lower
from pipeline.quality.letter_order import (
    ANY,
    CUT,
    LETTER_UNITS,
    SMOOTHING,
    UNITS_PER_NAT,
    fill,
    sequence_keys,
    unseen,
)

MODEL = Path(__file__).parent / "model" / "letters.npz"
DISCOUNT = 0.75
BACKED_OFF = 0.7  # nats less for a pair where the three letters were never seen together
PAIRS_FROM = 400  # letters of an alphabet
PAIR_FLOOR = 2.0  # nats that a pair costs if one of its letters is unknown
SEQUENCES_MAX = 65_000
BITS_MIN, BITS_MAX = 12, 20  # of a table: 4,096 slots; no model of ours comes near the most
BARE_EVERY = 3  # one text in so many is counted again without its marks, as many write

WORD_END = 0


@dataclass(frozen=True)
class LetterModel:
    """Sequences of letters of one language: `keys` uint32, sorted; `weights` int8; `floor`, in units, of all others.

    Where `order` is 2, letters alone have keys as well, and their weights are logarithms of frequencies, such that the
    sum of two is that of how often they would stand together by chance.
    """

    keys: np.ndarray
    weights: np.ndarray
    floor: int
    order: int

    @property
    def digest(self) -> str:
        """It changes when the model does."""
        state = hashlib.sha256(self.keys.tobytes() + self.weights.tobytes())
        state.update(f"{self.floor} {self.order}".encode())
        return state.hexdigest()[:16]


def make_model(texts: Iterable[tuple[str, int]]) -> LetterModel:
    """The model of texts with their weights (how often each counts). The same texts give the same bits."""
    words: Counter[str] = Counter()
    for number, (text, weight) in enumerate(texts):
        text = unicodedata.normalize("NFC", text)
        for form in (text, bare(text)) if number % BARE_EVERY == 0 else (text,):
            if form is text or form != text:
                for word in letter_runs(form):
                    words[word] += weight
    letters = {letter for word in words for letter in word}
    return _pairs(words) if len(letters) > PAIRS_FROM else _triples(words)


def bare(text: str) -> str:
    """A text without the marks on its Latin letters, as `pipeline.language_id` learns it too."""
    from pipeline.language_id.training import bare as without_marks

    return without_marks(text)


_special = cache(is_special)


def letter_runs(text: str) -> list[str]:
    """Runs of letters, lower-cased: what lies between special characters."""
    return "".join(" " if _special(letter) else letter for letter in lower(text)).split()


def _triples(words: Mapping[str, int]) -> LetterModel:
    triples: Counter[tuple[int, int, int]] = Counter()
    for word, count in words.items():
        codes = [WORD_END, WORD_END, *map(ord, word), WORD_END]
        for place in range(2, len(codes)):
            triples[codes[place - 2], codes[place - 1], codes[place]] += count
    pairs, single, contexts, heads = (
        Counter[tuple[int, int]](),
        Counter[int](),
        Counter[tuple[int, int]](),
        Counter[int](),
    )
    for (a, b, c), count in triples.items():
        pairs[b, c] += count
        single[c] += count
        contexts[a, b] += count
        heads[b] += count
    kinds_after_two = Counter((a, b) for a, b, _ in triples)
    kinds_after_one = Counter(b for b, _ in pairs)
    whole = sum(single.values())
    likely = {
        (b, c): (max(count - DISCOUNT, 0) + DISCOUNT * kinds_after_one[b] * single[c] / whole) / heads[b]
        for (b, c), count in pairs.items()
    }
    found: list[tuple[tuple[int, int, int], float, float]] = []
    for (b, c), count in pairs.items():
        found.append(((ANY, b, c), float(np.log(likely[b, c] * whole / single[c])) - BACKED_OFF, count))
    for (a, b, c), count in triples.items():
        chance = max(count - DISCOUNT, 0) + DISCOUNT * kinds_after_two[a, b] * likely[b, c]
        found.append(((a, b, c), float(np.log(chance / contexts[a, b] * whole / single[c])), count))
    return _model(found, -CUT, 3)


def _pairs(words: Mapping[str, int]) -> LetterModel:
    pairs: Counter[tuple[int, int]] = Counter()
    for word, count in words.items():
        for pair in itertools.pairwise(map(ord, word)):
            pairs[pair] += count
    firsts, seconds = Counter[int](), Counter[int]()
    for (b, c), count in pairs.items():
        firsts[b] += count
        seconds[c] += count
    whole = sum(pairs.values())
    letters = {
        letter: round(LETTER_UNITS * float(np.log(count / 2 / np.sqrt(whole)))) / LETTER_UNITS
        for letter, count in (firsts + seconds).items()
    }
    in_units = LETTER_UNITS / UNITS_PER_NAT
    found = [((ANY, ANY, letter), weight * in_units, np.inf) for letter, weight in letters.items()]
    without = unseen(np.array([letters[b] + letters[c] for b, c in pairs]))
    for ((b, c), count), else_weighs in zip(pairs.items(), without.tolist(), strict=True):
        weight = float(np.log((count + SMOOTHING) / (firsts[b] * seconds[c] / whole + SMOOTHING)))
        found.append(((ANY, b, c), weight, count * abs(weight - else_weighs)))
    return _model(found, -PAIR_FLOOR, 2)


def _model(found: list[tuple[tuple[int, int, int], float, float]], floor: float, order: int) -> LetterModel:
    """The model of sequences, their weights and how much is lost without them; of too many, the first to lose."""
    found.sort(key=lambda item: (-item[2], item[0]))
    kept = found[:SEQUENCES_MAX]
    keys = sequence_keys(np.array([item[0] for item in kept] or np.zeros((0, 3)), np.int64).reshape(-1, 3))
    weights = np.clip(
        np.rint(np.array([item[1] for item in kept]) * UNITS_PER_NAT), -CUT * UNITS_PER_NAT, CUT * UNITS_PER_NAT
    )
    _, first = np.unique(keys, return_index=True)
    return LetterModel(keys[first], weights.astype(np.int8)[first], round(floor * UNITS_PER_NAT), order)


def save_models(path: Path, models: Mapping[str, LetterModel]) -> None:
    """Write models by language as compressed NumPy arrays, without pickle; the same models give the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for code, model in sorted(models.items()):
        arrays[f"{code}.keys"], arrays[f"{code}.weights"] = model.keys, model.weights
        arrays[f"{code}.shape"] = np.array([model.floor, model.order], np.int8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


@cache
def load_models(path: str) -> dict[str, LetterModel]:
    """Models by language. Raises ModelError where the file is missing or is none of ours."""
    try:
        with np.load(path, allow_pickle=False) as file:
            codes = sorted(name.removesuffix(".keys") for name in file.files if name.endswith(".keys"))
            models = {
                code: LetterModel(file[f"{code}.keys"], file[f"{code}.weights"], *map(int, file[f"{code}.shape"]))
                for code in codes
            }
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, BadZipFile) as error:
        raise ModelError(f"{path}: not a letter model: {error}; `openroots calibrate` writes one") from None
    if not models or any(not _sound(model) for model in models.values()):
        raise ModelError(f"{path}: not a letter model; `openroots calibrate` writes one")
    return models


def _sound(model: LetterModel) -> bool:
    right = model.keys.dtype == np.uint32 and model.weights.dtype == np.int8 and model.order in (2, 3)
    right = right and model.keys.ndim == 1 and model.keys.shape == model.weights.shape
    cut = bool((np.abs(model.weights.astype(np.int16)) <= CUT * UNITS_PER_NAT).all())
    distinct = bool(model.keys.all()) and len(np.unique(model.keys)) == len(model.keys)
    return right and cut and distinct and len(model.keys) <= SEQUENCES_MAX


@dataclass(frozen=True)
class LetterModels:
    """The models that a recipe's languages have; picklable."""

    models: Mapping[str, LetterModel] = field(default_factory=dict)

    @classmethod
    def load(cls, files: Mapping[str, str | None]) -> "LetterModels":
        """Language → file of its model; None takes the one that comes with OpenRoots, if there is one."""
        ours = load_models(str(MODEL)) if MODEL.exists() else {}
        chosen: dict[str, LetterModel] = {}
        for code, file in files.items():
            if file is None:
                if code in ours:
                    chosen[code] = ours[code]
                continue
            given = load_models(file)
            if code not in given:
                raise ModelError(f"{file}: holds no letter model for `{code}`, only for {', '.join(given)}")
            chosen[code] = given[code]
        return cls(chosen)

    def digest(self, code: str) -> str | None:
        """A digest of a language's model; None where it has none."""
        return self.models[code].digest if code in self.models else None

    def table(self, code: str) -> tuple[np.ndarray, tuple[int, int, int]]:
        """The model of a language as the kernel takes it: slots, uint32, and their bits (0: none), floor and order."""
        model = self.models.get(code)
        if model is None:
            return np.zeros(0, np.uint32), (0, 0, 3)
        slots, bits = _table(model.digest, model)
        return slots, (bits, model.floor, model.order)


_tables: dict[str, tuple[np.ndarray, int]] = {}


def _table(digest: str, model: LetterModel) -> tuple[np.ndarray, int]:
    """Made once a process and model: a table at most a quarter full, with its bits: most keys lie where they point."""
    if digest not in _tables:
        bits = max(BITS_MIN, (4 * len(model.keys)).bit_length())
        slots = np.zeros(1 << bits, np.uint32)
        while not fill(model.keys, model.weights, bits, slots):
            bits += 1
            if bits > BITS_MAX:
                raise ModelError("a letter model's keys are not hashes; `openroots calibrate` writes one")
            slots = np.zeros(1 << bits, np.uint32)
        _tables[digest] = slots, bits
    return _tables[digest]
