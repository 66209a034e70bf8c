"""Damage to real files, the same for the same seed: what the fuzz targets of the readers feed them.

A target gives whole files of its format, made by code, and a check that must hold whatever the bytes are:

    def check(data: bytes) -> None: ...            # raises AssertionError where an invariant fails
    fuzz(samples, check, count=300, seed=0)        # a few hundred in `make test`, MANY marked slow
"""

import faulthandler
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence

MANY = int(os.environ.get("MUTATIONS", "3000"))
"""Mutated files of each slow test; with MUTATIONS=100000 `make test-all` takes hours."""
SECONDS_MAX = 10.0
"""Processor time that one mutated file may take; a real hang ends the process with a traceback after ten times that."""

_NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1)
_DIGITS = b"0123456789"
_BLOCK_MAX = 512


def mutations(samples: Sequence[bytes], count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """`count` mutated files and the seed of each: `mutated(samples, seed)` makes that one again."""
    for number in range(count):
        this = seed * 1_000_003 + number
        yield this, mutated(samples, this)


def mutated(samples: Sequence[bytes], seed: int) -> bytes:
    """One of `samples` with one to eight mutations; deterministic."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        rng.choice(_MUTATIONS)(data, rng, samples)
    return bytes(data)


def fuzz(samples: Sequence[bytes], check: Callable[[bytes], None], count: int, seed: int = 0) -> float:
    """Run `check` on `count` mutated files; returns the most seconds of processor time that one took.

    Raises AssertionError, with the seed of the file, where a check fails or takes over SECONDS_MAX.
    """
    worst = 0.0
    try:
        for this, data in mutations(samples, count, seed):
            faulthandler.dump_traceback_later(10 * SECONDS_MAX, exit=True)
            before = time.process_time()
            try:
                check(data)
            except BaseException as error:
                raise AssertionError(f"the file of seed {this}: {type(error).__name__}: {error}") from error
            seconds = time.process_time() - before
            assert seconds < SECONDS_MAX, f"the file of seed {this} took {seconds:.1f} s"
            worst = max(worst, seconds)
    finally:
        faulthandler.cancel_dump_traceback_later()
    return worst


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _block(data: bytearray, rng: random.Random) -> tuple[int, int]:
    """Start and end of a part of the file: a few bytes as often as hundreds."""
    start = _place(data, rng)
    return start, min(len(data), start + min(_BLOCK_MAX, int(2 ** rng.uniform(0, 9.01))))


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 10, 13, 32, 34, 60, 127, 128, 255, rng.randrange(256)))


def _insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(1 + int(2 ** rng.uniform(0, 6)))


def _delete(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    start, end = _block(data, rng)
    del data[start:end]


def _duplicate(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    start, end = _block(data, rng)
    at = _place(data, rng)
    data[at:at] = data[start:end]


def _swap(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    (first, first_end), (second, second_end) = sorted((_block(data, rng), _block(data, rng)))
    if first_end <= second:
        before, between, after = data[first:first_end], data[first_end:second], data[second:second_end]
        data[first:second_end] = after + between + before


def _truncate(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, rng) :]


def _splice(data: bytearray, rng: random.Random, samples: Sequence[bytes]) -> None:
    """The start of this file, the end of another."""
    other = rng.choice(samples)
    data[_place(data, rng) :] = other[rng.randrange(len(other) + 1) :]


def _integer(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A telling number in a binary field."""
    width = rng.choice((1, 2, 4, 8))
    if len(data) >= width:
        at = rng.randrange(len(data) - width + 1)
        number = rng.choice(_NUMBERS) & ((1 << 8 * width) - 1)
        data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))


def _digits(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A telling number in place of one that is written in digits."""
    start = next((at for at in range(_place(data, rng), len(data)) if data[at] in _DIGITS), None)
    if start is not None:
        end = next((at for at in range(start, len(data)) if data[at] not in _DIGITS), len(data))
        data[start:end] = str(rng.choice(_NUMBERS)).encode()


_MUTATIONS = (_flip, _set, _insert, _delete, _duplicate, _swap, _truncate, _splice, _integer, _digits)
