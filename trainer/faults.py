"""When a step goes wrong: a loss or a gradient that is not a number, or that jumps; and fp16's loss scale.

Jumps are judged against running medians, which a few spikes do not move as they would a mean. How often a run may fail
is counted over new ground only: steps that are made again after a roll-back are no sign of recovery.

A device judges a step by itself and leaves weights as they are where it is at fault. Its host learns of that while the
device makes the next step: so the limits of a step are of those before the last one.
"""

import math
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.config import Faults

WINDOW = 100
"""Good steps that the medians are of."""
SETTLING = 20
"""Steps before a jump can be told from the first descent."""


@dataclass(frozen=True)
class Limits:
    """Of the loss and the gradient's norm of a step; fp32 holds them exactly, so that a device and its host agree."""

    loss: float = math.inf
    norm: float = math.inf
    usual_loss: float = math.nan
    usual_norm: float = math.nan

    def fault(self, loss: float, norm: float) -> str | None:
        """What is wrong with a step, in words; None where nothing is."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}"
        if loss > self.loss:
            return f"the loss jumped to {loss:.3f} from a median of {self.usual_loss:.3f}"
        if norm > self.norm:
            return f"the gradient's norm jumped to {norm:.3g} from a median of {self.usual_norm:.3g}"
        return None

    def are_broken(self, loss: Tensor, norm: Tensor) -> Tensor:
        """1 where `fault` finds one, else 0. All are fp32 scalars on a device, for which nobody waits."""
        is_good = torch.isfinite(loss) & torch.isfinite(norm) & (loss <= self.loss) & (norm <= self.norm)
        return (~is_good).float()


@dataclass
class LossWatch:
    """The newest good losses and norms, and the faults that count. All of it is in the checkpoint."""

    losses: list[float] = field(default_factory=list)
    """One more than the medians are of: the newest may have to be left out."""
    norms: list[float] = field(default_factory=list)
    last: int = 0
    """The step that the newest of them are of."""
    faults: int = 0
    """Since the last `recovery` good steps in a row."""
    good: int = 0
    """Steps since the last fault, those made again left out."""
    until: int = 0
    """Samples up to which steps are made again, after a roll-back."""

    def limits(self, step: int, settings: Faults, clip: float) -> Limits:
        """What the loss and the norm of a step may be.

        The step before it is left out, whether it is known already or not. A norm that `clip` would not touch is no
        fault, however large it is beside the others.
        """
        end = len(self.losses) - (self.last == step - 1)
        if end < SETTLING:
            return Limits()
        begin = max(0, end - WINDOW)
        loss, norm = median(self.losses[begin:end]), median(self.norms[begin:end])
        highest = float(np.float32(loss + settings.spike)), float(np.float32(max(settings.norm_spike * norm, clip)))
        return Limits(*highest, usual_loss=loss, usual_norm=norm)

    def count(self, end: int) -> None:
        """Count a fault whose batch ends at the sample `end`."""
        self.faults, self.good, self.until = self.faults + 1, 0, max(self.until, end)

    def accept(self, loss: float, norm: float, step: int, end: int, recovery: int) -> None:
        """Count a good step whose batch ends at the sample `end`."""
        self.losses, self.norms = [*self.losses[-WINDOW:], loss], [*self.norms[-WINDOW:], norm]
        self.last = step
        if end > self.until:
            self.good += 1
        if self.good >= recovery:
            self.faults = 0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "LossWatch":
        """The inverse of `asdict`; what an older version kept is left out."""
        return cls(**{one.name: data[one.name] for one in fields(cls) if one.name in data})


@dataclass
class LossScaler:
    """Dynamic loss scaling (Micikevicius et al. 2018): halved at an overflow, doubled after so many steps without."""

    scale: float = 1.0
    good_steps: int = 0
    is_dynamic: bool = False
    window: int = 1000

    @property
    def is_least(self) -> bool:
        """Whether the scale can fall no further: an overflow is a fault then, no part of the method."""
        return not self.is_dynamic or self.scale <= 1.0

    def overflowed(self) -> None:
        """A gradient was infinite."""
        self.scale, self.good_steps = max(1.0, self.scale / 2), 0

    def stepped(self) -> None:
        """A step was made."""
        self.good_steps += 1
        if self.is_dynamic and self.good_steps == self.window:
            self.scale, self.good_steps = self.scale * 2, 0

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
