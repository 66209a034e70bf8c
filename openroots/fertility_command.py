"""The work behind `openroots fertility` and `openroots.fertility`, and the fertility table of a tokenizer's card."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from configs.errors import ConfigurationError, InputError, OpenRootsError
from configs.load import check_language, load_languages
from openroots.tokenizer_command import text_files
from pipeline.runtime import storage
from tokenizer.count_phase import corpus_files
from tokenizer.fertility import Report, measure_all
from tokenizer.foreign import TIKTOKEN_PATTERN, open_encoders
from tokenizer.parallel_text import own_parallel, parallel_texts
from tokenizer.samples import SAMPLE_BYTES, LanguageText, sample_files
from tokenizer.settings import Documents
from tokenizer.texts import Skipped, TextFile, read_numbered

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*")
FAST_FROM = 20_000_000
"""Bytes of text from which `fastokens` is worth its check."""


def fertility(
    tokenizers: Sequence[str],
    *,
    text: Sequence[str] = (),
    parallel: Sequence[str] = (),
    language: str | None = None,
    documents: Documents = "line",
    sample: int = SAMPLE_BYTES,
    tiktoken_pattern: str = TIKTOKEN_PATTERN,
    limits: Mapping[str, float] | None = None,
) -> Report:
    """Measure tokenizers by language: tokens per word, premium over English, and more.

    tokenizers  `PLACE` or `NAME=PLACE`: a folder, a `tokenizer.json`, a `.tiktoken` file, a SentencePiece `.model`,
                `gpt2`, or a name on the Hugging Face Hub
    text        a built corpus, or files: Arrow, Parquet or JSON lines with a column `text`, or UTF-8; patterns too.
                `LANGUAGE=FILE` says of which language a file is. Without it all measures are taken on parallel text
    parallel    `LANGUAGE=FILE`, English among them: files that say the same line by line (row by row), for the premium;
                without them it is that of the parallel text that comes with OpenRoots
    language    of files that name none, BCP-47
    documents   of plain text: a line a document, or the file
    sample      bytes taken of each language
    limits      languages that must be among those measured, see `Report.failures`

    Raises OpenRootsError.
    """
    compared = own_parallel(_parallel(parallel)) if parallel else parallel_texts()
    texts = _texts(text, language, sample, documents)
    if not texts:
        texts = [LanguageText(code, found.origin, found.texts) for code, found in sorted(compared.items())]
    check_limits(limits or {}, [one.language for one in texts])
    size = sum(len(part) for one in texts for part in one.texts)
    encoders = open_encoders(tokenizers, tiktoken_pattern=tiktoken_pattern, is_fast=size > FAST_FROM)
    return measure_all(encoders, texts, compared)


def _texts(given: Sequence[str], language: str | None, sample: int, documents: Documents) -> list[LanguageText]:
    """Samples of all texts given. A folder is a corpus; a file is of the language named, or of `language`."""
    files: list[TextFile] = []
    for one in given:
        code, place = named_language(one)
        fs, inner = storage.filesystem(place)
        if fs.isdir(inner):
            files += corpus_files(place)
        else:
            files += text_files([place], code or language or "und", documents)
    return sample_files(files, sample) if files else []


def named_language(given: str) -> tuple[str | None, str]:
    """`LANGUAGE=PLACE` as both; (None, given) where it names no language. Raises ConfigurationError."""
    code, sign, place = given.partition("=")
    if not sign or not place or not LANGUAGE.fullmatch(code) or storage.exists(given):
        return None, given
    check_language(code)
    return code, place


def _parallel(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Language → number of the line or row → text."""
    found: dict[str, dict[str, str]] = {}
    for one in given:
        code, place = named_language(one)
        if code is None:
            raise ConfigurationError(f"--parallel {one}: write LANGUAGE=FILE, such as sw=sw.txt")
        if code in found:
            raise ConfigurationError(f"--parallel {code}: two files; give one for each language")
        fs, inner = storage.filesystem(place)
        if not fs.isfile(inner):
            raise InputError(place, "no such file", "Give one file for each language: LANGUAGE=FILE")
        rows = found.setdefault(code, {})
        for keys, texts in read_numbered(TextFile(place, code), Skipped()):
            rows |= {key.rpartition("#")[2]: text for key, text in zip(keys, texts.to_pylist(), strict=True)}
    return found


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
        f"{row.name} ({row.language}) with {row.tokenizer}: {row.figure:.3f} tokens per {row.unit}, "
        f"the limit is {limits[row.language]:g}"
        for row in report.failures(limits)
    ]
    if lines:
        raise OpenRootsError("\n".join(["above the limit:", *lines]) if len(lines) > 1 else lines[0])
