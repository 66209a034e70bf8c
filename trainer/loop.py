"""The training loop: one step after another until the tokens are spent, told to stop, or too many go wrong.

All that decides the next step is in `State`, which is in the checkpoint: a run that was killed resumes as if it had not
been. Data has no state but the number of samples consumed (see `trainer.data`).
"""

import math
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console

from configs.errors import ConfigurationError, OpenRootsError, OutputError
from pipeline.runtime import storage
from trainer.checkpoint import Checkpoint, Checkpoints
from trainer.config import Batch as BatchSettings
from trainer.config import TrainingConfig
from trainer.data import Batch, Prefetch, TrainingData, rank_positions, read_manifest
from trainer.faults import Limits, LossScaler, LossWatch
from trainer.flops import flops_per_token, peak_tflops
from trainer.metrics import Clock, Metrics, duration
from trainer.parallel.model import ParallelModel
from trainer.parallel.optimizer import divisor
from trainer.process import Garbage, Reading, Trace, limit_messages, told_to_stop
from trainer.schedule import check_batches, learning_rate, next_batch
from trainer.start import Start, find_start

if TYPE_CHECKING:
    from trainer.tasks import TrainingTasks


@dataclass
class State:
    """Where a run stands, apart from weights and optimizer."""

    step: int = 0
    samples: int = 0
    skipped: dict[int, int] = field(default_factory=dict)
    """Samples to leave out after a roll-back: the first → the one after the last. A batch that meets them goes too."""
    watch: LossWatch = field(default_factory=LossWatch)
    scaler: LossScaler = field(default_factory=LossScaler)

    def to_json(self) -> dict[str, Any]:
        """As it is kept in a checkpoint's manifest."""
        return {**asdict(self), "skipped": {str(begin): end for begin, end in self.skipped.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "State":
        """The inverse of `to_json`."""
        skipped = {int(begin): end for begin, end in data["skipped"].items()}
        watch = LossWatch.from_json(data["watch"])
        return cls(data["step"], data["samples"], skipped, watch, LossScaler(**data["scaler"]))

    def pass_over(self, batch: BatchSettings) -> int:
        """Move past the batches that are left out; returns the size of the next one."""
        self.samples, size = next_batch(self.samples, self.skipped, batch)
        return size


@dataclass(frozen=True)
class Made:
    """A step that the device was given. What came of it is read while the device makes the next one."""

    step: int
    samples: range
    rate: float
    limits: Limits
    figures: Reading
    """Loss, norm of the gradient."""


class Run:
    """A run on the processes of this job. Every rank makes one and calls `train`."""

    def __init__(self, config: TrainingConfig, device: torch.device, console: Console) -> None:
        self.config, self._console = config, console
        self._folder = Path(config.checkpoints.folder)
        self.data = TrainingData(config.data.packed, seed=config.seed, weights=_weights(config))
        self._held_out = TrainingData(config.data.packed, part="held_out")
        _check_data(config, self.data)
        self._start = find_start(config, self.data.manifest) if config.start else None
        self._prefetch = Prefetch(self.data, device)
        self.model = ParallelModel(config, device)
        self._layout = self.model.layout
        check_batches(config.batch, self._layout.data)
        settings = config.checkpoints
        self._checkpoints = Checkpoints(self._folder, settings.keep, settings.keep_every, self._say)
        is_fp16 = config.precision.compute == "fp16"
        self.state = State(scaler=LossScaler(config.precision.loss_scale if is_fp16 else 1.0, is_dynamic=is_fp16))
        self._stop = threading.Event()
        self._made: Made | None = None
        self._metrics: Metrics | None = None
        self._clock = Clock()
        self._saved = self._judged = -1
        self._is_lost = False
        """Whether the newest loss known was not a number, as it is for good once the weights are none."""
        self._tasks = _tasks(config, self.model) if config.logging.tasks else None

    def train(self) -> State:
        """Train to the end, from the newest checkpoint if there is one. Raises OpenRootsError."""
        checkpoint = self._checkpoints.find()
        if checkpoint is not None:
            self._resume(checkpoint)
        elif self._start is not None:
            self._begin(self._start)
        if self._layout.is_main:
            self._metrics = Metrics(self._folder, self.state.step, self.config, self._console)
            storage.write_json(str(self._folder / "config.json"), self.config.model_dump(mode="json"))
        budget = self.config.schedule.tokens
        parameters = f"{self.config.model.parameters:,} parameters"
        world = self._layout.world
        self._say(f"{self.config.name}: {parameters}, {budget:,} tokens, {world} process{'es' * (world > 1)}")
        try:
            with told_to_stop(self._stop), Garbage() as garbage:
                self._loop(garbage)
            return self._end()
        finally:
            self._prefetch.close()
            self._checkpoints.finish()  # whatever ended the run: a save under way is sealed or removed, never left half
            if self._metrics:
                self._metrics.close()

    def _loop(self, garbage: Garbage) -> None:
        config, is_first = self.config, True
        layout = self._layout
        traced = config.logging.profile if layout.data_rank == layout.tensor_rank == 0 else None
        trace = Trace(traced, self._folder, layout.rank, layout.device)
        while True:
            if self._is_over():
                if self._settle():
                    break
                continue  # the last step was rolled back
            trace.before(self.state.step + 1)
            if not self._step():
                continue
            if path := trace.after(self.state.step):
                self._say(f"trace of steps {config.logging.profile}: {path}")
            if is_first:
                is_first = False
                self._settle()
                limit_messages(config.parallel.timeout, self.model.groups())
            garbage.step(self.state.step)
            self._checkpoints.poll()
            saves, evaluates = self._is_due(config.checkpoints.every), self._is_due(config.logging.evaluate_every)
            if (saves or evaluates) and not self._settle():
                continue
            with self._clock.paused():
                if saves and self._is_lost:
                    self._say("no checkpoint is saved: the loss of this step is not a number; older ones are kept")
                elif saves:
                    self._save(wait=not config.checkpoints.asynchronous)
                if evaluates:
                    self._judge()
        if path := trace.close():
            self._say(f"trace of the steps that there were: {path}")

    def _end(self) -> State:
        finished = self._tokens() >= self.config.schedule.tokens
        if finished and self._judged != self.state.step:
            self._judge()
        self._save(wait=True, last=True)
        where = f"step {self.state.step:,}, {self._tokens():,} tokens"
        self._say(f"finished: {where}" if finished else f"stopped: {where}; the same command resumes from there")
        return self.state

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.state.step % every == 0

    def _step(self) -> bool:
        """Give the device a step, then take note of the one before; False where the run was rolled back."""
        state, config = self.state, self.config
        size = state.pass_over(config.batch)
        rate = learning_rate(self._tokens(), config.schedule)
        batch = self._prefetch.take(self._mine(state.samples, size))
        following = replace(state, samples=state.samples + size)
        following_size = following.pass_over(config.batch)
        self._prefetch.expect(self._mine(following.samples, following_size))
        limits = state.watch.limits(state.step + 1, config.faults, config.optimizer.clip)
        made = Made(
            state.step + 1, range(state.samples, state.samples + size), rate, limits, self._give(batch, rate, limits)
        )
        state.samples += size
        state.step += 1
        if not self._settle():
            return False
        self._made = made
        # An overflow of fp16 changes the scale of the next step.
        return self._settle() if state.scaler.is_dynamic else True

    def _give(self, batch: Batch, rate: float, limits: Limits) -> Reading:
        """A step for the device, which by itself changes no weights where there is a fault. Waits for nothing."""
        scale = self.state.scaler.scale
        loss = self.model.forward_backward(batch, scale)
        norm = self.model.gradient_norm().to(loss.device) / scale
        divided = divisor(norm, self.config.optimizer.clip, scale)
        self.model.step(rate, divisor=divided, skip=limits.are_broken(loss, norm))
        self.model.zero_grad()
        return Reading(torch.stack([loss, norm]))

    def _settle(self) -> bool:
        """Take note of what came of the newest step given; False where the run was rolled back: it did not happen."""
        made, self._made = self._made, None
        if made is None:
            return True
        state, config = self.state, self.config
        loss, norm = made.figures.get()
        self._is_lost = not math.isfinite(loss)
        if not state.scaler.is_least and math.isfinite(loss) and not math.isfinite(norm):
            state.scaler.overflowed()
        elif fault := made.limits.fault(loss, norm):
            if self._handle(fault, loss, norm, made):
                return False
        else:
            state.scaler.stepped()
            state.watch.accept(loss, norm, made.step, made.samples.stop, config.faults.recovery)
        if made.step % config.logging.every == 0 or made.step == 1:
            self._tell(loss, norm, made)
        return True

    def _mine(self, begin: int, size: int) -> np.ndarray:
        """Positions of this rank's share of a batch."""
        return rank_positions(begin, size, self._layout.data_rank, self._layout.data)

    def _handle(self, fault: str, loss: float, norm: float, made: Made) -> bool:
        """Act on a fault; True where the run was rolled back, so that this step did not happen."""
        state, settings = self.state, self.config.faults
        state.watch.count(made.samples.stop)
        self._record(fault, loss, norm, made)
        if settings.policy == "stop" or state.watch.faults > settings.most:
            many = f" ({state.watch.faults} faults, faults.most is {settings.most})" * (settings.policy != "stop")
            remedy = 'with a lower learning rate, or with faults.policy = "roll-back"'
            raise OpenRootsError(
                f"step {made.step}: {fault}{many}; {self._folder}/faults.jsonl names the documents of the batch. "
                f"Resume {remedy if settings.policy != 'roll-back' else 'with a lower learning rate'}"
            )
        if settings.policy == "skip":
            return False
        return self._roll_back(made.samples)

    def _record(self, fault: str, loss: float, norm: float, made: Made) -> None:
        policy = self.config.faults.policy
        if self._metrics:
            documents, languages = self.data.documents(made.samples), self.data.language_of(made.samples)
            row = {
                "step": made.step,
                "fault": fault,
                "policy": policy,
                "loss": repr(loss),
                "gradient_norm": repr(norm),
                "loss_scale": self.state.scaler.scale,
                "samples": [made.samples.start, made.samples.stop],
                "documents": [{"language": n, "ids": ids} for n, ids in zip(languages, documents, strict=True)],
            }
            self._metrics.write_fault(row)
        self._say(f"step {made.step:,}: {fault} · {policy} · faults.jsonl names the documents", "yellow")

    def _roll_back(self, positions: range) -> bool:
        """Return to the newest checkpoint and leave out the batches around the one at fault; False without one.

        What makes a loss jump is often in the batches before (Chowdhery et al. 2022, "PaLM", section 5.1).
        """
        self._checkpoints.finish()
        checkpoint = self._checkpoints.find()
        if checkpoint is None:
            self._say("there is no checkpoint to roll back to: the batch is skipped")
            return False
        window, watch, skipped = self.config.faults.window, self.state.watch, self.state.skipped
        self._resume(checkpoint)
        begin = max(self.state.samples, positions.start - window // 2 * len(positions))
        end = positions.stop + (window - 1) // 2 * len(positions)
        self.state.skipped = {**skipped, begin: max(end, skipped.get(begin, 0))}
        self.state.watch.faults, self.state.watch.until = watch.faults, max(watch.until, end)
        self.state.watch.good = 0
        self._say(f"samples {begin:,} to {end - 1:,} are left out")
        if self._metrics:
            self._metrics.roll_back(self.state.step)
        return True

    def _resume(self, checkpoint: Checkpoint) -> None:
        about = checkpoint.manifest
        for name, mine in _identity(self.config, self.data).items():
            if about["identity"][name] != mine:
                raise ConfigurationError(
                    f"{checkpoint.folder} was trained with another {name}; give the one it had, or another "
                    "checkpoints.folder for a new run"
                )
        state = self.model.state_dict()
        self._checkpoints.load(checkpoint, state)
        self.model.load_state_dict(state)
        self.state = State.from_json(about["state"])
        self._saved = self.state.step
        self._say(f"resumed from {checkpoint.folder} at step {self.state.step:,}")

    def _begin(self, start: Start) -> None:
        """Take the weights of another model; the optimizer is new."""
        weights = {name: parameter.detach() for name, parameter in self.model.named_parameters()}
        if start.checkpoint is not None:
            if error := self._checkpoints.check(start.checkpoint):
                raise error
            state = {"model": self.model.state_dict()["model"]}
            self._checkpoints.load(start.checkpoint, state)
            self.model.load_weights(state["model"].items())
        else:
            from trainer.huggingface import read_weights

            self.model.load_weights(read_weights(start.folder, weights))
        self._say(f"starts from the weights of {start.folder}")

    def _save(self, *, wait: bool, last: bool = False) -> None:
        if self._saved == self.state.step and (not wait or self._checkpoints.finish()):
            return
        self._saved = self.state.step
        about = {
            "state": self.state.to_json(),
            "tokens": self._tokens(),
            "identity": _identity(self.config, self.data),
            "config": self.config.model_dump(mode="json"),
            "packed": {key: value for key, value in self.data.manifest.items() if key != "files"},
        }
        tokenizer = Path(self.config.data.packed) / "tokenizer"
        is_well = self._checkpoints.save(self.state.step, self.model.state_dict(), about, tokenizer, wait=wait)
        if not is_well and last:
            raise OutputError(f"no checkpoint could be saved in {self._folder} at the end; free some room, start again")

    def _judge(self) -> None:
        self._judged = self.state.step
        self.evaluate()
        self._run_tasks()

    def evaluate(self) -> dict[str, float]:
        """Held-out loss of each language, nats a token; the same on all ranks."""
        limit, names = self.config.logging.held_out_sequences, self._held_out.languages
        where = [(number, place) for number, name in enumerate(names) for place in self._held_out.first(name, limit)]
        if not where:
            return {}
        ranks, rank = self._layout.data, self._layout.data_rank
        share = -(-len(where) // ranks)
        mine = where[rank * share : (rank + 1) * share]
        filled = mine + [where[0]] * (share - len(mine))  # ranks take as many each; what is added has no labels
        batch = self._held_out.sequences([place for _, place in filled])
        batch.labels[len(mine) :] = -100
        batch = batch.to(self._layout.device)
        groups = torch.tensor([number for number, _ in filled])
        totals, counts = self.model.evaluate(batch, groups, len(names))
        losses = (totals / counts).tolist()
        found = {name: losses[number] for number, name in enumerate(names) if counts[number] > 0}
        if self._metrics:
            self._metrics.write({"step": self.state.step, "held_out": found})
            ordered = [f"{name} {loss:.2f}" for name, loss in sorted(found.items(), key=lambda item: item[1])]
            shown = " · ".join(ordered if len(ordered) <= 8 else [*ordered[:3], "…", *ordered[-5:]])
            if lost := [name for name, loss in found.items() if not math.isfinite(loss)]:
                self._say(f"the held-out loss of {len(lost)} of {len(found)} languages is not a number", "red")
            self._say(f"held-out loss: {sum(found.values()) / len(found):.3f} mean of {len(found)} languages · {shown}")
        return found

    def _run_tasks(self) -> None:
        if self._tasks is None:
            return
        report = self._tasks.run(self.state.step)
        if self._metrics:
            numbers = self._tasks.write(report, self.state.step)
            self._metrics.write({"step": self.state.step, "tasks": numbers})
            means = [f"{name} {value:.3f}" for name, value in numbers.items() if name.count("/") == 1]
            self._say(f"tasks: {' · '.join(means)}")

    def _tell(self, loss: float, norm: float, made: Made) -> None:
        config = self.config
        tokens = made.samples.stop * config.sequence_length
        speed, left = self._clock.tell(tokens, config.schedule.tokens, made.figures)
        tflops = speed * flops_per_token(config.model, config.sequence_length) / 1e12
        device = torch.cuda.get_device_name() if self._layout.device.type == "cuda" else ""
        peak = config.logging.peak_tflops or peak_tflops(device)
        row = {
            "step": made.step,
            "samples": made.samples.stop,
            "tokens": tokens,
            "loss": loss if math.isfinite(loss) else None,
            "gradient_norm": norm if math.isfinite(norm) else None,
            "learning_rate": made.rate,
            "batch_size": len(made.samples),
            "loss_scale": self.state.scaler.scale,
            "tokens_per_second": round(speed, 1),
            "tflops": round(tflops, 4),
            "mfu": round(tflops / self._layout.world / peak, 4) if peak else None,
        }
        if self._metrics:
            self._metrics.write(row)
        pace = f" · {speed:,.0f} tokens/s" if speed else ""
        eta = f" · about {duration(left)} left" if left else ""
        self._say(
            f"step {made.step:>7,} · {min(tokens / config.schedule.tokens, 1):6.1%} · loss {loss:.4f} · "
            f"norm {norm:.2f} · rate {made.rate:.2e}{pace}{eta}"
        )

    def _tokens(self) -> int:
        return self.state.samples * self.config.sequence_length

    def _is_over(self) -> bool:
        """Whether the tokens are spent, or any rank was told to stop: all must agree, or the others would wait for it.

        Hosts ask each other, on the CPU: for their devices nobody waits.
        """
        told = self._layout.sum(torch.tensor(float(self._stop.is_set())))
        return bool(told > 0) or self._tokens() >= self.config.schedule.tokens

    def _say(self, text: str, style: str = "") -> None:
        if self._layout.is_main:
            self._console.print(text, style=style, markup=False)  # paths and causes may have brackets in them


def _identity(config: TrainingConfig, data: TrainingData) -> dict[str, Any]:
    """What must not change in the middle of a run."""
    model = config.model.model_dump(mode="json")
    return {
        "model": model,
        "packed text": data.manifest["digest"],
        "seed": config.seed,
        "data.weights": _weights(config) or {},
        "batch": [config.batch.size, config.batch.ramp_start, config.batch.ramp_step, config.batch.ramp_samples],
    }


def _tasks(config: TrainingConfig, model: ParallelModel) -> "TrainingTasks":
    try:
        from trainer.tasks import TrainingTasks  # needs the tokenizer's packages, which a bare machine may lack
    except ImportError as error:
        raise ConfigurationError(f"logging.tasks needs {error.name}: install it, or leave them out") from error
    return TrainingTasks(config, model)


def _weights(config: TrainingConfig) -> dict[str, float] | None:
    """Of languages, as settings or the mixture of prompts give them."""
    if not config.data.mixture_weights:
        return config.data.weights or None
    weights: dict[str, float] | None = read_manifest(config.data.packed).get("weights")
    if not weights:
        raise ConfigurationError(f"data.mixture_weights: {config.data.packed} holds no prompts; leave it out")
    return weights


def _check_data(config: TrainingConfig, data: TrainingData) -> None:
    if data.is_weighted and not config.data.document_mask:
        raise ConfigurationError(
            f"{config.data.packed} holds prompts, each an example of its own: set data.document_mask = true"
        )
    if data.sequence_length != config.sequence_length:
        raise ConfigurationError(
            f"{config.data.packed} is packed to sequences of {data.sequence_length}, sequence_length is "
            f"{config.sequence_length}; pack again, or change it"
        )
    if data.vocabulary_size > config.model.vocabulary_size:
        raise ConfigurationError(
            f"the tokenizer has {data.vocabulary_size:,} entries, the model {config.model.vocabulary_size:,}; "
            "set model.vocabulary_size to as many or more"
        )
