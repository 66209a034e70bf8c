"""The mutations themselves: the same for the same seed, and nearly always a change."""

import pytest

from tests.fuzz.mutate import fuzz, mutated, mutations

SAMPLES = [bytes(range(256)) * 4, b"size: 1234\n" * 50]


def test_a_seed_gives_the_same_file() -> None:
    assert all(mutated(SAMPLES, this) == data for this, data in mutations(SAMPLES, 200, seed=3))


def test_files_differ() -> None:
    made = {data for _, data in mutations(SAMPLES, 1_000, seed=0)}
    assert len(made) > 900


def test_empty_files_can_be_mutated() -> None:
    assert len(list(mutations([b""], 500, seed=0))) == 500


def test_a_failure_names_the_seed() -> None:
    def check(data: bytes) -> None:
        raise ValueError("odd")

    with pytest.raises(AssertionError, match="the file of seed 2000006: ValueError: odd"):
        fuzz(SAMPLES, check, count=5, seed=2)
