"""What a run is made of, as frozen, validated data: the model's shape and the training settings.

`configs/models/NAME.toml` holds a shape, `configs/training/NAME.toml` a run. Figures are those of BLOOM (Scao et al.
2022, arXiv 2211.05100, table 3 and section 3) unless a file says otherwise.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from configs import CONFIGS
from configs.errors import ConfigurationError
from configs.load import read_toml, validate
from configs.models import Model
from configs.places import on_disk

Attention = Literal["auto", "plain", "sdpa", "flex"]
"""How attention is computed; see `trainer.attention`."""


def _is_here(path: str) -> str:
    on_disk(path)
    return path


Folder = Annotated[str, AfterValidator(_is_here)]
"""A folder on this machine's disk."""


class _Finite(Model):
    """Settings of which none may be infinite."""

    model_config = ConfigDict(allow_inf_nan=False)


class ModelConfig(_Finite):
    """Shape of a BLOOM model."""

    name: str = Field(min_length=1)
    layers: int = Field(ge=1)
    hidden: int = Field(ge=1, description="width of the residual stream")
    heads: int = Field(ge=1, description="attention heads")
    vocabulary_size: int = Field(default=250_880, ge=1, description="rows of the embedding, padding included")
    epsilon: float = Field(default=1e-5, gt=0, description="of the layer norms")
    tied: bool = Field(default=True, description="the embedding is the output matrix; training needs it")
    initializer_std: float | None = Field(default=None, gt=0, description="of weights; default: sqrt(1 / (3 hidden))")

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelConfig":
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of heads ({self.heads})")
        return self

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.hidden // self.heads

    @property
    def std(self) -> float:
        """Standard deviation of initial weights."""
        return self.initializer_std or (1.0 / (3.0 * self.hidden)) ** 0.5

    @property
    def parameters(self) -> int:
        """Parameters, a tied embedding once."""
        h = self.hidden
        return self.vocabulary_size * h * (1 if self.tied else 2) + 2 * h + self.layers * (12 * h * h + 13 * h) + 2 * h


class Data(Model):
    """Where sequences come from."""

    packed: Folder = Field(default="build/packed", description="output of `openroots pack`")
    weights: dict[str, float] = Field(default={}, description="of languages; default: by the number of sequences")
    mixture_weights: bool = Field(default=False, description="weight languages as the prompt mixture does")
    document_mask: bool = Field(default=False, description="attention stays within a document")


class Batch(Model):
    """Sequences a step. With `ramp_samples` the batch grows from `ramp_start` by `ramp_step` over that many samples."""

    size: int = Field(ge=1, description="sequences per step, over all ranks")
    micro: int = Field(default=1, ge=1, description="sequences per forward pass and rank")
    ramp_start: int | None = Field(default=None, ge=1, description="sequences of the first step; default: no ramp-up")
    ramp_step: int = Field(default=16, ge=1, description="sequences added at each increase")
    ramp_samples: int = Field(default=0, ge=0, description="samples until the batch reaches `size`")


WARMUP_TOKENS = 375_000_000
"""BLOOM's own, of any size (Scao et al. 2022, table 3)."""


class Schedule(_Finite):
    """Learning rate by tokens seen: linear warm-up, cosine decay, then flat. What is left out fits the budget."""

    tokens: int = Field(ge=1, description="budget of the run")
    learning_rate: float = Field(gt=0, description="peak")
    min_learning_rate: float = Field(
        default_factory=lambda data: min(1e-5, data.get("learning_rate", 0.0) / 10),
        ge=0,
        description="at the end of the cosine and after; default: 1e-5, at most a tenth of the peak",
    )
    warmup_tokens: int = Field(
        default_factory=lambda data: min(WARMUP_TOKENS, data.get("tokens", 0) // 20),
        ge=0,
        description="until the peak; default: BLOOM's 375,000,000, at most a twentieth of `tokens`",
    )
    decay_tokens: int = Field(
        default_factory=lambda data: data.get("tokens", 1),
        ge=1,
        description="from the start to the end of the cosine; default: `tokens`",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> "Schedule":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate ({self.min_learning_rate:g}) is over the peak, learning_rate "
                f"({self.learning_rate:g}): the rate would rise to the end"
            )
        if self.warmup_tokens > self.tokens:
            raise ValueError(
                f"warmup_tokens ({self.warmup_tokens:,}) is more than tokens ({self.tokens:,}): the rate would never "
                "reach its peak; leave it out, and it fits the budget"
            )
        if self.decay_tokens <= self.warmup_tokens:
            raise ValueError(
                f"decay_tokens ({self.decay_tokens:,}) counts from the start and must be more than warmup_tokens "
                f"({self.warmup_tokens:,}): the rate would fall to the minimum at its peak"
            )
        return self


class Optimizer(_Finite):
    """AdamW. Biases and layer norms have no weight decay."""

    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0, description="largest global gradient norm")


