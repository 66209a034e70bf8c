"""How many bytes a rank needs, from the configuration alone: the fullest moment of a step, item by item.

Activations are counted as by Korthikanti et al. 2022 ("Reducing activation recomputation in large transformer models",
section 4), but for this model: no dropout, the bias of attention in the keys (`trainer.attention`), a loss in chunks
(`trainer.loss`). Weights, gradients and optimizer states are those of `trainer.parallel`: fp32 each, shared over the
data axis as by Rajbhandari et al. 2020 ("ZeRO"), plus the weights that FSDP2 has gathered. `trainer.instantiate`
measures the same on tensors without memory.

Letters: s positions and b sequences of a micro-batch, h hidden, t tensor ranks, c bytes of a number in `compute`.
"""

from dataclasses import asdict, dataclass
from functools import cache
from math import prod
from typing import Any

import torch

from trainer.config import ModelConfig, TrainingConfig
from trainer.model import Bloom
from trainer.parallel.data import DTYPES
from trainer.parallel.pipeline import layers_of_stages, stages_of_rank

FP32 = 4
COLUMNS = 8
"""That `trainer.attention` adds to queries and keys."""
SHARED_DIM = {
    "embedding.weight": 0,
    "attention.query_key_value.weight": 0,
    "attention.query_key_value.bias": 0,
    "attention.dense.weight": 1,
    "mlp.up.weight": 0,
    "mlp.up.bias": 0,
    "mlp.down.weight": 1,
}
"""Dim over which a parameter is shared by tensor ranks (`trainer.parallel.tensor`); the others are on each of them."""


@dataclass(frozen=True)
class Memory:
    """Bytes on a device.

    What is kept is there all the time. In a backward pass come `activations`, and first the `loss`, then a `layer` with
    `communication`; after the last one, the `reduction`.
    """

    weights: int
    """Fp32, this rank's share."""
    optimizer: int
    """Both moments of AdamW, fp32."""
    gradients: int
    """Fp32: whole while they add up over micro-batches (none, zero1), else this rank's share (fsdp)."""
    gathered: int
    """Weights in the format of products: whole, or of the current layers (fsdp)."""
    activations: int
    """What waits for backward passes, of all micro-batches in flight."""
    layer: int
    """A layer computed again, and gradients within it."""
    loss: int
    """A chunk of logits, and the gradients of hidden states and output matrix (last stage)."""
    communication: int
    """Hidden states and gradients on their way between stages, weights while they are gathered."""
    reduction: int
    """Gradients on their way to be summed over data ranks, after the last backward pass."""

    @property
    def backward(self) -> int:
        """What is there in a backward pass only."""
        return self.activations + max(self.layer + self.communication, self.loss)

    @property
    def is_fullest_in_layer(self) -> bool:
        """Whether a layer's backward pass takes more than the loss."""
        return self.layer + self.communication >= self.loss

    @property
    def is_fullest_at_reduction(self) -> bool:
        """Whether the sum over data ranks takes more than a backward pass."""
        return self.reduction > self.backward

    @property
    def total(self) -> int:
        """At the fullest moment."""
        kept = self.weights + self.optimizer + self.gradients + self.gathered
        return kept + max(self.backward, self.reduction)

    def to_json(self) -> dict[str, int]:
        """By name, with the total."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Sizes:
    """Elements of parameters: `whole` as a tensor rank has them, `share` what the fullest data rank has of these."""

    whole: int
    share: int
    largest: int
    """Of one tensor."""

    @classmethod
    def of(cls, shapes: list[tuple[int, ...]], data: int) -> "Sizes":
        """Of tensors."""
        whole = [prod(shape) for shape in shapes]
        # FSDP2 shares the first dim; where it does not divide, the first ranks have a row more.
        share = [-(-shape[0] // data) * prod(shape[1:]) for shape in shapes]
        return cls(sum(whole), sum(share), max(whole, default=0))

    def __add__(self, other: "Sizes") -> "Sizes":
        return Sizes(self.whole + other.whole, self.share + other.share, max(self.largest, other.largest))

    def __mul__(self, count: int) -> "Sizes":
        return Sizes(self.whole * count, self.share * count, self.largest * (count > 0))


@dataclass(frozen=True)
class Held:
    """A stage: so many layers, and whether it embeds and predicts."""

    layers: int
    embeds: bool
    predicts: bool


def stages_held(config: TrainingConfig, pipeline_rank: int) -> list[Held]:
    """The stages of a pipeline rank."""
    count = config.parallel.pipeline * config.parallel.stages_per_rank
    spread = layers_of_stages(config.model.layers, count)
    return [Held(len(spread[stage]), stage == 0, stage == count - 1) for stage in stages_of_rank(config, pipeline_rank)]


@cache
def _shapes(model: ModelConfig, tensor: int, embeds: bool, predicts: bool) -> tuple[list[Any], list[Any]]:
    """Shapes on a tensor rank: of a layer's parameters, and of a stage's others."""
    layer: list[Any] = []
    rest: list[Any] = []
    with torch.device("meta"):
        part = Bloom(model, range(1), embeds=embeds, predicts=predicts)
    for name, parameter in part.named_parameters():
        shape = list(parameter.shape)
        dim = next((dim for suffix, dim in SHARED_DIM.items() if name.endswith(suffix)), None)
        if dim is not None:
            shape[dim] //= tensor
        (layer if name.startswith("layers.") else rest).append(tuple(shape))
    return layer, rest


def all_shapes(config: TrainingConfig, stage: Held) -> list[tuple[int, ...]]:
    """Shapes of a stage's parameters on a tensor rank; those of its layers once."""
    layer, rest = _shapes(config.model, config.parallel.tensor, stage.embeds, stage.predicts)
    return [*layer, *rest] if stage.layers else rest


