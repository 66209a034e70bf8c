"""Any byte-level BPE tokenizer of Hugging Face's `tokenizer.json`, encoding whole columns at once.

`fastokens` encodes, several times as fast as `tokenizers`, wherever `tokenizer.verify` finds the same ids; elsewhere
`tokenizers` does, and the log says so.
"""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import fastokens
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers
import xxhash

from configs.errors import InputError
from pipeline.runtime import storage
from pipeline.text.columns import text_buffers

Backend = Literal["fastokens", "tokenizers"]
IDS = pa.large_list(pa.field("item", pa.uint32(), nullable=False))
"""Ids of each text: one flat buffer of uint32 and int64 offsets, which are the borders of the texts."""
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
"""Files of a tokenizer's folder; all but the first may be missing."""
TEMPLATE, MORE_TEMPLATES = "chat_template.jinja", "additional_chat_templates"
"""Chat templates that travel along as they are: a file, and a folder of further `*.jinja`, as transformers has them."""
LOSSLESS_NORMALIZERS = ("NFC",)
"""Text is in form C already."""
SPACE_NORMALIZERS = ("Prepend", "Replace")
"""How SentencePiece's models spell spaces, which decoding undoes."""
VERDICT = "encoder.json"
"""Beside them: who encodes, and of which tokenizer and versions that was found."""
_TRIAL = "One,  two\tthree; a_b (4) 56.\n\n Ünï 日本 x"
_FOR_BATCHES = re.compile(r'"(?:truncation|padding|dropout)"\s*:\s*(?!\s|null\b)')
_REMEDY = "Give a byte-level BPE tokenizer.json, or the folder that holds one"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer read from a file; made by `load`.

    text           the content of `tokenizer.json`
    configuration  that of `tokenizer_config.json`, empty where there is none
    backend        who encodes
    templates      chat templates, by their path in the folder
    """

    text: str
    configuration: dict[str, Any]
    backend: Backend
    templates: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str, backend: Backend | None = None) -> "Tokenizer":
        """Read a `tokenizer.json`, or the folder that holds one; any fsspec path.

        Without `backend`, `fastokens` encodes if it passes the check against `tokenizers` (a second or two; where the
        folder holds the outcome of a check with these very versions, that counts). Raises InputError.
        """
        file = path if path.endswith(".json") else storage.join(path, FILES[0])
        folder = file.rpartition("/")[0] or "."
        text = _read(file)
        backend = backend or remembered_backend(folder, text)
        configuration = _read_configuration(storage.join(folder, FILES[1]))
        roles = _read_configuration(storage.join(folder, FILES[2]))  # older folders say them there alone
        configuration |= {name: value for name, value in roles.items() if not configuration.get(name)}
        checked = cls(text, configuration, backend or "tokenizers", _read_templates(folder))
        _check(checked, file)
        if backend is None:
            from tokenizer.verify import differing_text

            difference = differing_text(for_documents(text))
            if difference is None:
                return replace(checked, backend="fastokens")
            _log.warning("%s: fastokens differs on %s; tokenizers encodes, more slowly", file, difference)
        return checked

    @classmethod
    def reopen(cls, folder: str, backend: Backend) -> "Tokenizer":
        """Read what `save` has written, without any check: seconds less for each process that encodes with it."""
        return cls(_read(storage.join(folder, FILES[0])), {}, backend)

    @property
    def digest(self) -> str:
        """xxh3-128 of `tokenizer.json`, 32 hex digits."""
        return xxhash.xxh3_128_hexdigest(self.text.encode())

    @cached_property
    def library(self) -> tokenizers.Tokenizer:
        """The same as an object of `tokenizers`, without what `for_documents` takes out."""
        return tokenizers.Tokenizer.from_str(for_documents(self.text))

    @cached_property
    def _fast(self) -> fastokens.Tokenizer:
        return fastokens.Tokenizer.from_json_str(for_documents(self.text))

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, special tokens included; the highest id is smaller."""
        return max(self.library.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def special_tokens(self) -> dict[str, int]:
        """Special tokens by their text."""
        added = self.library.get_added_tokens_decoder()
        return {token.content: number for number, token in added.items() if token.special}

    def role(self, name: str) -> int | None:
        """Id of the token with a role, such as `eos_token`; None where the tokenizer has none."""
        token = self.configuration.get(name)
        if isinstance(token, dict):
            token = token.get("content")
        return self.library.token_to_id(token) if isinstance(token, str) else None

    @property
    def eos_id(self) -> int | None:
        """Id of the token that ends a document."""
        found = self.role("eos_token")
        return (
            next((self.special_tokens[t] for t in ("</s>", "<|endoftext|>") if t in self.special_tokens), None)
            if found is None
            else found
        )

    @property
    def pad_id(self) -> int | None:
        """Id of the padding token."""
        return self.role("pad_token")

    def encode_batch(self, texts: Sequence[str] | pa.Array, *, special_tokens: bool = False) -> pa.LargeListArray:
        """Ids of each text, as an Arrow array of type `IDS`; nulls have none.

        Special tokens in the texts are ordinary text, unless `special_tokens` is set. No begin or end is added.
        """
        strings = pc.fill_null(texts, "").to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else list(texts)
        if self.backend == "fastokens":
            flat, borders = self._fast.encode_batch_flat(
                strings, add_special_tokens=False, split_special_tokens=not special_tokens
            )
            return as_lists(np.frombuffer(flat, np.uint32), np.frombuffer(borders, np.int64))
        return library_ids(self.library, strings, special_tokens)

    def decode(self, ids: Sequence[int] | np.ndarray, *, skip_special_tokens: bool = False) -> str:
        """Text of ids. Bytes that are no valid UTF-8 become U+FFFD."""
        return str(self.library.decode([int(number) for number in ids], skip_special_tokens=skip_special_tokens))

    def save(self, folder: str) -> None:
        """Write `tokenizer.json` as it was read, the configuration and who encodes. Raises OutputError."""
        with storage.create(storage.join(folder, FILES[0])) as stream:
            stream.write(self.text.encode())
        if self.configuration:
            storage.write_json(storage.join(folder, FILES[1]), self.configuration)
            roles = {name: value for name, value in self.configuration.items() if name.endswith("_token")}
            storage.write_json(storage.join(folder, FILES[2]), {k: v for k, v in roles.items() if v is not None})
        for name, content in self.templates.items():
            with storage.create(storage.join(folder, name)) as stream:
                stream.write(content)
        self.remember_backend(folder)

    def remember_backend(self, folder: str) -> None:
        """Write who encodes into the folder of this tokenizer, so that it is not checked again. Raises OutputError."""
        storage.write_json(storage.join(folder, VERDICT), _evidence(self.text, self.backend))


def for_documents(text: str) -> str:
    """A `tokenizer.json` as documents need it: no truncation, no padding, and no merges left out at random.

    Files on the Hub often hold those of the batches that a model was last used with: documents would lose their ends,
    or be filled up to the length of the longest.
    """
    if not _FOR_BATCHES.search(text):
        return text
    try:
        data = json.loads(text)
    except ValueError:
        return text  # opening it will say what is wrong
    if isinstance(data, dict):
        data |= {"truncation": None, "padding": None}
        if isinstance(data.get("model"), dict) and "dropout" in data["model"]:
            data["model"]["dropout"] = None
    return json.dumps(data, ensure_ascii=False)


def library_ids(library: tokenizers.Tokenizer, strings: Sequence[str], special_tokens: bool) -> pa.LargeListArray:
    """Ids by `tokenizers`, in the form of `Tokenizer.encode_batch`."""
    library.encode_special_tokens = not special_tokens
    encoded = [e.ids for e in library.encode_batch_fast(list(strings), add_special_tokens=False)]
    borders = np.concatenate([[0], np.cumsum([len(ids) for ids in encoded], dtype=np.int64)]).astype(np.int64)
    flat = np.fromiter((number for ids in encoded for number in ids), np.uint32, int(borders[-1]))
    return as_lists(flat, borders)


def as_lists(flat: np.ndarray, borders: np.ndarray) -> pa.LargeListArray:
    """An array of type `IDS` over flat uint32 ids and int64 borders of shape (texts + 1,): nothing is copied."""
    lists = pa.LargeListArray.from_arrays(pa.array(borders, pa.int64()), pa.array(flat, pa.uint32()))
    return lists.cast(IDS) if lists.type != IDS else lists


def text_bytes(texts: pa.Array) -> int:
    """UTF-8 bytes of a column of texts."""
    starts, _ = text_buffers(texts)
    return int(starts[-1] - starts[0])


def known_backend(folder: str, path: str) -> Backend | None:
    """Who encodes with the tokenizer at `path` by a check that `folder` remembers; None where there was none."""
    file = path if path.endswith(".json") else storage.join(path, FILES[0])
    return remembered_backend(folder, _read(file)) if storage.exists(storage.join(folder, VERDICT)) else None


def remembered_backend(folder: str, text: str) -> Backend | None:
    """Who encodes by a check of this very `tokenizer.json` and these versions; None: it must be checked."""
    try:
        seen = storage.read_json(storage.join(folder, VERDICT))
        backend: Backend = seen["backend"]
        return backend if seen == _evidence(text, backend) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _evidence(text: str, backend: Backend) -> dict[str, str]:
    versions = {name: version(name) for name in ("fastokens", "tokenizers")}
    return {"backend": backend, "tokenizer": xxhash.xxh3_128_hexdigest(text.encode()), **versions}


def _read(file: str) -> str:
    fs, inner = storage.filesystem(file)
    try:
        return str(fs.cat_file(inner).decode())
    except FileNotFoundError:
        raise InputError(file, "no such file", _REMEDY) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"cannot be read ({error})", _REMEDY) from error


