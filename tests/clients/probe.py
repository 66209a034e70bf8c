"""Opens a corpus in the clients of the environment that runs it: a JSON line for each, with a digest of what it read.

python probe.py CORPUS CLIENT …    needs nothing but the client
"""

import hashlib
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path


def digest(rows) -> str:
    """Of ids and texts, in the order of ids."""
    lines = sorted(json.dumps([row["id"], row["text"], row["source"]]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def datasets(corpus: str, streaming: bool = False):
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        return list(load_dataset(corpus, split="train", streaming=streaming, cache_dir=cache))


def datasets_to_json(corpus: str):
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        load_dataset(corpus, split="train", cache_dir=cache).to_json(f"{cache}/rows.jsonl")
        with open(f"{cache}/rows.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def polars(corpus: str):
    import polars

    return polars.scan_ipc(f"{corpus}/data/*/*.arrow").collect().to_dicts()


def pandas(corpus: str):
    import pandas

    return [row for path in Path(corpus).glob("data/*/*.arrow") for row in pandas.read_feather(path).to_dict("records")]


def pyarrow(corpus: str):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(f"{corpus}/data", format="ipc").to_table().to_pylist()


PROBES = {
    "datasets": ("datasets", "`load_dataset`", datasets),
    "datasets-streaming": ("datasets", "`load_dataset(streaming=True)`", lambda corpus: datasets(corpus, True)),
    "datasets-json": ("datasets", "`to_json`", datasets_to_json),
    "pandas": ("pandas", "`read_feather`", pandas),
    "polars": ("polars", "`scan_ipc`", polars),
    "pyarrow": ("pyarrow", "`pyarrow.dataset`", pyarrow),
}


def main() -> None:
    """Print what each client read, or why it could not."""
    corpus, *clients = sys.argv[1:]
    for client in clients:
        package, opened, probe = PROBES[client]
        row = {"client": package, "version": version(package), "opened": opened}
        try:
            rows = probe(corpus)
            row |= {"rows": len(rows), "digest": digest(rows)}
        except Exception as error:
            row |= {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
