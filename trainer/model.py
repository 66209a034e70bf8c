"""BLOOM, on one device and knowing of no other: what spreads it over ranks is applied from outside.

Scao et al. 2022 (arXiv 2211.05100), section 3.2: a decoder with ALiBi instead of positions, a layer norm right after
the embedding, pre-layer-norm, biases everywhere, tanh GELU, and the embedding as output matrix. Logits equal those of
`transformers.BloomForCausalLM` for the same weights. Shapes: b sequences, s positions, h hidden, n heads, d head size.
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.attention import Seen, Way, attend, build_seen
from trainer.config import ModelConfig
from trainer.loss import Whole, cross_entropy_sum, embed_tied, row_losses


def alibi_slopes(heads: int) -> Tensor:
    """Slope of each head, fp32 of shape (heads,) (Press et al. 2022, section 3).

    2^(-8i/n) for i = 1 … n where n is a power of two; for other counts the slopes of the next smaller power, then
    every second one of twice that power, as in the authors' code.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * i / power) for i in range(1, power + 1)]
    slopes += [2 ** (-4 * i / power) for i in range(1, 2 * (heads - power), 2)]
    return torch.tensor(slopes, dtype=torch.float32)


class Cache:
    """Keys and values of positions already seen, by layer; for generation."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append (b, s, n, d) keys and values of new positions; returns those of all positions."""
        if layer in self.layers:
            before_key, before_value = self.layers[layer]
            key, value = torch.cat([before_key, key], dim=1), torch.cat([before_value, value], dim=1)
        self.layers[layer] = key, value
        return key, value

    def select(self, rows: Tensor) -> None:
        """Keep the sequences `rows` (int64) only."""
        self.layers = {layer: (key[rows], value[rows]) for layer, (key, value) in self.layers.items()}

    def __len__(self) -> int:
        """Positions held."""
        return next(iter(self.layers.values()))[0].shape[1] if self.layers else 0


class SelfAttention(nn.Module):
    """Multi-head attention with ALiBi. The fused projection is interleaved by head: (n, 3, d), as in the checkpoints.

    The number of heads is read off the projection, so that a share of the heads works like the whole.
    """

    slopes: Tensor

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.head_size = layer, config.head_size
        self.choice: Way = "sdpa"
        self.query_key_value = nn.Linear(config.hidden, 3 * config.hidden)
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.all_heads, self.heads = config.heads, range(config.heads)
        self.register_buffer("slopes", torch.empty(config.heads), persistent=False)

    def keep_heads(self, heads: range) -> None:
        """Say that the projections hold a share of the heads."""
        self.heads = heads
        self.slopes = self.slopes[heads.start : heads.stop]

    def fill_slopes(self) -> None:
        """Compute the slopes of the heads held."""
        self.slopes = alibi_slopes(self.all_heads)[self.heads.start : self.heads.stop].to(self.slopes.device)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Cache | None = None,
        seen: Seen = None,
    ) -> Tensor:
        """(b, s, h) → (b, s, h); for the arguments see `Bloom.forward`."""
        query, key, value = self.query_key_value(hidden).unflatten(-1, (-1, 3, self.head_size)).unbind(-2)
        if cache is not None:
            key, value = cache.extend(self.layer, key, value)
        mixed = attend(query, key, value, self.slopes, self.choice, mask=mask, documents=documents, seen=seen)
        output: Tensor = self.dense(mixed.flatten(-2))
        return output


class Mlp(nn.Module):
    """Two linear layers, four times as wide between, with tanh GELU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.hidden, 4 * config.hidden)
        self.down = nn.Linear(4 * config.hidden, config.hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        """(b, s, h) → (b, s, h)."""
        output: Tensor = self.down(functional.gelu(self.up(hidden), approximate="tanh"))
        return output


class Layer(nn.Module):
    """A transformer layer, norms first."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(config.hidden, config.epsilon)
        self.attention = SelfAttention(config, layer)
        self.post_attention_norm = nn.LayerNorm(config.hidden, config.epsilon)
        self.mlp = Mlp(config)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Cache | None = None,
        seen: Seen = None,
    ) -> Tensor:
        """(b, s, h) → (b, s, h); for the arguments see `Bloom.forward`."""
        hidden = hidden + self.attention(self.input_norm(hidden), mask, documents, cache, seen)
        output: Tensor = hidden + self.mlp(self.post_attention_norm(hidden))
        return output


