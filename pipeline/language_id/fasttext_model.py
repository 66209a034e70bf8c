"""Any fastText model (.bin, .ftz) as the classifier: lid.176, GlotLID, lid218 or a user's own."""

import mmap
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from configs.errors import ModelError
from configs.language_codes import UNDETERMINED
from pipeline.language_id.parts import Answer

PREFIX = "__label__"
SURE = 0.9  # less may be mixed text
_HEADER = struct.Struct("<2i12id3i2q")  # magic, version; arguments; counts of the dictionary, as fastText saves them
_ENTRY = struct.Struct("<qb")  # after each word and its NUL: count, and 1 for a label


class FastText:
    """A fastText classifier read by `fasttext-predict`."""

    def __init__(self, path: str, code_of: Callable[[str], str]) -> None:
        """Read the model, whose labels `code_of` maps to the codes of answers. Raises ModelError where the file or the
        package that reads it is missing."""
        try:
            import fasttext
        except ImportError as error:
            raise ModelError(
                f"model {path} needs the package fasttext-predict: pip install 'openroots[fasttext]'"
            ) from error
        if not Path(path).is_file():
            raise ModelError(f"no language model at {path}; give `vote`, `none` or a fastText file")
        try:
            self._model = fasttext.load_model(path)
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ModelError(f"{path} is not a fastText model: {error}") from error
        self.name, self._code_of = Path(path).name, code_of
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            self.labels = frozenset(_labels(content))
            self.digest = xxhash.xxh3_128_hexdigest(content)

    def classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
        letters: npt.NDArray[np.int64],
        surely: npt.NDArray[np.bool_],
    ) -> list[Answer | None]:
        """Language and probability of each text; lines are joined, as fastText reads one."""
        texts = memoryview(data)  # type: ignore[arg-type]
        found = [
            self._one(bytes(texts[start:end]).decode("utf-8", "replace"))
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        return [
            None if must and score < SURE else Answer(label, score, votes=((self.name, label, score),))
            for (label, score), must in zip(found, surely.tolist(), strict=True)
        ]

    def _one(self, text: str) -> tuple[str, float]:
        line = " ".join(text.replace("\0", " ").split())
        predicted = self._model.f.predict(line + "\n", 1, 0.0, "strict") if line else []
        if not predicted:
            return self._code_of(UNDETERMINED), 0.0
        probability, label = predicted[0]
        return self._code_of(label.removeprefix(PREFIX)), min(1.0, float(probability))


def _labels(content: mmap.mmap) -> Iterator[str]:
    """Labels of a model, from the dictionary at the start of its file: `fasttext-predict` does not tell them."""
    entries = _HEADER.unpack_from(content)[15]
    at = _HEADER.size
    for _ in range(entries):
        end = content.find(b"\0", at)
        if _ENTRY.unpack_from(content, end + 1)[1]:
            yield content[at:end].decode("utf-8", "replace").removeprefix(PREFIX)
        at = end + 1 + _ENTRY.size
