"""A tokenizer in the files of other programs, where it is proven to give the same ids there; else a clear refusal.

`tiktoken` keeps no merges: it joins the pair whose bytes are the entry of lowest rank. That is the same as our merges
where ids follow the order of merges and every entry, encoded alone, is itself. For then, whenever a pair spells an
entry t, nothing has been joined across its borders, so that what stands there is what t alone comes to just before its
last merge. Both are checked for every entry, and so are the ids of trial texts.

llama.cpp (`gguf`) keeps vocabulary and merges as they are, and so does SentencePiece its own file: trial texts are
compared.
"""

import base64
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import ConfigurationError, OpenRootsError
from configs.extras import need
from pipeline.runtime import storage
from tokenizer.foreign import open_encoder
from tokenizer.load import Tokenizer
from tokenizer.merges import byte_characters
from tokenizer.parallel_text import parallel_texts
from tokenizer.pretokenize import BLOOM_PATTERN, BLOOM_PATTERNS, GPT2_PATTERN, GPT4_PATTERN
from tokenizer.verify import trial_texts

FORMATS = ("tiktoken", "sentencepiece", "gguf")
_PROGRAMS = {"tiktoken": "tiktoken", "sentencepiece": "SentencePiece", "gguf": "llama.cpp"}

_CLASS = BLOOM_PATTERN.removeprefix(" ?[^").removesuffix("]+")
TIKTOKEN_PATTERNS = {
    **dict.fromkeys(BLOOM_PATTERNS, f" ?[^{_CLASS}]+|[{_CLASS}]+(?= [^{_CLASS}])|[{_CLASS}]+"),
    GPT2_PATTERN: GPT2_PATTERN,
    GPT4_PATTERN: GPT4_PATTERN,
}
"""Our pattern → the same for `tiktoken`, which drops what a pattern does not match: gaps are matched as well."""

README = """# A tokenizer for tiktoken

```python
import json

import tiktoken
from tiktoken.load import load_tiktoken_bpe

about = json.load(open("tiktoken.json"))
encoding = tiktoken.Encoding(
    about["name"],
    pat_str=about["pat_str"],
    mergeable_ranks=load_tiktoken_bpe("vocabulary.tiktoken"),
    special_tokens=about["special_tokens"],
)
print(encoding.encode_ordinary("Habari ya dunia"))
```

It gives the ids of the tokenizer that it was made from (`tokenizer_digest` in `tiktoken.json`). Reserved entries, which
no text yields, are left out: a model's vocabulary is `vocabulary_size`.
"""


def export_tokenizer(tokenizer: str, output: str, form: str) -> dict[str, Any]:
    """Write a tokenizer (a folder, or a tokenizer.json) into the folder `output` in another program's form.

    Returns what was proven: numbers of entries and of trial texts. Raises InputError where there is no tokenizer,
    ConfigurationError where the other program cannot give the same ids, and why.
    """
    write = {"tiktoken": _tiktoken, "sentencepiece": _sentencepiece, "gguf": _gguf}[form]
    files, proven = write(tokenizer)
    for name, data in files.items():
        with storage.create(storage.join(output, name)) as stream:
            stream.write(data)
    return proven


def _tiktoken(tokenizer: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    loaded = Tokenizer.load(tokenizer, "tokenizers")
    ranks, pattern = ranks_of(loaded)
    about = {
        "name": f"openroots-{loaded.digest[:8]}",
        "pat_str": pattern,
        "special_tokens": dict(sorted(loaded.special_tokens.items(), key=lambda item: item[1])),
        "tokenizer_digest": loaded.digest,
        "vocabulary_size": loaded.vocabulary_size,
    }
    texts = _equal(loaded, ranks, about)
    files = {
        "vocabulary.tiktoken": b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()),
        "tiktoken.json": (json.dumps(about, ensure_ascii=True, indent=1) + "\n").encode(),
        "README.md": README.encode(),
    }
    return files, {"entries": len(ranks), "texts": texts}


def ranks_of(tokenizer: Tokenizer) -> tuple[dict[bytes, int], str]:
    """(bytes → id of all entries that text yields, pattern for tiktoken). Raises ConfigurationError: see the module."""
    content = json.loads(tokenizer.text)
    pattern = TIKTOKEN_PATTERNS.get(known_pattern(tokenizer, "tiktoken"))
    if pattern is None:
        raise _cannot("its pre-tokenizer is none of bloom, gpt2 and gpt4")
    model = content["model"]
    byte_of = {character: byte for byte, character in enumerate(byte_characters())}
    vocabulary: dict[str, int] = model["vocab"]
    made = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    ids = [vocabulary["".join(pair)] for pair in made]
    if any(second <= first for first, second in itertools.pairwise(ids)):
        raise _cannot("its ids do not follow the order of its merges")
    names = [*byte_of, *("".join(pair) for pair in made)]
    if missing := [name for name in byte_of if name not in vocabulary]:
        raise _cannot(f"{len(missing)} bytes have no entry of their own")
    ranks = {bytes(byte_of[character] for character in name): vocabulary[name] for name in names}
    if len(made) and max(vocabulary[name] for name in byte_of) > ids[0]:
        raise _cannot("its ids do not follow the order of its merges")
    _check_entries(content, vocabulary, names)
    return dict(sorted(ranks.items(), key=lambda item: item[1])), pattern


