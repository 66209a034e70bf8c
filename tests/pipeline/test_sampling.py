"""Laws of sampling."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from configs.load import load_languages
from configs.models import Sampling
from pipeline.sampling import BUCKETS, epochs_of, flattened_shares, hash_buckets, plan_samples, target_bytes

LANGUAGES = load_languages()
CODES = ["en", "sw", "fon", "zh-Hans", "python", "rust"]


def corpus(documents: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 1 << 63, (documents, 2), dtype=np.uint64)
    languages = generator.choice(np.array(CODES, object), documents)
    return ids, languages, generator.integers(1, 10_000, documents)


def histograms(ids: np.ndarray, languages: np.ndarray, sizes: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    buckets = hash_buckets(ids, seed)
    return {
        code: np.bincount(buckets[languages == code], sizes[languages == code], BUCKETS).astype(np.int64)
        for code in set(languages)
    }


def kept(budget: int, data: tuple[np.ndarray, np.ndarray, np.ndarray], **settings: object) -> np.ndarray:
    ids, languages, sizes = data
    samples = plan_samples(
        histograms(ids, languages, sizes),
        Sampling(budget_bytes=budget, **settings),
        LANGUAGES,  # type: ignore[arg-type]
    )
    return epochs_of(ids, languages, samples, 0)


def test_without_a_budget_all_is_kept_once() -> None:
    ids, languages, sizes = corpus(500, 1)
    samples = plan_samples(histograms(ids, languages, sizes), Sampling(), LANGUAGES)
    assert (epochs_of(ids, languages, samples, 0) == 1).all()


@given(st.integers(0, 100), st.integers(1, 10_000_000), st.integers(1, 10_000_000))
def test_a_smaller_budget_takes_a_part_of_a_larger(seed: int, one: int, other: int) -> None:
    data = corpus(200, seed)
    small, large = kept(min(one, other), data), kept(max(one, other), data)
    assert (small <= large).all()


@given(st.integers(0, 100), st.integers(100_000, 2_000_000))
def test_a_budget_is_kept_but_for_a_document_a_language(seed: int, budget: int) -> None:
    data = corpus(300, seed)
    taken = (kept(budget, data) * data[2]).sum()
    assert taken <= budget + len(CODES) * data[2].max()


@given(st.integers(0, 100), st.integers(1, 1000))
def test_no_language_vanishes(seed: int, budget: int) -> None:
    data = corpus(100, seed)
    epochs = kept(budget, data)
    assert {code for code, value in zip(data[1], epochs, strict=True) if value} == set(data[1])


@given(st.integers(0, 50), st.randoms())
def test_order_does_not_matter(seed: int, random: object) -> None:
    ids, languages, sizes = corpus(100, seed)
    order = np.random.default_rng(seed + 1).permutation(100)
    straight = kept(200_000, (ids, languages, sizes))
    shuffled = kept(200_000, (ids[order], languages[order], sizes[order]))
    assert (straight[order] == shuffled).all()


def test_a_small_language_is_seen_at_most_as_often_as_the_cap() -> None:
    data = corpus(1000, 3)
    epochs = kept(100_000_000, data, epochs_max=3.0)
    assert epochs.max() == 3


def test_flattening_brings_shares_closer() -> None:
    available = {"en": 900, "sw": 100}
    assert flattened_shares(available, Sampling(), LANGUAGES)["sw"] == 0.1
    half = flattened_shares(available, Sampling(alpha=0.5), LANGUAGES)["sw"]
    assert half == 0.25


def test_roots_proportions_are_the_paper_s() -> None:
    available = dict.fromkeys(["en", "fr", "python", "rust"], 100)
    shares = flattened_shares(available, Sampling(proportions="roots"), LANGUAGES)
    english, french = LANGUAGES.natural["en"].roots_bytes, LANGUAGES.natural["fr"].roots_bytes
    total = english + french + LANGUAGES.roots_code_bytes
    assert shares == {
        "en": english / total,
        "fr": french / total,
        "python": LANGUAGES.roots_code_bytes / 2 / total,
        "rust": LANGUAGES.roots_code_bytes / 2 / total,
    }


@given(
    st.dictionaries(st.sampled_from(CODES), st.integers(1, 10**9), min_size=1),
    st.integers(1, 10**10),
    st.floats(0.1, 1.0),
    st.floats(1.0, 5.0),
)
def test_targets_stay_below_caps_and_add_up(available: dict[str, int], budget: int, alpha: float, cap: float) -> None:
    targets = target_bytes(available, Sampling(budget_bytes=budget, alpha=alpha, epochs_max=cap), LANGUAGES)
    assert all(targets[code] <= size * cap * 1.000001 for code, size in available.items())
    assert abs(sum(targets.values()) - min(budget, sum(available.values()) * cap)) <= 1 + 1e-6 * budget


def test_buckets_are_even() -> None:
    ids = np.random.default_rng(0).integers(0, 1 << 63, (100_000, 2), dtype=np.uint64)
    counts = np.bincount(hash_buckets(ids, 7) // 512, minlength=8)
    assert counts.min() > 12_000
