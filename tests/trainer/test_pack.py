"""Packing: nothing lost, nothing padded, the same bytes however it is run; and reading by position."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.errors import ConfigurationError, InputError
from pipeline.runtime.engine import Engine
from tests.trainer.packed import EOS, packed_text, some_documents, write_tokens
from trainer.data import TrainingData, rank_positions
from trainer.pack import Packing, choose_held_out, far_off, pack

TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "data").rglob("*.npy"))}


def test_every_document_is_in_one_part_whole_and_ended_by_eos(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    for language, documents in some_documents().items():
        found = []
        for part in ("train", "held_out"):
            tokens, starts, ids = (
                np.load(packed / "data" / language / f"{part}-{n}.npy") for n in ("tokens", "starts", "ids")
            )
            assert tokens.dtype == np.uint32 and starts.dtype == np.int64 and ids.shape == (len(starts), 16)
            pieces = np.split(tokens, starts[1:]) if len(starts) else []
            assert all(piece[-1] == EOS for piece in pieces)
            found += [(bytes(key), piece[:-1].tolist()) for key, piece in zip(ids, pieces, strict=True)]
            assert len(starts) > 0
        expected = [(f"{language}{n:0>14}"[:16].encode(), document) for n, document in enumerate(documents)]
        assert sorted(found) == sorted(expected)


def test_the_same_bytes_with_two_processes_and_after_a_file_was_lost(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    before = files(packed)
    tokens = str(tmp_path / "tokens")
    pack(tokens, str(tmp_path / "other"), Packing(32, 0.1), engine=Engine(2, TWO_PROCESSES))
    assert files(tmp_path / "other") == before
    (packed / "data" / "sw" / "train-tokens.npy").unlink()
    kept = (packed / "data" / "en" / "train-tokens.npy").stat().st_mtime_ns
    pack(tokens, str(packed), Packing(32, 0.1))
    assert files(packed) == before
    assert (packed / "data" / "en" / "train-tokens.npy").stat().st_mtime_ns == kept


def test_batches_overlap_by_one_token_and_number_their_documents(tmp_path: Path) -> None:
    data = TrainingData(str(packed_text(tmp_path)), seed=3)
    batch = data.read(range(len(data)))
    assert batch.input_ids.shape == batch.labels.shape == batch.documents.shape == (len(data), 32)
    assert batch.input_ids.dtype == torch.int64 and batch.documents.dtype == torch.int32
    assert torch.equal(batch.input_ids[:, 1:], batch.labels[:, :-1])
    for row in range(len(data)):
        ends = (batch.input_ids[row, :-1] == EOS).int().cumsum(0)
        assert torch.equal(batch.documents[row, 1:], ends.int())
        assert len(data.documents([row])[0]) == batch.documents[row, -1] + 1


def test_a_batch_is_the_union_of_its_ranks_and_an_epoch_holds_all(tmp_path: Path) -> None:
    data = TrainingData(str(packed_text(tmp_path)))
    seen, consumed = [], 0
    for size, ranks in ((8, 1), (8, 2), (12, 4), (8, 8)):  # the number of ranks may change in mid-epoch
        shares = [rank_positions(consumed, size, rank, ranks) for rank in range(ranks)]
        whole = data.read(range(consumed, consumed + size))
        assert torch.equal(torch.cat([data.read(share).input_ids for share in shares]), whole.input_ids)
        seen += [p for share in shares for p in share.tolist()]
        consumed += size
    assert seen == list(range(consumed))
    with pytest.raises(ConfigurationError, match="cannot be divided evenly among 3 ranks"):
        rank_positions(0, 8, 0, 3)


def test_held_out_text_is_read_by_language(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    held_out = TrainingData(str(packed), part="held_out")
    batch = held_out.sequences(held_out.first("en", 2))
    assert 1 <= len(batch) <= 2
    trained = {i for row in TrainingData(str(packed)).documents(range(200)) for i in row}
    assert not trained & {bytes(k).hex() for k in np.load(packed / "data" / "en" / "held_out-ids.npy")}


def test_damaged_input_is_named(tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path / "tokens", some_documents())
    shard = tokens / "data" / "sw" / "a.arrow"
    whole = shard.read_bytes()
    for damaged in (whole[:-100], whole[:500] + b"\xff" + whole[501:]):
        shard.write_bytes(damaged)
        with pytest.raises(InputError, match=r"sw/a\.arrow.*damaged"):
            pack(str(tokens), str(tmp_path / "packed"), Packing(32))
    shard.unlink()
    with pytest.raises(InputError, match=r"sw/a\.arrow"):
        pack(str(tokens), str(tmp_path / "packed"), Packing(32))
    with pytest.raises(InputError, match="no such file"):
        pack(str(tmp_path / "nothing"), str(tmp_path / "packed"), Packing(32))
    manifest = json.loads((tokens / "manifest.json").read_text())
    (tokens / "manifest.json").write_text(json.dumps({**manifest, "shards": [{"path": "x"}]}))
    with pytest.raises(InputError, match="is not a manifest of token shards"):
        pack(str(tokens), str(tmp_path / "packed"), Packing(32))


def test_packed_text_is_checked_before_anything_is_read(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    path = packed / "data" / "sw" / "train-starts.npy"
    starts = np.load(path)
    np.save(path, starts[:-1])
    with pytest.raises(InputError, match=r"sw/train-starts\.npy: holds .* the manifest says"):
        TrainingData(str(packed))
    with (packed / "data" / "sw" / "train-tokens.npy").open("r+b") as stream:
        stream.truncate(1000)
    with pytest.raises(InputError, match=r"sw/train-tokens\.npy: cannot be read"):
        TrainingData(str(packed))
    manifest = json.loads((packed / "manifest.json").read_text())
    (packed / "manifest.json").write_text(json.dumps({**manifest, "languages": ["sw"]}))
    with pytest.raises(InputError, match="is not a manifest of packed text"):
        TrainingData(str(packed))


def test_ids_beyond_the_vocabulary_and_a_missing_eos_are_refused(tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path / "tokens", {"en": [[5, 299, 7]]}, vocabulary_size=299)
    with pytest.raises(InputError, match="holds the id 299, beyond the vocabulary"):
        pack(str(tokens), str(tmp_path / "packed"), Packing(2, held_out=0))
    with pytest.raises(ConfigurationError, match="ids 0 to 298"):
        pack(str(tokens), str(tmp_path / "packed"), Packing(2, eos_id=299))
    manifest = json.loads((tokens / "manifest.json").read_text())
    manifest["tokenizer"]["eos_id"] = None
    (tokens / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match="--eos-id"):
        pack(str(tokens), str(tmp_path / "packed"), Packing(2))


@pytest.mark.parametrize("seed", range(4))
def test_held_out_is_a_share_of_tokens(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 256, (3000, 16)).astype(np.uint8)
    lengths = np.concatenate([generator.integers(1, 50, 2990), np.full(10, 200_000)])
    chosen = choose_held_out(ids, lengths, Packing(64, 0.005, seed))
    assert 0.004 < lengths[chosen].sum() / lengths.sum() <= 0.005
    order = generator.permutation(len(ids))
    assert np.array_equal(choose_held_out(ids[order], lengths[order], Packing(64, 0.005, seed)), chosen[order])


def test_of_a_few_large_documents_the_shortest_is_held_out_and_the_user_told() -> None:
    ids = np.arange(48, dtype=np.uint8).reshape(3, 16)
    assert choose_held_out(ids, np.array([900, 50, 800]), Packing(64)).tolist() == [False, True, False]
    assert not choose_held_out(ids[:1], np.array([900]), Packing(64)).any()
    assert not choose_held_out(ids, np.array([900, 50, 800]), Packing(64, 0)).any()
    parts = {"train": {"tokens": 1700, "documents": 2}, "held_out": {"tokens": 50, "documents": 1}}
    assert far_off({"languages": {"sw": parts}}, 0.005)[0].startswith("sw: 2.9% of its tokens are held out, not 0.5%")
    assert far_off({"languages": {"sw": parts}}, 0.03) == []
