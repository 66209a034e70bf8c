"""Sampling: how often each document of a language is to be seen, by budget, temperature and cap.

A language's *epochs* w is its target over what there is. Every document gets ⌊w⌋ epochs, and one more where its keyed
hash lies below the threshold for the fraction; with w < 1 the others get none and leave through the ledger. Documents
are chosen by the hash of their id alone, so a smaller budget takes a part of what a larger one takes, whatever the
order, engine or number of workers. The corpus on disk holds each document once; the column `epochs` says how often a
trainer should see it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from configs.models import Languages, Sampling

BUCKETS = 4096
"""Resolution of a threshold: a language's budget is met to one part in 4 096 or one document, from below."""


@dataclass(frozen=True)
class LanguageSample:
    """What is taken of one language. Bytes are those of the texts as they would be written."""

    available: int
    target: int
    epochs: float
    full: int
    threshold: int

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def hash_buckets(ids: np.ndarray, seed: int) -> np.ndarray:
    """Bucket 0…4095 of each document by keyed hash of its id.

    ids: uint64 (n, 2), the 16 bytes of each id; already uniform (xxh3-128), so a keyed finaliser (splitmix64, Steele et
    al. 2014) over both halves is enough. Returns int64 (n,).
    """
    with np.errstate(over="ignore"):
        value = ids[:, 0] ^ _mix(ids[:, 1] + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15))
        return (_mix(value) >> np.uint64(52)).astype(np.int64)


def _mix(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def epochs_of(ids: np.ndarray, languages: np.ndarray, samples: Mapping[str, LanguageSample], seed: int) -> np.ndarray:
    """Epochs of each document, int32 (n,). `languages` holds codes (object array)."""
    full = np.array([samples[code].full for code in languages], np.int32)
    threshold = np.array([samples[code].threshold for code in languages], np.int64)
    return full + (hash_buckets(ids, seed) < threshold).astype(np.int32)


def plan_samples(
    histograms: Mapping[str, np.ndarray], sampling: Sampling, languages: Languages
) -> dict[str, LanguageSample]:
    """What to take of each language.

    histograms: language → bytes by hash bucket, int64 (4096,), over all documents that got this far.
    """
    available = {code: int(histogram.sum()) for code, histogram in histograms.items() if histogram.sum() > 0}
    targets = target_bytes(available, sampling, languages)
    samples = {}
    for code in sorted(available):
        epochs = targets[code] / available[code]
        full = int(epochs)
        threshold = _threshold(histograms[code], (epochs - full) * available[code], at_least_one=full == 0)
        samples[code] = LanguageSample(available[code], round(targets[code]), round(epochs, 6), full, threshold)
    return samples


def _threshold(histogram: np.ndarray, wanted: float, at_least_one: bool) -> int:
    """Number of buckets whose documents fit into `wanted` bytes; a language never vanishes altogether."""
    fitting = int(np.searchsorted(np.cumsum(histogram), wanted + 0.5, side="right"))
    if at_least_one and histogram[:fitting].sum() == 0:
        fitting = int(np.flatnonzero(histogram)[0]) + 1
    return fitting


def target_bytes(available: Mapping[str, int], sampling: Sampling, languages: Languages) -> dict[str, float]:
    """Bytes to aim at by language: budget × share^α, capped; what a cap leaves over goes to the others by share."""
    caps = {
        code: min(size * sampling.epochs_max, float(sampling.language_bytes_max.get(code, 1 << 62)))
        for code, size in available.items()
    }
    shares = flattened_shares(available, sampling, languages)
    left = float(sampling.budget_bytes if sampling.budget_bytes is not None else sum(available.values()))
    targets = dict.fromkeys(available, 0.0)
    open_codes = {code for code in available if shares[code] > 0}
    while open_codes and left > 0.5:
        total = sum(shares[code] for code in sorted(open_codes))
        grants = {code: left * shares[code] / total for code in sorted(open_codes)}
        full = [code for code, grant in grants.items() if targets[code] + grant >= caps[code]]
        if not full:
            for code, grant in grants.items():
                targets[code] += grant
            break
        for code in full:
            left -= caps[code] - targets[code]
            targets[code] = caps[code]
        open_codes -= set(full)
    return targets


def flattened_shares(available: Mapping[str, int], sampling: Sampling, languages: Languages) -> dict[str, float]:
    """Share of each language after flattening with exponent α (Conneau and Lample 2019, section 3.1), summing to 1."""
    if sampling.proportions == "shares":
        base = {code: sampling.shares.get(code, 0.0) for code in available}
    elif sampling.proportions == "roots":
        base = roots_shares(available, languages)
    else:
        base = {code: float(size) for code, size in available.items()}
    total = sum(base.values()) or 1.0
    powered = {code: (value / total) ** sampling.alpha if value > 0 else 0.0 for code, value in base.items()}
    whole = sum(powered.values()) or 1.0
    return {code: value / whole for code, value in powered.items()}


def roots_shares(available: Mapping[str, int], languages: Languages) -> dict[str, float]:
    """Bytes of each language in ROOTS (BLOOM paper, Table 1); of code only the sum is known, shared out as found."""
    code_found = sum(size for code, size in available.items() if code in languages.programming)
    return {
        code: languages.roots_code_bytes * size / code_found
        if code in languages.programming
        else float(languages.natural[code].roots_bytes if code in languages.natural else 0)
        for code, size in available.items()
    }