class Bloom(nn.Module):
    """The model, or a run of its layers.

    A part that does not `embed` takes hidden states instead of ids; one that does not `predict` returns hidden states.
    The last part holds the embedding too: it is the output matrix.
    """

    def __init__(
        self, config: ModelConfig, layers: Iterable[int] | None = None, *, embeds: bool = True, predicts: bool = True
    ) -> None:
        super().__init__()
        self.config, self.embeds, self.predicts = config, embeds, predicts
        self.loss_chunk, self.compiles_loss, self.ties_gradients = 1024, False, False
        self.vocabulary = Whole()
        self.row_losses: list[Tensor] | None = None
        """Where it is a list, losses come without gradients, and those of each sequence (b,) are appended here."""
        if embeds or predicts:
            self.embedding = nn.Embedding(config.vocabulary_size, config.hidden)
        if embeds:
            self.embedding_norm = nn.LayerNorm(config.hidden, config.epsilon)
        numbers = range(config.layers) if layers is None else layers
        self.layers = nn.ModuleDict({str(layer): Layer(config, layer) for layer in numbers})
        if predicts:
            self.final_norm = nn.LayerNorm(config.hidden, config.epsilon)
        if predicts and not config.tied:
            self.output = nn.Linear(config.hidden, config.vocabulary_size, bias=False)

    def initialize(self, seed: int) -> None:
        """Draw all weights (see `fresh_weights`) and fill buffers: completes a model from the meta device."""
        parameters = dict(self.named_parameters())
        with torch.no_grad():
            for name, weights in self.fresh_weights(seed):
                parameters[name].copy_(weights)
        self.fill_slopes()

    def fill_slopes(self) -> None:
        """Compute the buffers."""
        for attention in self.attentions():
            attention.fill_slopes()

    def attentions(self) -> Iterator[SelfAttention]:
        """The attention of each layer held."""
        return (module for module in self.modules() if isinstance(module, SelfAttention))

    def fresh_weights(self, seed: int) -> Iterator[tuple[str, Tensor]]:
        """(name, fp32 tensor on the CPU) of each parameter, one at a time.

        N(0, std), those before a residual sum N(0, std / sqrt(2 layers)); biases 0, norms 1. Each tensor has a
        generator of its own, seeded by `seed` and its name: a part of the model gets the weights that the whole would,
        on any device.
        """
        for name, parameter in self.named_parameters():
            module, kind = name.rsplit(".", 1)
            weights = torch.zeros(parameter.shape)
            if module.endswith("_norm"):
                weights.fill_(float(kind == "weight"))
            elif kind == "weight":
                weights.normal_(0.0, self.std_of(name), generator=_generator(seed, name))
            yield name, weights

    def std_of(self, name: str) -> float:
        """Of the fresh weights of a matrix, by its name: smaller before a residual sum."""
        is_before_sum = name.endswith((".dense.weight", ".down.weight"))
        return self.config.std / (math.sqrt(2 * self.config.layers) if is_before_sum else 1.0)

    def forward(
        self,
        inputs: Tensor,
        labels: Tensor | None = None,
        *,
        loss_weights: Tensor | None = None,
        mask: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Cache | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """Logits (b, s, vocabulary), or with `labels` the sum of their cross-entropies (fp32 scalar, nats).

        inputs        ids, int64 (b, s); hidden states (b, s, h) where this part does not embed
        labels        int64 (b, s), the token after each position; -100 counts for nothing
        loss_weights  fp32 (b, s), what the loss of each position is multiplied by
        mask          bool (b, positions of cache + s), False where a key is not there: anywhere, as in `transformers`
        documents     int (b, s): attention stays inside equal numbers
        cache         holds the positions before; is extended
        last_only     logits of the last position only, (b, 1, vocabulary)
        A part that does not predict returns hidden states (b, s, h) instead.
        """
        matrix = self._matrix() if self.predicts else None
        if self.ties_gradients:
            hidden, matrix = embed_tied(inputs, self.embedding.weight)
        else:
            hidden = self.embedding(inputs) if self.embeds else inputs
        if self.embeds:
            hidden = _computed(self.embedding_norm(hidden))
        seen = self._seen(inputs, mask, documents, cache)
        for layer in self.layers.values():
            hidden = layer(hidden, mask, documents, cache, seen)
        if matrix is None:
            return hidden
        hidden = self.vocabulary.gather(self.final_norm(hidden[:, -1:] if last_only else hidden))
        if labels is None:
            return functional.linear(hidden, matrix)
        rows = self.vocabulary.rows(matrix)
        if self.row_losses is not None:
            self.row_losses.append(row_losses(hidden, rows, labels, self.loss_chunk, self.vocabulary, loss_weights))
            return self.row_losses[-1].sum()
        return cross_entropy_sum(
            hidden,
            rows,
            labels,
            self.loss_chunk,
            self.vocabulary,
            loss_weights=loss_weights,
            is_compiled=self.compiles_loss,
        )

    def _seen(self, inputs: Tensor, mask: Tensor | None, documents: Tensor | None, cache: Cache | None) -> Seen:
        """What the positions may see, where that is worth to be built once for all layers."""
        attention = next(self.attentions(), None)
        if attention is None:
            return None
        choice = attention.choice
        if mask is None and documents is None and choice != "flex":
            return None
        before = len(cache) if cache else 0
        if self.embeds:
            positions = inputs.shape[1]
            if positions == 1 and documents is None:
                return None
        elif documents is not None:
            positions = documents.shape[1]
        else:
            return None  # hidden states may be a share of the positions here (sequence parallelism)
        return build_seen(choice, positions, before + positions, mask, documents, inputs.device)

    def _matrix(self) -> Tensor:
        """That gives the logits."""
        return self.embedding.weight if self.config.tied else self.output.weight

    def set_attention(self, choice: Way) -> None:
        """Choose how attention is computed (see `trainer.attention`)."""
        for attention in self.attentions():
            attention.choice = choice


def build_model(config: ModelConfig, seed: int = 0, device: str | torch.device = "cpu") -> Bloom:
    """A model with fresh weights, fp32."""
    with torch.device("meta"):
        model = Bloom(config)
    model.to_empty(device=device)
    model.initialize(seed)
    return model


def _computed(hidden: Tensor) -> Tensor:
    """In autocast's dtype, as BLOOM's residual stream was: norms would leave it in fp32 on some devices."""
    device = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else hidden


def _generator(seed: int, name: str) -> torch.Generator:
    number = seed
    for byte in name.encode():
        number = (number * 0x100000001B3 ^ byte) & (1 << 63) - 1
    return torch.Generator().manual_seed(number)