def sizes_of(config: TrainingConfig, stage: Held, data: int) -> "Sizes":
    """Elements of a stage's parameters on the fullest data rank."""
    layer, rest = _shapes(config.model, config.parallel.tensor, stage.embeds, stage.predicts)
    return Sizes.of(rest, data) + Sizes.of(layer, data) * stage.layers


def in_flight(config: TrainingConfig, pipeline_rank: int, micro_batches: int) -> int:
    """Forward passes of a rank's stages that wait for their backward passes, at most.

    1F1B: as many as there are stages from this one on (Narayanan et al. 2021, section 2.2.1). Interleaved: the warm-up
    of torch's schedule and one more (ibid., section 2.2.2).
    """
    parallel = config.parallel
    ranks, stages = parallel.pipeline, parallel.stages_per_rank
    if ranks == 1:
        return 1
    if stages == 1:
        return min(micro_batches, ranks - pipeline_rank)
    per_round = micro_batches // max(1, micro_batches // ranks)
    return min(micro_batches * stages, (stages - 1) * per_round + 2 * (ranks - 1 - pipeline_rank) + 1)


def estimate(config: TrainingConfig, pipeline_rank: int, data: int, micro_batches: int, *, cuda: bool = True) -> Memory:
    """Bytes on the fullest of the ranks of a pipeline rank, in a step of so many micro-batches a rank.

    `cuda`: autocast's norms are in fp32 there, and attention wants values as wide as keys.
    """
    parallel = config.parallel
    data //= parallel.replicas
    stages = stages_held(config, pipeline_rank)
    predicts, embeds = any(stage.predicts for stage in stages), any(stage.embeds for stage in stages)
    layer_shapes, rest = _shapes(config.model, parallel.tensor, embeds, predicts)
    layer, root = Sizes.of(layer_shapes, data), Sizes.of(rest, data)
    layers = sum(stage.layers for stage in stages)
    everything = layer * layers + root
    is_shared = data > 1 and parallel.sharding != "none"
    compute = DTYPES[config.precision.compute].itemsize
    act = _Activations(config, cuda)
    waiting = sum(act.of_stage(stage, is_shared) for stage in stages) // len(stages)
    pieces = act.loss(is_shared) if predicts else 0
    sent = 2 * act.stream * (parallel.pipeline > 1)
    inner = act.of_layer_at_work() * bool(layers)
    held = everything.share if is_shared else everything.whole
    if not is_shared:
        copies = compute * layer.whole * layers if compute < FP32 else 0  # autocast's; the loss makes its own
        weights_at_work = (FP32 + (compute if compute < FP32 else 0)) * layer.largest
        return Memory(
            weights=FP32 * held,
            optimizer=2 * FP32 * held,
            gradients=FP32 * everything.whole,
            gathered=copies,
            activations=in_flight(config, pipeline_rank, micro_batches) * waiting,
            layer=inner + weights_at_work,
            loss=pieces,
            communication=sent,
            reduction=FP32 * everything.whole if data > 1 else 0,
        )
    adds_up = parallel.sharding == "zero1" and (micro_batches > 1 or parallel.pipeline > 1)
    gathers_all = parallel.sharding == "zero1"
    # Gradients before they are added; those in fp32 add up where they are.
    at_work = compute * (layer.whole + root.whole * predicts)
    if adds_up and compute == FP32:
        at_work = FP32 * layer.largest
    on_way = FP32 * (layer.whole + layer.share)
    reduces_late = adds_up and parallel.pipeline > 1
    return Memory(
        weights=FP32 * held,
        optimizer=2 * FP32 * held,
        gradients=FP32 * (everything.whole if adds_up else everything.share),
        gathered=compute * (everything.whole if gathers_all else 2 * layer.whole + root.whole),
        activations=in_flight(config, pipeline_rank, micro_batches) * waiting,
        layer=inner + at_work,
        loss=pieces,
        communication=sent + (0 if reduces_late else on_way) + compute * layer.whole,
        reduction=FP32 * (max(layer.whole + layer.share, root.whole + root.share)) if reduces_late else 0,
    )


