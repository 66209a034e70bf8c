"""A tokenizer as the vocabulary of a GGUF file, and the proof that llama.cpp cuts and joins text as it does.

llama.cpp knows a pre-tokenizer by its name only, so a tokenizer whose pattern it does not have cannot be written. Keys
and their meaning: `docs/gguf.md` of ggml, and llama.cpp's `convert_hf_to_gguf.py`.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import ConfigurationError
from configs.extras import need
from tokenizer.load import Tokenizer
from tokenizer.pretokenize import BLOOM_PATTERNS, GPT2_PATTERN

PRE_TOKENIZERS = {**dict.fromkeys(BLOOM_PATTERNS, "bloom"), GPT2_PATTERN: "gpt-2"}
"""Our pattern → llama.cpp's name of the same."""
NO_PATTERN = "it has no pre-tokenizer with this pattern; it has those of bloom and gpt2"
_ROLES = {"bos_token": "bos", "eos_token": "eos", "pad_token": "pad", "unk_token": "unk"}
_HIDDEN = 32


def add_vocabulary(writer: Any, tokenizer: Tokenizer, pattern: str, entries: int) -> None:
    """Add a byte-level BPE tokenizer that splits by `pattern` to a `gguf.GGUFWriter`.

    `entries` is how many rows the model's embedding has; rows beyond the tokenizer's are named and never used.
    Raises ConfigurationError where llama.cpp lacks the pattern.
    """
    from gguf import TokenType

    if pattern not in PRE_TOKENIZERS:
        raise cannot(NO_PATTERN)
    content = json.loads(tokenizer.text)
    vocabulary: dict[str, int] = content["model"]["vocab"]
    merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in content["model"]["merges"]]
    special = tokenizer.special_tokens
    written = {"".join(pair) for pair in merges} | {name for name in vocabulary if len(name) == 1}
    names = [f"[PAD{number}]" for number in range(entries)]
    kinds = [TokenType.UNUSED] * entries
    for name, number in {**vocabulary, **special}.items():
        if number >= entries:
            raise cannot(f"its entry {number} is beyond the model's {entries:,} rows")
        names[number] = name
        kinds[number] = (
            TokenType.CONTROL if name in special else TokenType.NORMAL if name in written else TokenType.UNUSED
        )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZERS[pattern])
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    for role, name in _ROLES.items():
        known = tokenizer.eos_id if role == "eos_token" else tokenizer.role(role)
        if known is not None:
            getattr(writer, f"add_{name}_token_id")(known)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)


def write_vocabulary(path: Path, tokenizer: Tokenizer, pattern: str, *, with_model: bool = False) -> None:
    """Write a GGUF file of the vocabulary alone; `with_model`: and of a model of zeros, so that llama.cpp serves it."""
    from gguf import GGUFWriter

    entries = tokenizer.vocabulary_size
    writer = GGUFWriter(path, "bloom")
    writer.add_name(f"openroots-{tokenizer.digest[:8]}")
    add_architecture(writer, hidden=_HIDDEN, heads=1, layers=1, context=1 << 17, epsilon=1e-5)
    add_vocabulary(writer, tokenizer, pattern, entries)
    if with_model:
        for name, shape in _shapes(entries):
            writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_architecture(writer: Any, *, hidden: int, heads: int, layers: int, context: int, epsilon: float) -> None:
    """Add the shape of a BLOOM model to a `gguf.GGUFWriter`."""
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(4 * hidden)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_eps(epsilon)


def prove(tokenizer: Tokenizer, pattern: str, texts: Iterable[str]) -> int:
    """Number of texts to which llama.cpp gives the tokenizer's ids. Raises ConfigurationError where one differs."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_vocabulary(path, tokenizer, pattern, with_model=True)
        with served(path) as ask:
            for text in texts:
                expected = tokenizer.encode_batch(pa.array([text], pa.large_string()))[0].as_py()
                found = ask("/tokenize", {"content": text, "add_special": False, "parse_special": False})["tokens"]
                if found != expected:
                    raise cannot(f"the text {text[:60]!a} gets other ids")
                count += 1
    return count


@contextmanager
def served(path: Path) -> Iterator[Any]:
    """Serve a GGUF file by llama.cpp, on this machine's loopback; gives a function that posts JSON to a path of it."""
    need("xllamacpp", "gguf")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = 1024
    parameters.n_parallel = 1
    parameters.warmup = False
    parameters.verbosity = 0
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    server = xllamacpp.Server(parameters)

    connection = HTTPConnection(server.listening_address.removeprefix("http://"))

    def ask(where: str, question: dict[str, Any]) -> Any:
        connection.request("POST", where, json.dumps(question).encode(), {"Content-Type": "application/json"})
        return json.load(connection.getresponse())

    try:
        yield ask
    finally:
        connection.close()
        del server


def cannot(why: str) -> ConfigurationError:
    """The error that says why a tokenizer has no GGUF form."""
    return ConfigurationError(f"the tokenizer cannot be exported for llama.cpp with the same ids: {why}")


def _shapes(entries: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    norms = ("token_embd_norm", "output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    linears = {"attn_qkv": (3, 1), "attn_output": (1, 1), "ffn_up": (4, 1), "ffn_down": (1, 4)}
    yield "token_embd.weight", (entries, _HIDDEN)
    for name in norms:
        yield f"{name}.weight", (_HIDDEN,)
        yield f"{name}.bias", (_HIDDEN,)
    for name, (rows, columns) in linears.items():
        yield f"blk.0.{name}.weight", (rows * _HIDDEN, columns * _HIDDEN)
        yield f"blk.0.{name}.bias", (rows * _HIDDEN,)
