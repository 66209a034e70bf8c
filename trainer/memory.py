"""How many bytes a rank needs, from the configuration alone: the fullest moment of a step, item by item.

Activations are counted as by Korthikanti et al. 2022 ("Reducing activation recomputation in large transformer models",
section 4), but for this model: no dropout, attention and its bias as in `trainer.attention`, a loss in chunks
(`trainer.loss`), norms in fp32 where autocast wants it so. Weights, gradients and optimizer states are those of
`trainer.parallel`: fp32 each, shared over the data axis as by Rajbhandari et al. 2020 ("ZeRO"), plus the weights that
FSDP2 has gathered. `trainer.instantiate` measures the same on tensors without memory; on an H200, the peaks of steps
are 0.0 to 0.2 % above the estimate, by what cuBLAS works in (`benchmarks/gpu.py`).

Letters: s positions and b sequences of a micro-batch, h hidden, t tensor ranks, c bytes of a number in `compute`.
"""

from dataclasses import asdict, dataclass
from functools import cache
from math import prod
from typing import Any

import torch

from trainer.attention import chosen
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

    Weights and states are there all the time. While a micro-batch is worked on, so are `gradients`, what is `gathered`
    and `activations`, and with these first the `loss`, then a `layer` with `communication`; the `end` comes after.
    """

    weights: int
    """Fp32, this rank's share."""
    optimizer: int
    """Both moments of AdamW, fp32."""
    gradients: int
    """Of micro-batches before, fp32: whole while they add up (none, zero1), else this rank's share (fsdp)."""
    gathered: int
    """Weights in the format of products: whole, or of the current layers (fsdp)."""
    activations: int
    """What waits for backward passes, of all micro-batches in flight."""
    layer: int
    """A layer computed again, gradients within it, and that of the output matrix, which waits for the embedding's."""
    loss: int
    """A chunk of logits and its softmax, and the gradients of hidden states and output matrix (last stage)."""
    communication: int
    """Hidden states and gradients on their way between stages, weights while they are gathered."""
    end: int
    """All gradients, when the last backward pass is in its last layer or over, with those that are summed then."""

    @property
    def backward(self) -> int:
        """What is there in a backward pass only."""
        return self.activations + max(self.layer + self.communication, self.loss)

    @property
    def is_fullest_in_layer(self) -> bool:
        """Whether a layer's backward pass takes more than the loss."""
        return self.layer + self.communication >= self.loss

    @property
    def is_fullest_at_end(self) -> bool:
        """Whether the end of the backward passes takes more than any of them."""
        return self.end > self.gathered + self.gradients + self.backward

    @property
    def total(self) -> int:
        """At the fullest moment."""
        return self.weights + self.optimizer + max(self.gathered + self.gradients + self.backward, self.end)

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

    `cuda`: autocast's norms are in fp32 there, and products are added in fp32.
    """
    parallel = config.parallel
    stages = stages_held(config, pipeline_rank)
    predicts, embeds = any(stage.predicts for stage in stages), any(stage.embeds for stage in stages)
    shards = data // parallel.replicas
    layer_shapes, rest = _shapes(config.model, parallel.tensor, embeds, predicts)
    layer, root = Sizes.of(layer_shapes, shards), Sizes.of(rest, shards)
    layers = sum(stage.layers for stage in stages)
    is_shared = shards > 1 and parallel.sharding != "none"
    act = _Activations(config, cuda)
    rank = _Rank(
        config=config,
        layer=layer,
        root=root,
        everything=layer * layers + root,
        layers=layers,
        embeds=embeds,
        predicts=predicts,
        accumulates=micro_batches > 1 or parallel.pipeline > 1,
        waiting=in_flight(config, pipeline_rank, micro_batches)
        * (sum(act.of_stage(stage, is_shared) for stage in stages) // len(stages)),
        inner=act.of_layer_at_work() * bool(layers),
        loss=act.loss(is_shared) if predicts else 0,
        sent=2 * act.stream * (parallel.pipeline > 1),
        act=act,
    )
    if is_shared:
        return _shared(rank)
    is_alone = data == parallel.tensor == parallel.pipeline == 1
    return _unshared(rank, is_summed=data > 1, ties_gradients=is_alone and not cuda)


@dataclass(frozen=True)
class _Rank:
    """What both kinds of estimate start from. Activations and what is made of them are bytes."""

    config: TrainingConfig
    layer: Sizes
    root: Sizes
    everything: Sizes
    layers: int
    embeds: bool
    predicts: bool
    accumulates: bool
    """Whether gradients of micro-batches before are there: those of a single one come while its activations go."""
    waiting: int
    inner: int
    loss: int
    sent: int
    act: "_Activations"

    @property
    def compute(self) -> int:
        """Bytes of a number."""
        return DTYPES[self.config.precision.compute].itemsize


def _unshared(rank: _Rank, is_summed: bool, ties_gradients: bool) -> Memory:
    """Of a rank that holds all states of its layers; `is_summed`: its gradients, over data ranks."""
    compute, layer, parallel = rank.compute, rank.layer, rank.config.parallel
    states = FP32 * rank.everything.whole
    is_autocast = compute < FP32
    # Autocast's, for as long as the forward pass lasts or products want them again; the loss makes its own. A compiled
    # layer makes its casts within: they go with the rest where it is computed again.
    forgets_casts = parallel.compile and parallel.checkpointing != "none"
    copies = compute * layer.whole * rank.layers if is_autocast and not forgets_casts else 0
    at_work = rank.inner + (FP32 + compute * is_autocast) * layer.largest
    # Where one part embeds and predicts, the gradient of the matrix waits for that of the rows that were looked up,
    # which autograd makes as large; `embed_tied` adds these where the first lies.
    matrix = FP32 * rank.act.matrix * (rank.embeds and rank.predicts)
    of_rows = 0 if ties_gradients else matrix
    last = matrix * rank.accumulates + max(of_rows, rank.act.of_layer() + at_work + rank.sent)
    return Memory(
        weights=states,
        optimizer=2 * states,
        gradients=states * rank.accumulates,
        gathered=copies,
        activations=rank.waiting,
        layer=at_work + matrix,
        loss=rank.loss,
        communication=rank.sent,
        end=states + max(last, states * is_summed),
    )


def _shared(rank: _Rank) -> Memory:
    """Of a rank that shares states with other data ranks."""
    compute, layer, root, everything = rank.compute, rank.layer, rank.root, rank.everything
    is_zero1 = rank.config.parallel.sharding == "zero1"
    adds_up = is_zero1 and rank.accumulates
    # Gradients before they are added; those in fp32 add up where they are.
    at_work = compute * (layer.whole + root.whole * rank.predicts)
    if adds_up and compute == FP32:
        at_work = FP32 * layer.largest
    on_way = FP32 * (layer.whole + layer.share)
    reduces_late = adds_up and rank.config.parallel.pipeline > 1
    gradients = FP32 * (everything.whole if adds_up else everything.share)
    gathered = compute * (everything.whole if is_zero1 else 2 * layer.whole + root.whole)
    if reduces_late:
        last = FP32 * max(layer.whole + layer.share, root.whole + root.share)
    else:
        last = max(rank.act.of_layer() + rank.inner + at_work + on_way, (compute + FP32) * root.whole)
    return Memory(
        weights=FP32 * everything.share,
        optimizer=2 * FP32 * everything.share,
        gradients=gradients * rank.accumulates,
        gathered=gathered,
        activations=rank.waiting,
        layer=rank.inner + at_work,
        loss=rank.loss,
        communication=rank.sent + (0 if reduces_late else on_way) + compute * layer.whole,
        end=gathered + gradients + last,
    )


class _Activations:
    """Bytes of activations of one micro-batch on a rank."""

    def __init__(self, config: TrainingConfig, cuda: bool) -> None:
        self._config, self._model = config, config.model
        precision, self._is_compiled, self._cuda = config.precision, config.parallel.compile, cuda
        self._compute = DTYPES[precision.compute].itemsize
        self._tensor = config.parallel.tensor
        self._tokens = config.batch.micro * config.sequence_length
        self._is_autocast = self._compute < FP32
        way = chosen(precision.attention, self._model.head_size, "cuda" if cuda else "cpu", precision.compute)
        self._is_flex = way == "flex"
        own = self._tokens // self._tensor if config.parallel.sequence_parallel else self._tokens
        self.stream = self._compute * own * self._model.hidden
        """Hidden states, or this rank's positions of them."""
        self._whole = self._compute * self._tokens * self._model.hidden
        self._shared = self._whole // self._tensor
        """Hidden states, this rank's share of heads."""
        self._norm = FP32 * own * self._model.hidden if cuda and self._is_autocast else self.stream
        """What a norm keeps of its input: autocast's copy, where it makes one, and not the hidden states."""
        self._logsumexp = FP32 * self._tokens * self._model.heads // self._tensor
        masks = config.data.document_mask and cuda and not self._is_flex
        self._mask = config.batch.micro * config.sequence_length**2 if masks else 0
        """Elements of the mask of documents."""
        self.matrix = self._model.vocabulary_size // self._tensor * self._model.hidden
        """Elements of this rank's rows of the output matrix."""

    def of_stage(self, stage: Held, is_shared: bool) -> int:
        """Kept from the forward to the backward pass of a stage."""
        kept = stage.layers * self.of_layer() + self._mask
        if self._config.parallel.pipeline > 1 and not stage.predicts:
            kept += self.stream  # the output, until its gradient has come
        if stage.embeds:
            is_narrow = is_shared or not self._is_autocast
            kept += self._norm if is_narrow else self.stream // self._compute * FP32
        if stage.predicts:
            kept += 2 * self._norm  # the final norm's input and output
        return kept

    def of_layer(self) -> int:
        """Kept of a layer."""
        kind = self._config.parallel.checkpointing
        if kind == "full":
            return self.stream
        if kind == "selective":
            # Queries, keys, values and what goes into the MLP; of attention what sdpa gives: flex is computed again.
            attention = 0 if self._is_flex else int(self._wider * self._shared) + self._logsumexp
            # Eager, all products are kept; compiled, only those that a gradient needs: the last one is but added.
            products = 1 if self._is_compiled else 2
            return self.stream + 7 * self._shared + attention + products * self._whole
        return self._of_whole_layer()

    @property
    def _wider(self) -> float:
        return 1.0 + COLUMNS / self._model.head_size

    def _of_whole_layer(self) -> int:
        # flex reads queries, keys and values where their product lies. sdpa has copies with the bias in them, and gives
        # as much, of which the next product has a copy without it; a mask it copies in its own format.
        attention = 4.0 if self._is_flex else 4 * self._wider + 1
        norm = self.stream if self._is_compiled else self._norm  # compiled, casts and norms are one and keep no copy
        norms = 2 * (norm + self._whole)
        return norms + int((attention + 8) * self._shared) + self._logsumexp + self._compute * self._mask

    def of_layer_at_work(self) -> int:
        """What a layer needs besides that in its backward pass."""
        again = self._of_whole_layer() - self.of_layer()
        gradients = 2 * self._whole + 8 * self._shared
        return again + gradients

    def loss(self, is_shared: bool) -> int:
        """At work in `trainer.loss`."""
        precision = self._config.precision
        chunk = min(precision.loss_chunk, self._tokens) * (self._model.vocabulary_size // self._tensor)
        cast = self._compute * self.matrix if self._is_autocast else 0
        if self._is_compiled:
            # One pass, which writes probabilities beside the logits: 4.0 bytes of each at work in bf16, as the rows of
            # benchmarks/RESULTS.md have it for chunks of 1024, 4096 and 16384.
            softmax = self._compute * chunk
        elif self._is_autocast:
            # `torch.softmax` to fp32 first makes a copy of its input in fp32: its kernels read fp16 only, on CUDA.
            softmax = FP32 * chunk * (1 if self._cuda and precision.compute == "fp16" else 2)
        else:
            softmax = 0
        product = 0 if self._cuda else cast  # rounded to 16 bits before it is added, see `_add_product`
        scores = self._compute * chunk + max(softmax, product)
        # Of shared weights, the matrix is cast already; its gradient is, at last.
        gradient = FP32 * self.matrix + (max(cast, scores) if is_shared else cast + scores)
        return gradient + 2 * self._whole
