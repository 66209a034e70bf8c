"""Packed text opens as its documentation says, and in other trainers' forms holds the same documents."""

import itertools
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from click.testing import CliRunner

from openroots.cli import main
from tests.trainer.packed import EOS, packed_text, some_documents, write_tokens
from trainer.data import read_manifest
from trainer.pack import Packing, pack
from trainer.pack_formats import convert
from trainer.pack_mds import write_mds

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "packed.md"


def documents(packed: Path, language: str, part: str) -> list[list[int]]:
    tokens, starts = (np.load(packed / "data" / language / f"{part}-{name}.npy") for name in ("tokens", "starts"))
    return [piece.tolist() for piece in np.split(tokens, starts[1:])] if len(starts) else []


def test_the_ten_lines_of_the_documentation_read_it(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    read: dict[str, Any] = {}
    exec(code.replace("build/packed", str(packed)).replace("documents = ", "found[language] = documents = "),
         read | {"found": (found := {})})  # fmt: skip
    assert {language: [row.tolist() for row in rows.values()] for language, rows in found.items()} == {
        language: [row[:-1] for row in documents(packed, language, "train")] for language in some_documents()
    }


@pytest.mark.parametrize(("vocabulary", "dtype"), [(300, "<u2"), (1 << 16, "<u2"), (70_000, "<u4")])
def test_raw_files_are_ids_and_nothing_else(tmp_path: Path, vocabulary: int, dtype: str) -> None:
    write_tokens(tmp_path / "tokens", some_documents(), vocabulary)
    manifest = pack(str(tmp_path / "tokens"), str(tmp_path / "packed"), Packing(32, 0.1))
    about = convert(str(tmp_path / "packed"), manifest, "raw")
    assert about["dtype"] == np.dtype(dtype).name and about["eos_id"] == EOS
    for language in some_documents():
        for part in ("train", "held_out"):
            found = np.fromfile(tmp_path / "packed" / "raw" / language / f"{part}.bin", dtype)
            assert found.tolist() == np.load(tmp_path / f"packed/data/{language}/{part}-tokens.npy").tolist()


@pytest.mark.parametrize(("vocabulary", "code", "dtype"), [(300, 8, "<u2"), (65_500, 4, "<i4")])
def test_megatrons_index_leads_to_every_document(tmp_path: Path, vocabulary: int, code: int, dtype: str) -> None:
    write_tokens(tmp_path / "tokens", some_documents(), vocabulary)
    manifest = pack(str(tmp_path / "tokens"), str(tmp_path / "packed"), Packing(32, 0.1))
    convert(str(tmp_path / "packed"), manifest, "megatron")
    for language in some_documents():
        place = tmp_path / "packed" / "megatron" / language / "train"
        data, index = place.with_suffix(".bin").read_bytes(), place.with_suffix(".idx").read_bytes()
        assert index[:9] == b"MMIDIDX\0\0"
        version, found, count, ends = struct.unpack_from("<QBQQ", index, 9)
        assert (version, found, ends) == (1, code, count + 1)
        lengths = np.frombuffer(index, "<i4", count, 34)
        places = np.frombuffer(index, "<i8", count, 34 + 4 * count)
        assert np.frombuffer(index, "<i8", ends, 34 + 12 * count).tolist() == list(range(ends))
        rows = [np.frombuffer(data, dtype, n, at).tolist() for n, at in zip(lengths, places, strict=True)]
        assert rows == documents(tmp_path / "packed", language, "train")


def test_megatron_core_reads_the_same_documents(tmp_path: Path) -> None:
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    packed = packed_text(tmp_path)
    convert(str(packed), read_manifest(str(packed)), "megatron")
    for language in some_documents():
        for part in ("train", "held_out"):
            opened = indexed.IndexedDataset(str(packed / "megatron" / language / part))
            assert [row.tolist() for row in opened] == documents(packed, language, part)


def test_the_manifest_names_every_file_with_its_digest(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    convert(str(packed), read_manifest(str(packed)), "megatron")
    about = json.loads((packed / "megatron" / "manifest.json").read_text())
    there = {str(path.relative_to(packed / "megatron")) for path in packed.glob("megatron/*/*")}
    assert set(about["files"]) == there
    assert all((packed / "megatron" / name).stat().st_size == file["bytes"] for name, file in about["files"].items())


def mds_samples(folder: Path) -> list[list[int]]:
    """Samples of `tokens`, read as MosaicML Streaming's reader does: by index.json, sizes and digests checked."""
    rows = []
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        about, data = shard["raw_data"], (folder / shard["raw_data"]["basename"]).read_bytes()
        assert (len(data), xxhash.xxh128(data).hexdigest()) == (about["bytes"], about["hashes"]["xxh128"])
        assert shard["column_names"] == ["tokens"] and about["bytes"] <= max(shard["size_limit"], 400)
        [encoding], [size] = shard["column_encodings"], shard["column_sizes"]
        assert encoding == f"ndarray:int32:{size // 4}"
        [count] = np.frombuffer(data, "<u4", 1)
        places = np.frombuffer(data, "<u4", count + 1, 4)
        assert count == shard["samples"] and places[-1] == len(data)
        head = json.loads(data[4 * (count + 2) : places[0]])
        assert head == {name: shard[name] for name in head}
        rows += [np.frombuffer(data[a:b], "<i4").tolist() for a, b in itertools.pairwise(places)]
    return rows


def test_mds_holds_every_whole_sequence(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    about = convert(str(packed), read_manifest(str(packed)), "mds")
    assert about["dtype"] == "int32" and about["files"]
    for language in some_documents():
        for part in ("train", "held_out"):
            tokens = np.load(packed / "data" / language / f"{part}-tokens.npy")
            folder = packed / "mds" / language / part
            found = mds_samples(folder) if len(tokens) >= 32 else []
            assert folder.exists() == (len(tokens) >= 32)
            assert found == [tokens[32 * n : 32 * n + 32].tolist() for n in range(len(tokens) // 32)]


@pytest.mark.parametrize("shard_bytes", [1, 400, 1_000, 1 << 26])
@pytest.mark.parametrize("count", [0, 7, 8, 63, 64, 100])
def test_mds_is_cut_into_shards_and_stale_ones_go(tmp_path: Path, shard_bytes: int, count: int) -> None:
    for number in (0, 99):
        (tmp_path / f"shard.{number:05d}.mds").write_bytes(b"stale")
    (tmp_path / "index.json").write_text("{}")
    (tmp_path / "mine.txt").write_text("mine")
    ids = np.arange(count, dtype=np.uint32)
    files = write_mds(str(tmp_path), iter(np.array_split(ids, 3)), 8, shard_bytes)
    assert {path.name for path in tmp_path.iterdir()} == {*files, "mine.txt"}
    found = mds_samples(tmp_path) if files else []
    assert found == ids[: count // 8 * 8].reshape(-1, 8).tolist()


def test_litdata_reads_the_same_blocks(tmp_path: Path) -> None:
    litdata = pytest.importorskip("litdata", reason="needs openroots[litdata]")
    packed = packed_text(tmp_path)
    convert(str(packed), read_manifest(str(packed)), "litdata")
    for language in some_documents():
        tokens = np.load(packed / "data" / language / "train-tokens.npy")
        folder = str(packed / "litdata" / language / "train")
        opened = litdata.StreamingDataset(folder, item_loader=litdata.TokensLoader(33), shuffle=False)
        assert len(opened) == len(tokens) // 33
        for number in range(len(opened)):
            assert opened[number].tolist() == tokens[33 * number : 33 * number + 33].tolist()


def test_a_missing_package_is_told_before_anything_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tokens(tmp_path / "tokens", some_documents())
    monkeypatch.setattr("configs.extras.find_spec", lambda _: None)
    place = ["--tokens", str(tmp_path / "tokens"), "--output", str(tmp_path / "packed"), "--format", "litdata"]
    said = CliRunner().invoke(main, ["pack", *place])
    assert said.exit_code != 0 and "openroots[litdata]" in str(said.output) + str(said.exception)
    assert not (tmp_path / "packed" / "data").exists()
