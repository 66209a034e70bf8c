"""The work behind `openroots fertility` and `openroots.fertility`, and the fertility table of a tokenizer's card."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from configs.errors import ConfigurationError, OpenRootsError
from configs.load import load_languages
from openroots.tokenizer_command import text_files
from pipeline import storage
from tokenizer.count_phase import corpus_files
from tokenizer.fertility import Report, measure_all
from tokenizer.foreign import TIKTOKEN_PATTERN, open_encoders
from tokenizer.parallel_text import parallel_texts
from tokenizer.samples import SAMPLE_BYTES, LanguageText, sample_files
from tokenizer.texts import TextFile

FAST_FROM = 20_000_000
"""Bytes of text from which `fastokens` is worth its check."""


def fertility(
    tokenizers: Sequence[str],
    *,
    text: Sequence[str] = (),
    language: str | None = None,
    sample: int = SAMPLE_BYTES,
    tiktoken_pattern: str = TIKTOKEN_PATTERN,
    limits: Mapping[str, float] | None = None,
) -> Report:
    """Measure tokenizers by language: tokens a word, premium over English, and more.

    tokenizers  `PLACE` or `NAME=PLACE`: a folder, a `tokenizer.json`, a `.tiktoken` file, a SentencePiece `.model`,
                `gpt2`, or a name of the Hugging Face Hub
    text        a built corpus, or files: Arrow, Parquet or JSON lines with a column `text`, or UTF-8; patterns too.
                Without it all measures are taken on the parallel text that comes with OpenRoots
    language    of the files, BCP-47
    sample      bytes taken of each language
    limits      languages that must be among those measured, see `Report.failures`

    Raises OpenRootsError.
    """
    parallel = parallel_texts()
    texts = _texts(text, language, sample)
    if not texts:
        texts = [LanguageText(code, found.origin, found.texts) for code, found in sorted(parallel.items())]
    check_limits(limits or {}, [one.language for one in texts])
    size = sum(len(part) for one in texts for part in one.texts)
    encoders = open_encoders(tokenizers, tiktoken_pattern=tiktoken_pattern, is_fast=size > FAST_FROM)
    return measure_all(encoders, texts, parallel)


def _texts(given: Sequence[str], language: str | None, sample: int) -> list[LanguageText]:
    """Samples of all texts given. A folder is a corpus; what is not in one is of `language`."""
    files: list[TextFile] = []
    for place in given:
        fs, inner = storage.filesystem(place)
        found = corpus_files(place) if fs.isdir(inner) else text_files([place])
        files += [TextFile(f.path, language, f.digest) if language and f.language == "und" else f for f in found]
    return sample_files(files, sample) if files else []


def check_limits(limits: Mapping[str, float], measured: Sequence[str]) -> None:
    """Refuse a limit for a language that is not measured. Raises ConfigurationError."""
    for code in limits:
        if code not in measured:
            known = code in load_languages()
            near = get_close_matches(code, measured, n=1, cutoff=0.5 if known else 0.0)
            cause = "there is no text of it" if known else "no such language"
            hint = f"; did you mean `{near[0]}`?" if near and not known else ""
            raise ConfigurationError(f"limit for `{code}`: {cause}{hint}; measured are {', '.join(sorted(measured))}")


def check_failures(report: Report, limits: Mapping[str, float]) -> None:
    """Raise OpenRootsError that names every language and tokenizer above its limit."""
    lines = [
        f"{row.name} ({row.language}) with {row.tokenizer}: {row.figure:.3f} tokens a {row.unit}, "
        f"the limit is {limits[row.language]:g}"
        for row in report.failures(limits)
    ]
    if lines:
        raise OpenRootsError("\n".join(["above the limit:", *lines]) if len(lines) > 1 else lines[0])