def _check(tokenizer: Tokenizer, file: str) -> None:
    """Refuse what is no byte-level BPE: other models normalise text or lose some of it."""
    try:
        library = tokenizer.library
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(file, f"is not a tokenizer.json ({str(error)[:200]})", _REMEDY) from error
    if not is_byte_level(library):
        raise InputError(file, f"holds a {type(library.model).__name__} model that is not byte-level", _REMEDY)
    lost = losses(library)
    if lost:
        raise InputError(file, f"would lose text: {lost}", "Give a tokenizer that gives text back as it was")


def losses(library: tokenizers.Tokenizer) -> str:
    """Why a byte-level BPE cannot give every text back as it was; empty where it can."""
    from tokenizer.merges import byte_characters

    model = library.model
    missing = [byte for byte, character in enumerate(byte_characters()) if model.token_to_id(character) is None]
    parts = []
    if missing:
        shown = ", ".join(f"{byte:02X}" for byte in missing[:5]) + (", …" if len(missing) > 5 else "")
        parts.append(f"its vocabulary lacks {len(missing)} of the 256 bytes ({shown})")
    normalizer = library.normalizer and json.loads(library.normalizer.__getstate__())
    changed = changes(normalizer, LOSSLESS_NORMALIZERS)
    parts += [changed] if changed else []
    for token in library.get_added_tokens_decoder().values():
        if not token.special and (token.lstrip or token.rstrip):
            parts.append(f"its added token `{token.content[:40]}` takes the spaces beside it")
            break
    if not parts and (back := _given_back(library, _TRIAL)).removeprefix(" ") != _TRIAL:
        parts.append(f"it gives back {back[:60]!a} for {_TRIAL!a}")
    return "; ".join(parts)


