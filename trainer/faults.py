"""When the loss is not a number, or jumps; and fp16's loss scale, whose overflows are part of the method."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from trainer.config import Faults

DECAY = 0.98
"""Of the running mean of the loss: about the last fifty steps."""
SETTLING = 20
"""Steps before a jump can be told from the first descent."""


@dataclass
class LossWatch:
    """The running mean of the loss, and faults in a row. All of it is in the checkpoint."""

    mean: float = 0.0
    steps: int = 0
    in_a_row: int = 0

    def fault(self, loss: float, norm: float, settings: Faults) -> str | None:
        """What is wrong with a step, in words; None where nothing is."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}"
        if self.steps >= SETTLING and loss > self.mean + settings.spike:
            return f"the loss jumped to {loss:.3f} from a mean of {self.mean:.3f}"
        return None

    def accept(self, loss: float) -> None:
        """Count a good step."""
        self.mean = loss if self.steps == 0 else DECAY * self.mean + (1 - DECAY) * loss
        self.steps += 1
        self.in_a_row = 0

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass
class LossScaler:
    """Dynamic loss scaling (Micikevicius et al. 2018): halved at an overflow, doubled after so many steps without."""

    scale: float = 1.0
    good_steps: int = 0
    is_dynamic: bool = False
    window: int = 1000

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
