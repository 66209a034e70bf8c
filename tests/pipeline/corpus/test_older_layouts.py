"""A corpus of an earlier version opens in today's commands: ids of 16 bytes, Arrow streams, a ledger without keys."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from openroots.cli import main
from pipeline.corpus import neighbours
from pipeline.runtime.shards import open_shard
from pipeline.text.schema import COMPARED, KEPT_INSTEAD
from tests.pipeline.corpus.conftest import PASSAGE

LATER = ["key", *COMPARED.names[1:], *KEPT_INSTEAD.names, "language_declared", "language_identified"]
"""Columns that the ledger did not have."""


def binary(table: pa.Table) -> pa.Table:
    ids = pa.array([bytes.fromhex(name) for name in table["id"].to_pylist()], pa.binary(16))
    return table.set_column(table.schema.get_field_index("id"), "id", ids)


@pytest.fixture
def older(corpus: Path) -> Path:
    """The corpus as versions before the Arrow file format wrote it."""
    for path in corpus.glob("data/*/*.arrow"):
        with open_shard(str(path), mapped=False) as batches:
            table = binary(pa.Table.from_batches(list(batches)))
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    for path in corpus.glob("ledger/*.parquet"):
        pq.write_table(binary(pq.read_table(path)).drop_columns(LATER), path)
    for path in (corpus / "seal.json", corpus / ".work" / "seal.json"):
        path.unlink()
    return corpus


def invoke(*words: object) -> Result:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done


def an_id(corpus: Path) -> str:
    [row, *_] = [row for row in pq.read_table(corpus / "ledger").to_pylist() if row["decision"] == "kept"]
    return bytes(row["id"]).hex()


def test_questions_about_it_are_answered(older: Path) -> None:
    name = an_id(older)
    assert name in invoke("why", "--corpus", older, name[:9]).output
    assert name in invoke("find", older, "--id", name).output
    found = invoke("find", older, "--text", PASSAGE).output
    assert "near_duplicate" in found and "data/en/" in found
    assert json.loads(invoke("audit", older, "--json").output)
    assert "0 came, 0 went, 0 changed" in invoke("diff", older, older).output


def test_verify_says_that_an_earlier_version_wrote_it(older: Path) -> None:
    done = invoke("verify", older)
    assert done.exit_code == 1 and "an earlier version wrote it" in done.output


def test_a_document_is_taken_down(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    name = an_id(older)
    request, output = tmp_path / "request.toml", tmp_path / "new"
    request.write_text(f'id = "1"\nreceived = 2026-11-26\nreason = "asked"\n[[remove]]\nid = "{name}"\n')
    done = invoke("takedown", older, "--request", request, "--output", output)
    assert done.exit_code == 0, done.output
    assert invoke("verify", output).exit_code == 0
    assert "dropped" in invoke("why", "--corpus", output, name).output


def test_near_duplicates_are_taken_down_by_the_words_of_its_ledger(older: Path) -> None:
    [copy, *_] = [row for row in pq.read_table(older / "ledger").to_pylist() if row["reason"] == "near_duplicate"]
    kept = copy["detail"].split()[1]
    assert (copy["id"].hex(), kept) in neighbours._duplicates(str(older))


def test_its_text_is_encoded_and_a_tokenizer_is_trained_on_it(older: Path, tmp_path: Path) -> None:
    own, tokens = tmp_path / "tokenizer", tmp_path / "tokens"
    done = invoke("train-tokenizer", "--corpus", older, "--vocab-size", 300, "--output", own)
    assert done.exit_code == 0, done.output
    assert invoke("encode", "--tokenizer", own, "--input", older, "--output", tokens, "--quiet").exit_code == 0
    [path, *_] = sorted(tokens.glob("data/*/*.arrow"))
    with open_shard(str(path), mapped=False) as batches:
        assert len(next(iter(batches))["id"][0].as_py()) == 32
