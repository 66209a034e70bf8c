"""Text from a model: greedy or sampled, batched, with a cache of keys and values, streamed as it comes.

The order and the formulas of what is done to the logits are those of `transformers`: repetition penalty (Keskar et al.
2019), temperature, top-k, top-p (Holtzman et al. 2020).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from configs.errors import ConfigurationError
from trainer.model import Bloom, Cache

if TYPE_CHECKING:
    from tokenizer.load import Tokenizer


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    max_tokens           new tokens of a text, at most
    temperature          divides the logits; with `greedy` the likeliest token is taken, and only the penalty matters
    top_k, top_p         keep the likeliest k tokens; the likeliest that make up p of the probability
    repetition_penalty   over 1: tokens that are in the text already become less likely
    stop                 a text ends before any of these
    seed                 of the draws: same seed, same text, on one kind of device
    """

    max_tokens: int = 50
    greedy: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigurationError("temperature must be over 0; for the likeliest tokens take --greedy")
        if (self.top_k is not None and self.top_k < 1) or (self.top_p is not None and not 0 < self.top_p <= 1):
            raise ConfigurationError("top-k must be at least 1, top-p over 0 and at most 1")
        if self.repetition_penalty <= 0 or self.max_tokens < 1:
            raise ConfigurationError("the repetition penalty must be over 0, and max-tokens at least 1")


def penalize_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Logits (b, vocabulary) with those of `seen` tokens (bool of the same shape) made less likely."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Logits (b, vocabulary), -inf for all below the k-th largest."""
    least = logits.topk(min(k, logits.shape[-1])).values[:, -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Logits (b, vocabulary), -inf for all but the smallest set of the likeliest whose probability reaches p."""
    ordered, order = logits.sort(descending=False)
    drop = ordered.softmax(-1).cumsum(-1) <= 1 - p
    drop[:, -1:] = False
    return logits.masked_fill(torch.zeros_like(drop).scatter(1, order, drop), -torch.inf)


def next_logits(logits: Tensor, seen: Tensor, sampling: Sampling) -> Tensor:
    """What the next token is drawn from: fp32 logits (b, vocabulary) after all that `sampling` asks for."""
    logits = logits.float()
    if sampling.repetition_penalty != 1.0:
        logits = penalize_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.greedy:
        return logits
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None and sampling.top_p < 1:
        logits = keep_top_p(logits, sampling.top_p)
    return logits


@torch.inference_mode()
def generate_ids(
    model: Bloom, prompts: Sequence[Sequence[int]], sampling: Sampling, *, eos_id: int | None, vocabulary_size: int
) -> Iterator[Tensor]:
    """New ids, a step at a time: int64 (b,), -1 for a text that has ended.

    `prompts` are ids of unequal length, none empty; they are padded on the left. Ids from `vocabulary_size` on, which
    are rows of padding, are never drawn. A caller ends a text itself by ceasing to listen.
    """
    device = model.embedding.weight.device
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.int64)
    mask = torch.zeros(len(prompts), longest, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = True
    ids, mask = ids.to(device), mask.to(device)
    seen = torch.zeros(len(prompts), model.config.vocabulary_size, dtype=torch.bool, device=device)
    seen.scatter_(1, torch.where(mask, ids, ids[:, -1:]), True)
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    generator = torch.Generator(device).manual_seed(sampling.seed)
    cache = Cache()
    for _ in range(sampling.max_tokens):
        logits = model(ids, mask=None if bool(mask.all()) else mask, cache=cache, last_only=True)[:, -1]
        logits = next_logits(logits, seen, sampling)
        logits[:, vocabulary_size:] = -torch.inf
        if sampling.greedy:
            chosen = logits.argmax(-1)
        else:
            chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
        if eos_id is not None:
            ended = ended | (chosen == eos_id)
        yield chosen.masked_fill(ended, -1).cpu()
        if bool(ended.all()):
            return
        seen.scatter_(1, chosen[:, None], True)
        ids = chosen[:, None]
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)


class Texts:
    """Texts that grow token by token. Bytes that are not yet a whole character are held back."""

    def __init__(self, tokenizer: "Tokenizer", count: int, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, [text for text in stop if text]
        self.ids: list[list[int]] = [[] for _ in range(count)]
        self.texts = [""] * count
        self.ended = [False] * count

    def add(self, chosen: Sequence[int]) -> list[str]:
        """Append an id to each text, -1 to end it; returns what became readable of each."""
        news = []
        for row, number in enumerate(chosen):
            if number < 0 or self.ended[row]:
                self.ended[row] = True
                news.append(self._settle(row, final=True))
                continue
            self.ids[row].append(number)
            news.append(self._settle(row, final=False))
        return news

    def finish(self) -> list[str]:
        """What was held back of each text that has not ended."""
        return [self._settle(row, final=True) for row in range(len(self.texts))]

    def _settle(self, row: int, *, final: bool) -> str:
        whole = self._tokenizer.decode(self.ids[row])
        readable = whole if final else whole.rstrip("\ufffd")
        for text in self._stop:
            at = readable.find(text)
            if at >= 0:
                readable, self.ended[row], final = readable[:at], True, True
        if not final:  # a stop text may have begun
            longest = max((len(text) for text in self._stop), default=1) - 1
            held = next((n for n in range(longest, 0, -1) if readable.endswith(tuple(t[:n] for t in self._stop))), 0)
            readable = readable[: len(readable) - held]
        new = readable[len(self.texts[row]) :]
        self.texts[row] = readable if len(readable) >= len(self.texts[row]) else self.texts[row]
        return new


def stream(
    model: Bloom, tokenizer: "Tokenizer", prompts: Sequence[str | Sequence[int]], sampling: Sampling
) -> Iterator[list[str]]:
    """New text of each prompt, a text or its ids, as it becomes readable.

    Raises ConfigurationError for a prompt without a token.
    """
    ids = iter(tokenizer.encode_batch([prompt for prompt in prompts if isinstance(prompt, str)]).to_pylist())
    encoded = [next(ids) if isinstance(prompt, str) else list(prompt) for prompt in prompts]
    if not encoded or not all(encoded):
        raise ConfigurationError("a prompt is empty; give some text to continue")
    texts = Texts(tokenizer, len(encoded), sampling.stop)
    drawn = min(tokenizer.vocabulary_size, model.config.vocabulary_size)
    steps = generate_ids(model, encoded, sampling, eos_id=tokenizer.eos_id, vocabulary_size=drawn)
    for chosen in steps:
        yield texts.add(chosen.tolist())
        if all(texts.ended):
            break
    yield texts.finish()


def generate(model: Bloom, tokenizer: "Tokenizer", prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """The text that the model adds to each prompt. Raises ConfigurationError for a prompt without a token."""
    texts = [""] * len(prompts)
    for news in stream(model, tokenizer, prompts, sampling):
        texts = [text + new for text, new in zip(texts, news, strict=True)]
    return texts
