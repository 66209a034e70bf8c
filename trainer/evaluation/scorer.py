"""A model as evaluation sees it: how likely it finds a text, and what it writes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from configs.errors import ConfigurationError
from tokenizer.load import Tokenizer
from trainer.generate import Sampling, generate
from trainer.huggingface import check_model_folder, load_pretrained, read_length
from trainer.model import Bloom

LENGTH = 2048
"""Tokens that a model sees at once, where its folder doesn't say."""
BATCH_TOKENS = 8192
"""Tokens of a batch, padding included."""


@dataclass(frozen=True)
class Likelihood:
    """Of a text: the logarithm of its probability (nats), its tokens and its UTF-8 bytes.

    is_cut  whether it is, with what stands before it, longer than what the model sees: the beginning did not count
    """

    nats: float
    tokens: int
    bytes: int
    is_cut: bool = False


class TextScorer(ABC):
    """Likelihoods of texts, by whatever computes those of tokens; `length` is how many tokens are seen at once."""

    tokenizer: Tokenizer
    length: int

    @abstractmethod
    def nats(self, sequences: Sequence[tuple[list[int], int]]) -> list[float]:
        """Of each sequence of ids, log p of its last tokens, as many as asked for."""

    def likelihoods(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood]:
        """Of each continuation after its context, both as text; an empty context is the beginning of a document.

        White space at the end of a context counts as the beginning of the continuation, as tokens have it.
        """
        encoded, cut = self._encoded(pairs)
        return [
            Likelihood(nats, count, len(text.encode("utf-8", "replace")), is_cut)
            for nats, (_, count), is_cut, (_, text) in zip(self.nats(encoded), encoded, cut, pairs, strict=True)
        ]

    def texts(self, texts: Sequence[str]) -> list[Likelihood]:
        """Of whole texts, however long: later tokens see at least half of what the model can see."""
        begin = self._begin
        pieces: list[tuple[list[int], int]] = []
        owners: list[int] = []
        for row, ids in enumerate(self.tokenizer.encode_batch(texts).to_pylist()):
            whole = [begin, *ids]
            for start in range(1, len(whole), self.length // 2):
                stop = min(start + self.length // 2, len(whole))
                pieces.append((whole[max(0, stop - self.length) : stop], stop - start))
                owners.append(row)
        nats, counts = [0.0] * len(texts), [0] * len(texts)
        for owner, value, (_, count) in zip(owners, self.nats(pieces), pieces, strict=True):
            nats[owner] += value
            counts[owner] += count
        sizes = [len(text.encode("utf-8", "replace")) for text in texts]
        return [Likelihood(*one) for one in zip(nats, counts, sizes, strict=True)]

    @property
    def _begin(self) -> int:
        """What stands before a document: the mark that ended the one before."""
        begin = self.tokenizer.eos_id
        return 0 if begin is None else begin

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[list[int], int]], list[bool]]:
        """Ids of context and continuation, and how many at the end are the continuation's; whether they were cut."""
        contexts, wholes = [], []
        for context, continuation in pairs:
            kept = context.rstrip()
            contexts.append(kept)
            wholes.append(kept + context[len(kept) :] + continuation)
        ids = self.tokenizer.encode_batch([*contexts, *wholes]).to_pylist()
        found: list[tuple[list[int], int]] = []
        cut: list[bool] = []
        for context, whole in zip(ids[: len(pairs)], ids[len(pairs) :], strict=True):
            shared = 0
            while shared < min(len(context), len(whole)) and context[shared] == whole[shared]:
                shared += 1
            scored = len(whole) - shared  # a token that joins both counts as the continuation's
            everything = [self._begin, *whole][-self.length :]
            found.append((everything, min(scored, len(everything) - 1)))
            cut.append(len(whole) + 1 > self.length)
        return found, cut


@dataclass
class Scorer(TextScorer):
    """A model with its tokenizer.

    length        tokens that it sees at once; of longer texts the beginning is cut off
    batch_tokens  how many positions are computed at once: memory grows with it, results don't change
    """

    model: Bloom
    tokenizer: Tokenizer
    folder: str = "model"
    length: int = LENGTH
    batch_tokens: int = BATCH_TOKENS

    @classmethod
    def load(cls, folder: str, device: str = "cpu", dtype: torch.dtype | None = torch.float32) -> "Scorer":
        """A model folder, such as `openroots export` writes. Raises InputError, ModelError, ConfigurationError."""
        check_model_folder(folder)
        tokenizer = Tokenizer.load(folder, "tokenizers")
        model = load_pretrained(folder, dtype if device == "cpu" else None, device)
        if tokenizer.vocabulary_size > model.config.vocabulary_size:
            raise ConfigurationError(
                f"{folder}: the tokenizer has {tokenizer.vocabulary_size:,} entries, the model "
                f"{model.config.vocabulary_size:,}; it belongs to another model"
            )
        return cls(model, tokenizer, folder, read_length(folder) or LENGTH)

    def nats(self, sequences: Sequence[tuple[list[int], int]]) -> list[float]:
        """Of each sequence of ids, log p of its last tokens, as many as asked for."""
        found = [0.0] * len(sequences)
        for rows in self._batches([len(ids) for ids, _ in sequences]):
            for row, value in zip(rows, self._nats([sequences[row] for row in rows]), strict=True):
                found[row] = value
        return found

    def write(self, prompts: Sequence[str], sampling: Sampling) -> list[str]:
        """What the model adds to each prompt."""
        return generate(self.model, self.tokenizer, prompts, sampling)

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Rows by length, so that little is padding."""
        rows: list[int] = []
        for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
            if rows and lengths[rows[0]] * (len(rows) + 1) > self.batch_tokens:
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows

    @torch.inference_mode()
    def _nats(self, batch: Sequence[tuple[list[int], int]]) -> list[float]:
        """`nats` of one batch."""
        device = self.model.embedding.weight.device
        longest = max(len(ids) for ids, _ in batch)
        inputs = torch.zeros(len(batch), longest, dtype=torch.int64)
        labels = torch.full((len(batch), longest), -100, dtype=torch.int64)
        for row, (ids, count) in enumerate(batch):
            inputs[row, : len(ids)] = torch.tensor(ids)
            if count:
                labels[row, len(ids) - 1 - count : len(ids) - 1] = torch.tensor(ids[-count:])
        self.model.row_losses = []
        try:
            self.model(inputs.to(device), labels.to(device))
            losses = torch.cat(self.model.row_losses)
        finally:
            self.model.row_losses = None
        return [-value for value in losses.double().cpu().tolist()]
