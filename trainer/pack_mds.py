"""Packed text as shards of MosaicML Streaming: a sample a sequence of L tokens, int32, none in two samples.

    OUTPUT/mds/LANGUAGE/PART/shard.00000.mds, …, index.json

Written here, because OpenRoots and the package `mosaicml-streaming` cannot share an environment: that wants older
versions of NumPy, transformers and xxhash. The bytes are those of its `MDSWriter` (`make test-clients` compares them):
a shard is the number of samples, where each begins and the last ends (uint32), the columns as JSON, and the samples.
What is less than a sequence at a language's end is left out.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.runtime import storage
from trainer.pack_blocks import pieces

SHARD_BYTES = 64 << 20
INDEX = "index.json"
_OURS = re.compile(r"shard\.\d{5,}\.mds")


def write_mds(folder: str, blocks: Iterator[np.ndarray], length: int, shard_bytes: int = SHARD_BYTES) -> dict[str, Any]:
    """Write ids as samples of `length` into a folder; returns its files with length and digest.

    blocks       one-dimensional arrays of ids, one after the other
    shard_bytes  a shard is no larger, unless one sample is
    A folder without `index.json` is not whole: it is removed first and written last. Less than a sample: no files.
    Raises OutputError.
    """
    old = [name for name in storage.list_files(folder) if _OURS.fullmatch(name)]
    storage.remove(folder, [INDEX])
    columns = {
        "column_encodings": [f"ndarray:int32:{length}"],
        "column_names": ["tokens"],
        "column_sizes": [4 * length],
        "compression": None,
        "format": "mds",
        "hashes": ["xxh128"],
        "size_limit": shard_bytes,
        "version": 2,
    }
    head = json.dumps(columns, sort_keys=True).encode()
    samples = max(1, (shard_bytes - 8 - len(head)) // (4 * length + 4))
    shards, files = [], {}
    for number, piece in enumerate(pieces(blocks, samples * length)):
        count = len(piece) // length
        if not count:
            break
        name = f"shard.{number:05d}.mds"
        with storage.create(storage.join(folder, name)) as stream:
            begin = 4 + 4 * (count + 1) + len(head)
            stream.write(np.append(count, begin + 4 * length * np.arange(count + 1)).astype("<u4").data)
            stream.write(head)
            stream.write(piece[: count * length].astype("<i4").data)
        data = {"basename": name, "bytes": stream.size, "hashes": {"xxh128": stream.digest}}
        shards.append({**columns, "raw_data": data, "samples": count, "zip_data": None})
        files[name] = {"bytes": stream.size, "xxh3": stream.digest}
    if shards:
        with storage.create(storage.join(folder, INDEX)) as stream:
            stream.write(json.dumps({"shards": shards, "version": 2}, sort_keys=True).encode())
        files[INDEX] = {"bytes": stream.size, "xxh3": stream.digest}
    storage.remove(folder, [name for name in old if name not in files])
    return files
