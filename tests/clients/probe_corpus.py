"""Opens corpora and packed text in the clients of the environment that runs it.

python probe_corpus.py INPUTS CLIENT …    INPUTS/corpus, corpus-parquet, corpus-jsonl.zst, packed
"""

import json
import tempfile
from functools import cache
from inspect import signature
from pathlib import Path

from probe_run import digest, inputs, run

FEW = 10
"""Languages of packed text that are opened where a client keeps dozens of files open for each."""


def place(form: str = "arrow") -> str:
    return str(Path(inputs(), "corpus" if form == "arrow" else f"corpus-{form}"))


def paths(form: str) -> list[str]:
    return sorted(map(str, Path(place(form)).glob(f"data/*/*.{form}")))


def of(rows) -> dict:
    rows = list(rows)
    return {"rows": len(rows), "digest": digest(rows)}


def datasets(form: str = "arrow", streaming: bool = False) -> dict:
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        return of(load_dataset(place(form), split="train", streaming=streaming, cache_dir=cache))


def datasets_to_json(form: str = "arrow") -> dict:
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        load_dataset(place(form), split="train", cache_dir=cache).to_json(f"{cache}/rows.jsonl")
        with open(f"{cache}/rows.jsonl", encoding="utf-8") as file:
            return of([json.loads(line) for line in file])


def polars(form: str) -> dict:
    import polars

    if form == "jsonl.zst":
        whole = (
            {"infer_schema_length": None} if "infer_schema_length" in signature(polars.read_ndjson).parameters else {}
        )
        return of(row for path in paths(form) for row in polars.read_ndjson(path, **whole).to_dicts())
    scan = {"arrow": polars.scan_ipc, "parquet": polars.scan_parquet}[form]
    return of(scan(f"{place(form)}/data/*/*.{form}").collect().to_dicts())


def polars_written() -> dict:
    """What `write_ndjson` writes of the rows."""
    import polars

    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        polars.scan_ipc(f"{place()}/data/*/*.arrow").collect().write_ndjson(file.name)
        with open(file.name, encoding="utf-8") as lines:
            return of([json.loads(line) for line in lines])


def polars_csv() -> dict:
    """What `write_csv` writes of the rows, read by Python."""
    import csv

    import polars

    csv.field_size_limit(1 << 30)
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        polars.scan_ipc(f"{place()}/data/*/*.arrow").select("id", "text", "source").collect().write_csv(file.name)
        with open(file.name, encoding="utf-8", newline="") as lines:
            return of(csv.DictReader(lines))


def pandas(form: str) -> dict:
    import pandas

    def read(path: str):
        if form == "jsonl.zst":
            return pandas.read_json(path, lines=True, dtype=False)
        return pandas.read_feather(path) if form == "arrow" else pandas.read_parquet(path)

    return of(row for path in paths(form) for row in read(path).to_dict("records"))


def pyarrow(form: str) -> dict:
    import pyarrow.dataset

    opened = pyarrow.dataset.dataset(f"{place(form)}/data", format="ipc" if form == "arrow" else form)
    return of(opened.to_table().to_pylist())


def duckdb() -> dict:
    import duckdb

    found = duckdb.sql(f"select id, text, source from '{place('parquet')}/data/*/*.parquet'")
    return of(dict(zip(found.columns, row, strict=True)) for row in found.fetchall())


def ray(form: str, written: bool = False) -> dict:
    data = _ray()
    if form == "parquet":
        opened = data.read_parquet(f"{place(form)}/data")
        return of(_written_by_ray(opened) if written else opened.take_all())
    return of(data.from_items(paths("arrow")).flat_map(_arrow_rows).take_all())


def ray_ledger(written: bool = False) -> dict:
    opened = _ray().read_parquet(str(Path(place(), "ledger")))
    rows = _written_by_ray(opened) if written else opened.take_all()
    kept = {row["id"] for row in rows if row["decision"] == "kept"}
    return {"rows": len(rows), "difference": len(kept ^ {row["id"] for row in _arrow(paths("arrow"))})}


