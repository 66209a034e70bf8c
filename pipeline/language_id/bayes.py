"""A naive Bayes classifier over hashed character n-grams and words: the model of ours that `train-lid` makes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from configs.errors import OpenRootsError
from pipeline.language_id.kernels import fold_table, score_rows

MODEL = Path(__file__).parent / "model" / "bayes.npz"
UNITS_PER_NAT = 12.0  # of the int8 weights
LETTERS_MAX = 1200  # of a text are read: more changes no answer (docs/language-identification.md)


class LanguageModelError(OpenRootsError):
    """A language-identification model cannot be read or made."""


@dataclass(frozen=True)
class Bayes:
    """`weights`: int8, buckets × classes, log-likelihood of a feature, centred by bucket; `labels` of the classes."""

    weights: npt.NDArray[np.int8]
    labels: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of weights and labels."""
        state = xxhash.xxh3_128(np.ascontiguousarray(self.weights))
        state.update(json.dumps(self.labels).encode())
        return state.hexdigest()

    def scores(
        self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Log-likelihood of each class in 1/UNITS_PER_NAT nat (int32, rows × labels) and features of each row."""
        return score_rows(starts, ends, data, self.weights, fold_table(), LETTERS_MAX)

    def save(self, path: Path) -> None:
        """Write as compressed NumPy arrays, without pickle; the same model gives the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, weights=self.weights, labels=np.array(self.labels))


def load_bayes(path: Path = MODEL) -> Bayes:
    """Read a model that `train-lid` wrote. Raises LanguageModelError where the file is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Bayes(arrays["weights"], tuple(str(label) for label in arrays["labels"]))
    except (OSError, ValueError, KeyError) as error:
        raise LanguageModelError(f"{path} is no model of language identification; make one: openroots train-lid") from (
            error
        )


def from_counts(counts: npt.NDArray[np.int64], labels: Sequence[str], smoothing: float) -> Bayes:
    """The model of feature counts (buckets × classes) with additive smoothing (Lidstone), quantised to int8."""
    likely = np.log(counts + smoothing) - np.log(counts.sum(axis=0) + smoothing * len(counts))
    likely -= likely.mean(axis=1, keepdims=True)
    units = np.clip(np.rint(likely * UNITS_PER_NAT), -127, 127)
    return Bayes(np.ascontiguousarray(units.astype(np.int8)), tuple(labels))
