"""What changes during training: the learning rate, by tokens, and the batch, by samples."""

import math
from collections.abc import Mapping
from functools import lru_cache

from configs.errors import ConfigurationError
from trainer.config import Batch, Schedule


def learning_rate(tokens: int, schedule: Schedule) -> float:
    """Rate of a step before which `tokens` were seen: linear warm-up, cosine to the minimum, then flat.

    Scao et al. 2022, section 3.3; the cosine is of what follows the warm-up, as in Megatron-LM.
    """
    if tokens < schedule.warmup_tokens:
        return schedule.learning_rate * tokens / schedule.warmup_tokens
    if tokens >= schedule.decay_tokens:
        return schedule.min_learning_rate
    share = (tokens - schedule.warmup_tokens) / (schedule.decay_tokens - schedule.warmup_tokens)
    height = schedule.learning_rate - schedule.min_learning_rate
    return schedule.min_learning_rate + height * 0.5 * (1.0 + math.cos(math.pi * share))


def batch_size(samples: int, batch: Batch) -> int:
    """Sequences of a step before which `samples` were seen (Megatron-LM's `rampup-batch-size`)."""
    if batch.ramp_start is None or samples >= batch.ramp_samples:
        return batch.size
    increments = (batch.size - batch.ramp_start) // batch.ramp_step
    done = samples * increments // batch.ramp_samples
    return min(batch.size, batch.ramp_start + done * batch.ramp_step)


def next_batch(samples: int, skipped: Mapping[int, int], batch: Batch) -> tuple[int, int]:
    """(first sample, size) of the batch after `samples`; `skipped` are left out: first → the one after the last."""
    while True:
        size = batch_size(samples, batch)
        ends = [end for begin, end in skipped.items() if begin < samples + size and end > samples]
        if not ends:
            return samples, size
        samples = max(ends)


@lru_cache(maxsize=64)
def sizes_of_steps(batch: Batch, tokens: int, sequence_length: int) -> Mapping[int, int]:
    """How many steps have batches of each size, until a budget of tokens is spent."""
    needed = -(-tokens // sequence_length)
    found: dict[int, int] = {}
    samples = 0
    while samples < needed and (size := batch_size(samples, batch)) < batch.size:
        found[size] = found.get(size, 0) + 1
        samples += size
    rest = max(0, -(-(needed - samples) // batch.size))
    return {**found, batch.size: rest} if rest else found


def count_steps(batch: Batch, tokens: int, sequence_length: int) -> tuple[int, int]:
    """(steps, samples) until a budget of tokens is spent, with the ramp of the batch."""
    sizes = sizes_of_steps(batch, tokens, sequence_length)
    return sum(sizes.values()), sum(size * steps for size, steps in sizes.items())


def check_batches(batch: Batch, data_ranks: int) -> None:
    """Refuse batches that cannot be shared out to ranks in whole micro-batches. Raises ConfigurationError."""
    sizes = [("size", batch.size)]
    if batch.ramp_start is not None:
        if (batch.size - batch.ramp_start) % batch.ramp_step or batch.size < batch.ramp_start:
            raise ConfigurationError(f"batch.ramp_step ({batch.ramp_step}) does not lead from ramp_start to size")
        sizes += [("ramp_start", batch.ramp_start), ("ramp_step", batch.ramp_step)]
    for name, size in sizes:
        if size % (data_ranks * batch.micro):
            raise ConfigurationError(
                f"batch.{name} ({size}) must be a multiple of data ranks × batch.micro ({data_ranks} × {batch.micro})"
            )