class Precision(_Finite):
    """Number formats. Parameters and optimizer states are kept in fp32 (master weights); `compute` is autocast's."""

    compute: Literal["fp32", "bf16", "fp16"] = Field(default="bf16", description="format of matrix products (autocast)")
    attention: Attention = Field(
        default="auto", description="which implementation; all give the same numbers, softmax in fp32"
    )
    loss_scale: float = Field(default=65536.0, gt=0, description="initial; fp16 only")
    loss_chunk: int = Field(default=1024, ge=1, description="positions whose logits are in memory at once")


class Parallel(Model):
    """How the model is spread. `data` is what remains of the ranks where it is left out."""

    tensor: int = Field(default=1, ge=1, description="ranks that share each layer")
    pipeline: int = Field(default=1, ge=1, description="ranks that the layers are divided over")
    data: int | None = Field(default=None, ge=1, description="ranks that see different sequences")
    sharding: Literal["none", "zero1", "fsdp"] = Field(default="zero1", description="of training state over data ranks")
    replicas: int = Field(default=1, ge=1, description="groups of data ranks, each sharding a full copy (HSDP)")
    sequence_parallel: bool = Field(default=False, description="each tensor rank norms its part of the sequence")
    schedule: Literal["1f1b", "interleaved"] = Field(
        default="1f1b", description="order of micro-batches in the pipeline"
    )
    stages_per_rank: int = Field(default=1, ge=1, description="for the interleaved schedule")
    checkpointing: Literal["none", "selective", "full"] = Field(default="none", description="of activations")
    compile: bool = Field(default=False, description="torch.compile each layer")
    timeout: float = Field(default=600.0, gt=0, description="seconds allowed per collective after the first step")


class Checkpoints(Model):
    """When and where the state is saved."""

    folder: Folder = Field(default="runs/default", description="the run's folder, for checkpoints and logs")
    every: int = Field(default=1000, ge=1, description="steps")
    keep: int = Field(default=2, ge=1, description="newest checkpoints to keep")
    keep_every: int | None = Field(default=None, ge=1, description="steps; checkpoints at multiples are never removed")
    asynchronous: bool = Field(default=True, description="write while training continues")


class Logging(Model):
    """What is logged, and when."""

    every: int = Field(default=10, ge=1, description="steps")
    evaluate_every: int = Field(default=1000, ge=0, description="steps; 0: only at the end")
    held_out_sequences: int = Field(default=8, ge=1, description="per language")
    tasks: tuple[str, ...] = Field(default=(), description="tasks of `openroots evaluate` to run at each evaluation")
    task_languages: tuple[str, ...] = Field(default=(), description="default: all that a task has")
    task_data: str | None = Field(default=None, min_length=1, description="folder of items, as for `--data`")
    task_items: int = Field(default=50, ge=1, description="at most, per task and language")
    tensorboard: bool = Field(default=True, description="also write TensorBoard events")
    wandb: str | None = Field(default=None, min_length=1, description="Weights & Biases project; default: none")
    profile: str | None = Field(
        default=None, pattern=r"^[1-9][0-9]*(-[1-9][0-9]*)?$", description="steps to trace, such as `10-12`"
    )
    peak_tflops: float | None = Field(default=None, gt=0, description="of one device, for MFU; default: by its name")

    @model_validator(mode="after")
    def _profile_is_forward(self) -> "Logging":
        first, _, last = (self.profile or "0").partition("-")
        if last and int(last) < int(first):
            raise ValueError(f"profile ({self.profile}) ends before it begins")
        return self