@cache
def _ray():
    """Ray's data; it is started once, and ends with the process."""
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    return ray.data


def _written_by_ray(opened) -> list[dict]:
    """The rows of the files that its `write_json` makes."""
    with tempfile.TemporaryDirectory() as folder:
        opened.write_json(folder)
        return [json.loads(line) for path in Path(folder).rglob("*.json") for line in path.open(encoding="utf-8")]


def _arrow(found: list[str]):
    import pyarrow.feather

    return [row for path in found for row in pyarrow.feather.read_table(path).to_pylist()]


def _arrow_rows(item) -> list[dict]:
    return _arrow([item["item"]])


def mlcroissant() -> dict:
    """Records of all languages; it gives bytes where others give text."""
    import mlcroissant

    data = mlcroissant.Dataset(f"{place('parquet')}/croissant.json")
    rows = []
    for records in data.metadata.record_sets:
        if records.uuid.startswith("documents-"):
            for row in data.records(records.uuid):
                plain = {name.rpartition("/")[2]: value for name, value in row.items()}
                rows.append({name: _text(plain[name]) for name in ("id", "text", "source")})
    return of(rows)


def datatrove() -> dict:
    from datatrove.pipeline.readers import JsonlReader

    documents = JsonlReader(f"{place('jsonl.zst')}/data", compression="zstd", recursive=True)()
    return of({"id": one.id, "text": one.text, "source": one.metadata["source"]} for one in documents)


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _packed() -> dict[str, dict]:
    import numpy

    manifest = json.loads(Path(inputs(), "packed", "manifest.json").read_text())
    found = {}
    for language in manifest["languages"]:
        folder = Path(inputs(), "packed", "data", language)
        tokens, starts = (numpy.load(folder / f"train-{name}.npy") for name in ("tokens", "starts"))
        found[language] = {"tokens": tokens, "starts": starts, "length": manifest["sequence_length"]}
    return found


def _compared(pairs) -> dict:
    import numpy

    pairs = [(numpy.asarray(found), numpy.asarray(right)) for found, right in pairs]
    return {"rows": len(pairs), "difference": sum(not numpy.array_equal(found, right) for found, right in pairs)}


def raw() -> dict:
    import numpy

    about = json.loads(Path(inputs(), "packed", "raw", "manifest.json").read_text())
    return _compared(
        (numpy.memmap(Path(inputs(), "packed", "raw", language, "train.bin"), about["dtype"], "r"), one["tokens"])
        for language, one in _packed().items()
    )


def megatron() -> dict:
    import numpy
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    pairs = []
    for language, one in _packed().items():
        opened = IndexedDataset(str(Path(inputs(), "packed", "megatron", language, "train")))
        rights = numpy.split(one["tokens"], one["starts"][1:])
        assert len(opened) == len(rights)
        # Copies: what it gives is in the file that it maps, and gone with it.
        pairs += [(numpy.array(opened[number]), right) for number, right in enumerate(rights)]
    return _compared(pairs)


def mds() -> dict:
    from streaming import StreamingDataset

    pairs = []
    for language, one in [*_packed().items()][:FEW]:
        folder = Path(inputs(), "packed", "mds", language, "train")
        length = one["length"]
        if folder.exists():
            opened = StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
            assert len(opened) == len(one["tokens"]) // length
            pairs += [(opened[n]["tokens"], one["tokens"][n * length : (n + 1) * length]) for n in range(len(opened))]
    return _compared(pairs)


def mds_written() -> dict:
    """Files that its own writer makes of the same ids, beside ours."""
    from streaming import MDSWriter

    pairs = []
    for language, one in _packed().items():
        ours, length = Path(inputs(), "packed", "mds", language, "train"), one["length"]
        count = len(one["tokens"]) // length
        if not count:
            assert not ours.exists()
            continue
        columns = {"tokens": f"ndarray:int32:{length}"}
        with tempfile.TemporaryDirectory() as theirs:
            with MDSWriter(out=theirs, columns=columns, hashes=["xxh128"], exist_ok=True) as writer:
                for sample in one["tokens"][: count * length].astype("int32").reshape(-1, length):
                    writer.write({"tokens": sample})
            names = {path.name for folder in (ours, Path(theirs)) for path in folder.iterdir()}
            pairs += [([*Path(theirs, name).read_bytes()], [*(ours / name).read_bytes()]) for name in sorted(names)]
    return _compared(pairs)