def known_pattern(tokenizer: Tokenizer, form: str) -> str:
    """The expression by which a byte-level BPE tokenizer splits text. Raises ConfigurationError where it is none."""
    content = json.loads(tokenizer.text)
    model = content["model"]
    if model.get("type") != "BPE" or model.get("ignore_merges") or content.get("normalizer"):
        raise _cannot("it is not byte-level BPE without a normalizer", form)
    steps = content.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex") and not steps[0].get("add_prefix_space"):
        return GPT2_PATTERN
    plain = kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex") and not steps[1].get("add_prefix_space")
    isolated = plain and steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
    expression = steps[0].get("pattern", {}).get("Regex") if isolated else None
    if expression is None:
        raise _cannot("its pre-tokenizer does not isolate what one expression matches", form)
    return str(expression)


def _check_entries(content: dict[str, Any], vocabulary: dict[str, int], names: list[str]) -> None:
    """Make sure that every entry, encoded alone by the merges, is itself. Raises ConfigurationError."""
    from tokenizers import Tokenizer as Library

    bare = {**content, "pre_tokenizer": None, "post_processor": None, "added_tokens": [], "decoder": None}
    library = Library.from_str(json.dumps(bare))
    for begin in range(0, len(names), 10_000):
        part = names[begin : begin + 10_000]
        for name, encoding in zip(part, library.encode_batch_fast(part, add_special_tokens=False), strict=True):
            if encoding.ids != [vocabulary[name]]:
                raise _cannot(f"its entry {vocabulary[name]} is not reached by its merges alone")


def _equal(tokenizer: Tokenizer, ranks: dict[bytes, int], about: dict[str, Any]) -> int:
    """Number of trial texts on which tiktoken gives the same ids. Raises ConfigurationError where one differs."""
    need("tiktoken", "tiktoken")
    import tiktoken

    other = tiktoken.Encoding(
        about["name"], pat_str=about["pat_str"], mergeable_ranks=ranks, special_tokens=about["special_tokens"]
    )
    count = 0
    for text in _trials():
        expected = tokenizer.encode_batch(pa.array([text], pa.large_string()))[0].as_py()
        if not np.array_equal(expected, other.encode_ordinary(text)):
            raise _cannot(f"the text {text[:60]!a} gets other ids")
        count += 1
    return count


def _trials() -> Iterator[str]:
    """Parallel text in every language that we have it in, and texts that are hard to cut."""
    for parallel in parallel_texts().values():
        yield from parallel.texts
    yield from trial_texts()


def _sentencepiece(tokenizer: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """A tokenizer trained as SentencePiece has its file already; no other can become one."""
    folder = tokenizer.removesuffix("/tokenizer.json")
    path = storage.join(folder, "tokenizer.model")
    if not storage.exists(path):
        Tokenizer.load(tokenizer, "tokenizers")
        raise ConfigurationError(
            f"{tokenizer} cannot be a SentencePiece model: those cut text at spaces and join characters, byte-level "
            "BPE cuts it by a pattern and joins bytes; train one with `train-tokenizer --model sentencepiece-bpe`"
        )
    names = ("tokenizer.json", "tokenizer.model")
    entries = [open_encoder(storage.join(folder, name)).size for name in names]
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer as Library

    fs, inner = storage.filesystem(folder)
    text, data = (fs.cat_file(storage.join(inner, name)) for name in names)
    library, texts = Library.from_str(text.decode()), [*_trials()]
    library.encode_special_tokens = True
    ours = library.encode_batch_fast(texts, add_special_tokens=False)
    for number, theirs in enumerate(SentencePieceProcessor(model_proto=data).encode(texts)):
        if ours[number].ids != theirs:
            raise _cannot(f"the text {texts[number][:60]!a} gets other ids", "sentencepiece")
    return {"tokenizer.model": data}, {"entries": entries[-1], "texts": len(texts)}


def _gguf(tokenizer: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The vocabulary as a GGUF file of its own, as llama.cpp's `models/ggml-vocab-*.gguf` are."""
    loaded = Tokenizer.load(tokenizer, "tokenizers")
    need("gguf", "gguf")
    from tokenizer.gguf_vocabulary import prove, write_vocabulary

    pattern = known_pattern(loaded, "gguf")
    texts = prove(loaded, pattern, _trials())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.gguf"
        write_vocabulary(path, loaded, pattern)
        return {path.name: path.read_bytes()}, {"entries": loaded.vocabulary_size, "texts": texts}


def _cannot(why: str, form: str = "tiktoken") -> OpenRootsError:
    return ConfigurationError(f"the tokenizer cannot be exported for {_PROGRAMS[form]} with the same ids: {why}")
