"""Checkpoints of `trainer.mt0`: what `accelerate` saves of model and optimizer, and how far the run is.

OUTPUT/checkpoints/step-00000100/    of `accelerate`, for any of its backends
                            /run.json    settings, step, figures; written last: without it a checkpoint is half
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, OutputError
from pipeline.runtime import storage

FOLDER, ABOUT = "checkpoints", "run.json"


@dataclass(frozen=True)
class Mt0Checkpoints:
    """The checkpoints in an output folder; `identity` are the settings that a run must keep to be resumed."""

    output: Path
    identity: dict[str, Any]

    def newest(self) -> Path | None:
        """The newest whole checkpoint.

        Raises OutputError where the folder holds something else, ConfigurationError where the run had other settings.
        """
        whole = sorted(path.parent for path in (self.output / FOLDER).glob(f"step-*/{ABOUT}"))
        if not whole:
            if self.output.exists() and any(path.name != FOLDER for path in self.output.iterdir()):
                raise OutputError(f"{self.output} is not empty; choose another --output, or remove it")
            return None
        theirs = self._about(whole[-1])["identity"]
        for name, mine in self.identity.items():
            if theirs.get(name) != mine:
                raise ConfigurationError(
                    f"{whole[-1]} was trained with another {name} ({theirs.get(name)}, now {mine}); give the one it "
                    "had, or another --output for a new run"
                )
        return whole[-1]

    def load(self, accelerator: Any, checkpoint: Path) -> dict[str, Any]:
        """Restore what was prepared by the accelerator; returns `step` and `figures`. Raises OutputError."""
        try:
            accelerator.load_state(str(checkpoint))
        except (OSError, RuntimeError, ValueError) as error:
            raise OutputError(
                f"{checkpoint} cannot be read ({error}); remove it to resume from the one before"
            ) from error
        return self._about(checkpoint)

    def save(self, accelerator: Any, step: int, figures: dict[str, Any]) -> None:
        """Save a checkpoint and remove those before it. All processes call it. Raises OutputError."""
        place = self.output / FOLDER / f"step-{step:08}"
        try:
            accelerator.save_state(str(place))
            accelerator.wait_for_everyone()
            if accelerator.is_main_process:
                about = {"identity": self.identity, "step": step, "figures": figures}
                storage.write_json(str(place / ABOUT), about)
                for other in place.parent.iterdir():
                    if other != place:
                        shutil.rmtree(other)
        except OSError as error:
            raise OutputError(f"{place} cannot be written: {error}") from error

    def remove(self) -> None:
        """Remove all: the model is saved."""
        shutil.rmtree(self.output / FOLDER, ignore_errors=True)

    def _about(self, checkpoint: Path) -> dict[str, Any]:
        about: dict[str, Any] = json.loads((checkpoint / ABOUT).read_text("utf-8"))
        return about