class Faults(Model):
    """What happens when the loss or the gradient is not a number, or jumps."""

    policy: Literal["skip", "stop", "roll-back"] = Field(default="skip", description="what a fault does to the run")
    spike: float = Field(default=3.0, gt=0, description="nats above the running median of the loss")
    norm_spike: float = Field(default=20.0, gt=1, description="multiple of the running median of the gradient norm")
    most: int = Field(default=10, ge=1, description="faults allowed before the run stops; recovery resets the count")
    recovery: int = Field(
        default=100, ge=1, description="good steps in a row, repeated ones not counted, that reset it"
    )
    window: int = Field(default=100, ge=1, description="batches skipped by a roll-back, half of them before the fault")


class TrainingConfig(Model):
    """A run."""

    name: str = Field(min_length=1)
    model: ModelConfig = Field(description="a shape; or the name of one in `configs/models`, or a path")
    seed: int = Field(default=42, ge=0, description="for initial weights and data order")
    start: str | None = Field(
        default=None, min_length=1, description="a model's folder or a checkpoint that initialises a new run's weights"
    )
    data: Data = Data()
    batch: Batch
    schedule: Schedule
    optimizer: Optimizer = Optimizer()
    precision: Precision = Precision()
    parallel: Parallel = Parallel()
    checkpoints: Checkpoints = Checkpoints()
    logging: Logging = Logging()
    faults: Faults = Faults()
    sequence_length: int = Field(default=2048, ge=1, description="tokens; must match the packed text")

    @field_validator("start")
    @classmethod
    def _start_is_here(cls, value: str | None) -> str | None:
        return value and _is_here(value)

    @model_validator(mode="after")
    def _is_tied(self) -> "TrainingConfig":
        if not self.model.tied:
            raise ValueError("model.tied = false is for models from elsewhere, to generate with; training needs true")
        if self.data.weights and self.data.mixture_weights:
            raise ValueError("data.weights and data.mixture_weights exclude each other")
        return self


def load_model_config(name: str) -> ModelConfig:
    """A shape by the name of one that comes with the package, or by path. Raises ConfigurationError."""
    path = _locate(name, "models")
    return validate(ModelConfig, read_toml(path), path)


def load_training_config(name: str, changes: dict[str, Any] | None = None) -> TrainingConfig:
    """A run by the name of one that comes with the package, or by path. Raises ConfigurationError.

    `model` in the file is a shape's name or path. `changes` are settings by dotted key, such as
    `{"batch.size": 8}`, instead of the file's.
    """
    path = _locate(name, "training")
    data = read_toml(path)
    changes = dict(changes or {})
    data["model"] = _shape(changes.pop("model", data.get("model")), path)
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = data
        for part in tables:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigurationError(f"{key}: `{part}` is not a table")
        table[last] = value
    if data["model"] is None:
        del data["model"]
    return validate(TrainingConfig, data, path)


def _shape(model: Any, path: str) -> Any:
    """A shape that is given by name, or by a path from the file `path` or from here, as a table."""
    if not isinstance(model, str):
        return model
    beside = Path(path).parent / model
    found = str(beside) if model.endswith(".toml") and beside.exists() else model
    return load_model_config(found).model_dump(exclude_unset=True)


def _locate(name: str, folder: str) -> str:
    built_in = CONFIGS / folder / f"{name}.toml"
    if built_in.exists():
        return str(built_in)
    if name.endswith(".toml"):
        return name
    known = sorted(file.stem for file in (CONFIGS / folder).glob("*.toml"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`? There" if near else "there"
    raise ConfigurationError(f"no `{name}` in configs/{folder}; {hint} are {', '.join(known)}, or give a .toml file")
