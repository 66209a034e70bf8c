"""Ranks of a layout made by the trainer's own code, without memory and without the other ranks.

torch's fake process group answers for the others, and fake tensors have shapes and dtypes but no contents. What such a
rank holds, sends and awaits is what the real one would; what is alive at each moment of a step is counted. Norms and
attention follow the rules of CPUs, where scores may be whole: the estimate leaves these out.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.pipelining import PipelineStage
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from configs.errors import ModelError
from trainer.config import TrainingConfig
from trainer.data import Batch
from trainer.memory import all_shapes, estimate, stages_held
from trainer.parallel.data import local
from trainer.parallel.layout import check_sizes
from trainer.parallel.model import ParallelModel
from trainer.parallel.optimizer import fill_states
from trainer.parallel.pipeline import stage_inputs, stages_of_rank

_INFER = "_propagate_tensor_meta_non_cached"
_infer = getattr(ShardingPropagator, _INFER)


@dataclass(frozen=True)
class Tracked:
    """What one rank was seen to hold, in bytes."""

    rank: int
    pipeline_rank: int
    static: int
    """Weights and optimizer states."""
    peak: int
    """At the fullest moment of a step."""
    micro_batches: int
    estimate: int
    """What `trainer.memory` says of the same."""


Message = tuple[tuple[int, ...], str]
"""Shape and dtype of what goes from stage to stage."""


@dataclass(frozen=True)
class Instantiated:
    """What was seen of the ranks of a layout."""

    kinds: dict[int, int]
    """Ranks that were made, each with the number of those like it."""
    parameters: int
    """Of the whole model: what each rank holds as its own, times those like it."""
    tracked: list[Tracked]

    def to_json(self) -> dict[str, Any]:
        """By name."""
        tracked = [asdict(one) for one in self.tracked]
        return {"ranks": list(self.kinds), "parameters": self.parameters, "tracked": tracked}


class FakeRank(ParallelModel):
    """A rank whose tensors have no memory. Needs the fake process group; see `fake_ranks`."""

    def __init__(self, config: TrainingConfig) -> None:
        self.mode, self.live = FakeTensorMode(allow_non_fake_inputs=True), LiveBytes()
        super().__init__(config, torch.device("cpu"))

    def _allocate(self) -> None:
        with self.mode:
            for part in self.parts:
                part.to_empty(device=self.layout.device)
                part.fill_slopes()
                for tensor in (*part.parameters(), *part.buffers()):
                    self.live.add(tensor)

    def own_parameters(self) -> int:
        """Parameters of this rank that no other rank counts: over all ranks they sum to the model's."""
        return sum(local(p).numel() for name, p in self.named_parameters() if self._is_counted_here(name, p))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of this rank's share of each parameter."""
        return {name: tuple(local(p).shape) for name, p in self.named_parameters()}

    def messages(self) -> dict[int, tuple[Message, Message]]:
        """(what it awaits, what its forward pass gives) by number of stage; ids and the loss at the ends."""
        found = {}
        numbers = stages_of_rank(self.config, self.layout.pipeline_rank)
        awaited = stage_inputs(self.config, self.layout)
        for number, part in zip(numbers, self.parts, strict=True):
            expected = awaited["ids" if part.embeds else "hidden"]
            with torch.no_grad(), self.mode, self._autocast():
                given = torch.zeros_like(expected, device=self.layout.device)
                ids = torch.zeros_like(awaited["ids"], device=self.layout.device)
                made = part(given, ids if part.predicts else None)
            found[number] = _message(expected), _message(made)
        return found

    def track_step(self, micro_batches: int) -> Tracked:
        """Bytes in a step of so many micro-batches, optimizer included."""
        size, length = micro_batches * self.config.batch.micro, self.config.sequence_length
        with _unanimous(), self.mode, self.live:
            fill_states(self.optimizer)
            static = self.live.now
            ids = torch.zeros(size, length, dtype=torch.int64)
            self.forward_backward(Batch(ids, ids, ids.int()))
            self.step(1e-4)
            self.zero_grad()
        place = self.layout.pipeline_rank
        expected = estimate(self.config, place, self.layout.data, micro_batches, cuda=False).total
        return Tracked(self.layout.rank, place, static, self.live.peak, micro_batches, expected)