def _given_back(library: tokenizers.Tokenizer, text: str) -> str:
    """A text encoded and decoded; special tokens in it are ordinary text."""
    library.encode_special_tokens = True
    return str(library.decode(library.encode(text, add_special_tokens=False).ids, skip_special_tokens=False))


def changes(
    normalizer: dict[str, Any] | None, lossless: Sequence[str] = (*LOSSLESS_NORMALIZERS, *SPACE_NORMALIZERS)
) -> str:
    """Why a normalizer, as `tokenizer.json` has it, does not leave text as it is; empty where it does."""
    names = [name for name in normalizers(normalizer) if name not in lossless]
    return f"its normalizer ({', '.join(names)}) changes text" if names else ""


def normalizers(value: dict[str, Any] | None) -> list[str]:
    """Kinds of a normalizer as `tokenizer.json` has it, those of a sequence one by one."""
    if not value:
        return []
    if value.get("type") == "Sequence":
        return [name for part in value.get("normalizers", ()) for name in normalizers(part)]
    return [str(value.get("type"))]


def is_byte_level(library: tokenizers.Tokenizer) -> bool:
    """Whether it is a byte-level BPE, whose tokens are bytes of the text."""
    parts = f"{library.pre_tokenizer!r} {library.decoder!r}"
    return isinstance(library.model, tokenizers.models.BPE) and "ByteLevel" in parts


def _read_templates(folder: str) -> dict[str, bytes]:
    fs, inner = storage.filesystem(folder)
    more = storage.join(inner, MORE_TEMPLATES)
    names = [TEMPLATE] if fs.exists(storage.join(inner, TEMPLATE)) else []
    if fs.isdir(more):
        found = sorted(path.rsplit("/", 1)[-1] for path in fs.ls(more, detail=False))
        names += [f"{MORE_TEMPLATES}/{name}" for name in found if name.endswith(".jinja")]
    try:
        return {name: bytes(fs.cat_file(storage.join(inner, name))) for name in names}
    except OSError as error:
        raise InputError(folder, f"a chat template cannot be read ({error})", "Repair or remove it") from error


def _read_configuration(file: str) -> dict[str, Any]:
    fs, inner = storage.filesystem(file)
    if not fs.exists(inner):
        return {}
    try:
        value = json.loads(fs.cat_file(inner))
    except (OSError, ValueError) as error:
        raise InputError(file, f"is not JSON ({error})", "Repair or remove it") from error
    return value if isinstance(value, dict) else {}