def litdata() -> dict:
    from litdata import StreamingDataset, TokensLoader

    pairs = []
    for language, one in [*_packed().items()][:FEW]:
        folder = Path(inputs(), "packed", "litdata", language, "train")
        block = one["length"] + 1
        if folder.exists():
            opened = StreamingDataset(str(folder), item_loader=TokensLoader(block), shuffle=False)
            assert len(opened) == len(one["tokens"]) // block
            pairs += [(opened[n], one["tokens"][n * block : (n + 1) * block]) for n in range(len(opened))]
    return _compared(pairs)


PROBES = {
    "datasets": ("datasets", "`load_dataset`", datasets),
    "datasets-streaming": ("datasets", "`load_dataset(streaming=True)`", lambda: datasets(streaming=True)),
    "datasets-json": ("datasets", "`to_json`", datasets_to_json),
    "datasets-parquet": ("datasets", "`load_dataset`, Parquet", lambda: datasets("parquet")),
    "datasets-parquet-streaming": (
        "datasets",
        "`load_dataset(streaming=True)`, Parquet",
        lambda: datasets("parquet", streaming=True),
    ),
    "datasets-parquet-json": ("datasets", "`to_json`, Parquet", lambda: datasets_to_json("parquet")),
    "pandas": ("pandas", "`read_feather`", lambda: pandas("arrow")),
    "pandas-parquet": ("pandas", "`read_parquet`", lambda: pandas("parquet")),
    "pandas-dolma": ("pandas", "`read_json(lines=True)`", lambda: pandas("jsonl.zst")),
    "polars": ("polars", "`scan_ipc`", lambda: polars("arrow")),
    "polars-written": ("polars", "`scan_ipc`, `write_ndjson`", polars_written),
    "polars-csv": ("polars", "`scan_ipc`, `write_csv`", polars_csv),
    "polars-parquet": ("polars", "`scan_parquet`", lambda: polars("parquet")),
    "polars-dolma": ("polars", "`read_ndjson`", lambda: polars("jsonl.zst")),
    "pyarrow": ("pyarrow", "`pyarrow.dataset`", lambda: pyarrow("arrow")),
    "pyarrow-parquet": ("pyarrow", "`pyarrow.dataset`, Parquet", lambda: pyarrow("parquet")),
    "duckdb": ("duckdb", "`select … from '*.parquet'`", duckdb),
    "ray": ("ray", "`read_parquet`", lambda: ray("parquet")),
    "ray-arrow": ("ray", "`from_items` of Arrow files", lambda: ray("arrow")),
    "ray-ledger": ("ray", "`read_parquet` of the ledger", ray_ledger),
    "ray-json": ("ray", "`read_parquet`, `write_json`", lambda: ray("parquet", written=True)),
    "ray-ledger-json": ("ray", "`read_parquet` of the ledger, `write_json`", lambda: ray_ledger(written=True)),
    "datatrove": ("datatrove", "`JsonlReader`", datatrove),
    "mlcroissant": ("mlcroissant", "`Dataset.records`, Parquet", mlcroissant),
    "raw": ("numpy", "`memmap` of `pack --format raw`", raw),
    "megatron": ("megatron-core", "`IndexedDataset`", megatron),
    "mds": ("mosaicml-streaming", "`StreamingDataset`", mds),
    "mds-written": ("mosaicml-streaming", "`MDSWriter`: the same files", mds_written),
    "litdata": ("litdata", "`StreamingDataset`", litdata),
}

if __name__ == "__main__":
    run(PROBES)