class LiveBytes(TorchDispatchMode):
    """Bytes of the storages that are alive, now and at most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._is_paused = False
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        if any(issubclass(kind, DTensor) for kind in types):
            return NotImplemented  # its parts come here one by one
        made = func(*args, **(kwargs or {}))
        if self._is_paused:
            return made
        for tensor in tree_iter(made):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor)
        return made

    def __enter__(self) -> "LiveBytes":
        self._resize = torch.UntypedStorage.resize_

        def resize(storage: torch.UntypedStorage, size: int) -> Any:
            result = self._resize(storage, size)  # FSDP2 frees and takes memory in this way
            self._set(id(storage), size)
            return result

        self._patches = ExitStack()
        self._patches.enter_context(patch.object(torch.UntypedStorage, "resize_", resize))
        self._patches.enter_context(patch.object(ShardingPropagator, _INFER, self._uncounted(_infer)))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._patches.close()

    def _uncounted(self, function: Any) -> Any:
        """DTensor infers shapes on fake tensors of its own, which are nobody's memory."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._is_paused = True
            try:
                return function(*args, **kwargs)
            finally:
                self._is_paused = False

        return call

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage from now on, until it is freed."""
        if tensor.is_sparse:
            self.add(tensor._indices())
            self.add(tensor._values())
            return
        storage = local(tensor).untyped_storage()
        key = id(storage)
        if key not in self._sizes:
            self._sizes[key] = 0
            weakref.finalize(storage, self._forget, key)
            self._set(key, storage.nbytes())

    def _set(self, key: int, size: int) -> None:
        if key in self._sizes:
            self.now += size - self._sizes[key]
            self._sizes[key] = size
            self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def instantiate(config: TrainingConfig, world: int, say: Callable[[str], None] | None = None) -> Instantiated:
    """Make every kind of rank, check that they make up the model and fit together.

    With `say`, which is called for each, a step of the first, a middle and the last pipeline rank is tracked.

    Raises ConfigurationError where the layout does not fit, ModelError where ranks do not fit together.
    """
    kinds = distinct_ranks(config, world)
    parameters = 0
    messages: dict[int, tuple[Message, Message]] = {}
    tracked = []
    seen = set()
    for rank, alike in kinds.items():
        with fake_rank(config, rank, world) as made:
            parameters += made.own_parameters() * alike
            place = made.layout.pipeline_rank
            if place in seen:
                continue
            seen.add(place)
            messages |= made.messages() if config.parallel.pipeline > 1 else {}
            if say and place in (0, config.parallel.pipeline // 2, config.parallel.pipeline - 1):
                say(f"a step of rank {rank}, pipeline rank {place}")
                tracked.append(made.track_step(enough_micro_batches(config, made.layout.data)))
    if parameters != config.model.parameters:
        raise ModelError(f"the ranks hold {parameters:,} parameters, the model has {config.model.parameters:,}")
    for stage in sorted(messages)[:-1]:
        sent, awaited = messages[stage][1], messages[stage + 1][0]
        if sent != awaited:
            raise ModelError(f"stage {stage} sends {sent}, stage {stage + 1} awaits {awaited}")
    return Instantiated(kinds, parameters, tracked)


def distinct_ranks(config: TrainingConfig, world: int) -> dict[int, int]:
    """One rank of each kind and how many there are of it: those alike hold shares of the same shapes as their own.

    Pipeline ranks all differ. Of tensor ranks the first alone owns what is on all of them; shares are of one shape,
    for sizes that they do not divide are refused. Data ranks get equal rows of a tensor, but where these do not divide
    the last ones get fewer: those of equal rows in all tensors are alike.
    """
    data = check_sizes(config, world)
    tensor, pipeline = config.parallel.tensor, config.parallel.pipeline
    is_shared = data > 1 and config.parallel.sharding != "none"
    shards = data // config.parallel.replicas
    found: dict[int, int] = {}
    for place in range(pipeline):
        lengths = {shape[0] for stage in stages_held(config, place) for shape in all_shapes(config, stage)}
        rows: dict[Any, list[int]] = {}
        for rank in range(data):
            shares = tuple(_rows(length, rank % shards, shards) for length in sorted(lengths)), rank < shards
            rows.setdefault(shares if is_shared else rank > 0, []).append(rank)
        for alike in rows.values():
            first = (place * data + alike[0]) * tensor
            found[first] = len(alike)
            if tensor > 1:
                found[first + 1] = len(alike) * (tensor - 1)
    return found


def _rows(length: int, rank: int, ranks: int) -> int:
    """Rows of so many that a data rank gets."""
    each = -(-length // ranks)
    return max(0, min(length, (rank + 1) * each) - rank * each)


def enough_micro_batches(config: TrainingConfig, data: int) -> int:
    """As many as fill the pipeline while gradients are there already: more take no more memory."""
    parallel = config.parallel
    count = config.batch.size // (data * config.batch.micro)
    return min(count, 2 * parallel.pipeline if parallel.schedule == "interleaved" else parallel.pipeline + 1)


def _message(tensor: torch.Tensor) -> Message:
    return tuple(tensor.shape), str(tensor.dtype)


@contextmanager
def fake_rank(config: TrainingConfig, rank: int, world: int) -> Iterator[FakeRank]:
    """One rank of a layout. No process group may be there; its own is gone afterwards.

    Raises ConfigurationError where the layout does not fit.
    """
    check_sizes(config, world)
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=world)
    try:
        yield FakeRank(config)
    finally:
        dist.destroy_process_group()


@contextmanager
def _unanimous() -> Iterator[None]:
    """Let stages take for granted that all know the shapes, which they would ask each other; torch 2.11 doesn't ask."""
    if not hasattr(PipelineStage, "_warmup_forward_vote"):
        yield
        return

    class Yes:
        def item(self) -> int:
            return 1

    def vote(*_: Any, **__: Any) -> Yes:
        return Yes()

    with patch.multiple(PipelineStage, _warmup_forward_vote=vote, _warmup_backward_result=vote):
        yield
