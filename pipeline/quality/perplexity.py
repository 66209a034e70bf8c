"""Perplexity by KenLM models that the user gives; without any, the column is null throughout.

ROOTS trained 5-gram models with Kneser–Ney smoothing over SentencePiece pieces of Wikipedia, in the way of CCNet
(Wenzek et al. 2020). A model is a folder that holds one KenLM file (`*.arpa.bin`, `*.binary`, `*.bin` or `*.arpa`) and,
where the model reads pieces, one SentencePiece file (`*.sp.model` or `*.model`). No model comes with OpenRoots.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import ModelError
from pipeline.text.columns import decode

_KENLM_FILES = ("*.arpa.bin", "*.binary", "*.bin", "*.arpa")
_PIECE_FILES = ("*.sp.model", "*.model")


class PerplexityModels:
    """KenLM models by language, loaded when a document first needs one; picklable before and after."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = dict(folders)
        self._loaded: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_folders": self._folders, "_loaded": {}}

    def __call__(self, texts: pa.LargeStringArray, languages: pa.Array) -> pa.FloatArray:
        """Perplexity of each document, float32; null where its language has no model and for empty texts.

        10 to the power of minus the mean log10 probability of a token, the end of each line counted as one. Raises
        ModelError where a model cannot be loaded.
        """
        if not self._folders:
            return pa.nulls(len(texts), pa.float32())
        values = np.full(len(texts), np.nan, np.float32)
        for row, language in enumerate(decode(languages).to_pylist()):
            if language in self._folders:
                values[row] = self._model(language).perplexity(texts[row].as_py())
        return pa.array(values, mask=np.isnan(values))

    def configuration(self) -> dict[str, Any]:
        """Names and sizes of the model files, as JSON."""
        files = {code: _model_files(code, folder) for code, folder in sorted(self._folders.items())}
        return {code: [[path.name, path.stat().st_size] for path in found if path] for code, found in files.items()}

    def _model(self, language: str) -> "_Model":
        if language not in self._loaded:
            self._loaded[language] = _Model(*_model_files(language, self._folders[language]))
        return self._loaded[language]


class _Model:
    def __init__(self, model: Path, pieces: Path | None) -> None:
        try:
            import kenlm
        except ImportError:
            raise ModelError(
                f"{model}: perplexity needs KenLM; install it with `pip install openroots[kenlm]`"
            ) from None
        try:
            self._model = kenlm.Model(str(model))
        except (OSError, RuntimeError) as error:
            raise ModelError(
                f"{model}: not a KenLM model: {error}. Give one that `lmplz` or `build_binary` wrote"
            ) from None
        self._pieces = _sentencepiece(pieces) if pieces else None

    def perplexity(self, text: str) -> float:
        log, tokens = 0.0, 0
        for line in text.split("\n"):
            words = self._pieces.encode(line, out_type=str) if self._pieces else line.split()
            if words:
                log += self._model.score(" ".join(words))
                tokens += len(words) + 1
        return 10.0 ** min(38.0, -log / tokens) if tokens else float("nan")


def _sentencepiece(path: Path) -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise ModelError(f"{path}: needs SentencePiece; install it with `pip install sentencepiece`") from None
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path}: not a SentencePiece model: {error}") from None


def _model_files(language: str, folder: str) -> tuple[Path, Path | None]:
    """The KenLM and the SentencePiece file of a folder."""
    place = Path(folder)
    models = [path for pattern in _KENLM_FILES for path in sorted(place.glob(pattern))]
    if not models:
        raise ModelError(
            f"{folder}: no KenLM model for `{language}` here (one of {', '.join(_KENLM_FILES)}); "
            f"correct `quality.perplexity_models.{language}` in the recipe"
        )
    pieces = [path for pattern in _PIECE_FILES for path in sorted(place.glob(pattern))]
    return models[0], pieces[0] if pieces else None
