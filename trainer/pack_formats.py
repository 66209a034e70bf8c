"""Packed text in the files of other trainers, made from ours (`trainer.pack`), document for document.

    OUTPUT/raw/LANGUAGE/PART.bin             ids end to end, no header: uint16 where all fit, else uint32
    OUTPUT/megatron/LANGUAGE/PART.bin, .idx  Megatron-LM's indexed data: a sequence a document, eos at its end
    OUTPUT/mds, OUTPUT/litdata               see `trainer.pack_mds`, `trainer.pack_litdata`
    OUTPUT/FORMAT/manifest.json              type of numbers, eos, the tokenizer's digest, files with theirs
Files are written block by block, whole or not at all.
"""

import struct
from typing import Any, Literal, get_args

import numpy as np

from pipeline.runtime import storage
from trainer.order import PARTS
from trainer.pack_blocks import read_blocks
from trainer.pack_litdata import write_litdata
from trainer.pack_mds import write_mds

Format = Literal["npy", "megatron", "raw", "mds", "litdata"]
FORMATS: tuple[Format, ...] = get_args(Format)
_MAGIC = b"MMIDIDX\x00\x00"
_MEGATRON_CODES = {"<u2": 8, "<i4": 4}
"""Numbers of types in Megatron-LM's index (`megatron/core/datasets/indexed_dataset.py`, `DType`)."""
_MEGATRON_UINT16_MAX = 65_500
"""Vocabularies smaller than this are uint16 there (`DType.optimal_dtype`), larger ones int32."""


def convert(output: str, manifest: dict[str, Any], form: Format) -> dict[str, Any]:
    """Write the packed text in `output`, whose manifest is given, in another form as well; returns its manifest.

    Raises InputError where a file cannot be read, OutputError where one cannot be written, ConfigurationError where
    litdata is not installed.
    """
    if form in ("mds", "litdata"):
        dtype, files = "<i4", _mds(output, manifest) if form == "mds" else write_litdata(output, manifest)
    else:
        dtype, files = _convert(output, manifest, form)
    about = {
        "format": form,
        "dtype": np.dtype(dtype).name,
        "eos_id": manifest["eos_id"],
        "sequence_length": manifest["sequence_length"],
        "vocabulary_size": manifest["vocabulary_size"],
        "tokenizer_digest": manifest["tokenizer"]["digest"],
        "packed_digest": manifest["digest"],
        "files": files,
    }
    storage.write_json(storage.join(output, form, "manifest.json"), about)
    return about


def _mds(output: str, manifest: dict[str, Any]) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for language in manifest["languages"]:
        for part in PARTS:
            source = read_blocks(storage.join(output, "data", language, f"{part}-tokens.npy"))
            folder = storage.join(output, "mds", language, part)
            written = write_mds(folder, source, manifest["sequence_length"])
            files |= {f"{language}/{part}/{name}": about for name, about in written.items()}
    return files


def _convert(output: str, manifest: dict[str, Any], form: Format) -> tuple[str, dict[str, Any]]:
    """Write the forms that are ours to write; the type of numbers, and the files with length and digest."""
    size = manifest["vocabulary_size"]
    most, wide = (1 << 16, "<u4") if form == "raw" else (_MEGATRON_UINT16_MAX - 1, "<i4")
    dtype = "<u2" if size <= most else wide
    files = {}
    for language in manifest["languages"]:
        for part in PARTS:
            source = storage.join(output, "data", language, part)
            name = f"{language}/{part}.bin"
            with storage.create(storage.join(output, form, name)) as stream:
                for block in read_blocks(f"{source}-tokens.npy"):
                    stream.write(block.astype(dtype).data)
            files[name] = {"bytes": stream.size, "xxh3": stream.digest}
            if form == "megatron":
                name = f"{language}/{part}.idx"
                starts = np.concatenate([*read_blocks(f"{source}-starts.npy"), np.zeros(0, np.int64)]).astype(np.int64)
                tokens = manifest["languages"][language][part]["tokens"]
                with storage.create(storage.join(output, form, name)) as stream:
                    _write_index(stream, starts, tokens, dtype)
                files[name] = {"bytes": stream.size, "xxh3": stream.digest}
    return dtype, files


def _write_index(stream: storage.DigestingStream, starts: np.ndarray, tokens: int, dtype: str) -> None:
    """Megatron-LM's index of documents that begin at `starts` (int64) of `tokens` ids."""
    lengths = np.diff(np.append(starts, tokens)).astype("<i4")
    stream.write(_MAGIC + struct.pack("<QBQQ", 1, _MEGATRON_CODES[dtype], len(starts), len(starts) + 1))
    stream.write(lengths.data)
    stream.write((starts * np.dtype(dtype).itemsize).astype("<i8").data)
    stream.write(np.arange(len(starts) + 1, dtype="<i8").data)