class _Activations:
    """Bytes of activations of one micro-batch on a rank."""

    def __init__(self, config: TrainingConfig, cuda: bool) -> None:
        self._config, self._model = config, config.model
        self._compute = DTYPES[config.precision.compute].itemsize
        self._tensor = config.parallel.tensor
        self._tokens = config.batch.micro * config.sequence_length
        self._is_autocast = self._compute < FP32
        self._cuda = cuda
        own = self._tokens // self._tensor if config.parallel.sequence_parallel else self._tokens
        self.stream = self._compute * own * self._model.hidden
        """Hidden states, or this rank's positions of them."""
        self._whole = self._compute * self._tokens * self._model.hidden
        self._shared = self._whole // self._tensor
        """Hidden states, this rank's share of heads."""
        self._norm = FP32 * own * self._model.hidden if cuda and self._is_autocast else 0
        self._logsumexp = FP32 * self._tokens * self._model.heads // self._tensor

    def of_stage(self, stage: Held, is_shared: bool) -> int:
        """Kept from the forward to the backward pass of a stage."""
        kept = stage.layers * self.of_layer()
        if self._config.parallel.pipeline > 1 and not stage.predicts:
            kept += self.stream  # the output, until its gradient has come
        if stage.embeds:
            kept += self.stream if is_shared or not self._is_autocast else self.stream // self._compute * FP32
        if stage.predicts:
            kept += 2 * self.stream + self._norm  # the final norm
        return kept

    def of_layer(self) -> int:
        """Kept of a layer."""
        kind = self._config.parallel.checkpointing
        if kind == "full":
            return self.stream
        if kind == "selective":
            return self.stream + 8 * self._shared + 2 * self._whole + self._logsumexp
        return self._of_whole_layer()

    def _of_whole_layer(self) -> int:
        wider = 1.0 + COLUMNS / self._model.head_size
        attention = 2 * wider + (2 * wider + 1 if self._cuda else 3 + 1)  # queries, keys, values, mixed
        norms = 2 * (self.stream + self._norm + self._whole)
        return norms + int((attention + 8) * self._shared) + self._logsumexp

    def of_layer_at_work(self) -> int:
        """What a layer needs besides that in its backward pass."""
        again = self._of_whole_layer() - self.of_layer()
        gradients = 2 * self._whole + 8 * self._shared
        return again + gradients

    def loss(self, is_shared: bool) -> int:
        """At work in `trainer.loss`."""
        rows = self._model.vocabulary_size // self._tensor
        matrix = rows * self._model.hidden
        chunk = min(self._config.precision.loss_chunk, self._tokens) * rows
        copies = self._compute if self._is_autocast else 0
        logits = (FP32 + copies) * chunk
        gradient = (FP32 + copies) * matrix
        cast = copies * matrix if not is_shared else 0
        return logits + gradient + cast + 2 * self._whole
