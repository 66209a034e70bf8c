"""What `openroots why` finds in a ledger."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipeline.ledger import look_up
from pipeline.text.columns import document_ids
from pipeline.text.schema import LEDGER, LEDGER_WRITTEN

EARLIER = pa.schema([pa.field("detail", pa.string()), *(LEDGER.field(name) for name in ("id", "uri", "bytes"))])


@pytest.fixture(scope="module", params=[LEDGER_WRITTEN, EARLIER], ids=["of today", "of earlier versions"])
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two ledger files of one document each, so that a search finds nothing in one of them."""
    schema = request.param
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "ledger").mkdir()
    for number in (1, 2):
        row = {
            **{field.name: "x" if pa.types.is_string(field.type) else 0 for field in schema},
            "id": bytes([number]) * 16 if schema is EARLIER else f"{number:02x}" * 16,
            "uri": f"text/{number}.jsonl",
        }
        pq.write_table(pa.Table.from_pylist([row], schema=schema), folder / "ledger" / f"{number}.parquet")
    return str(folder)


@pytest.mark.parametrize("wanted", ["02" * 16, "0202", "02020", "2.jsonl"])
def test_found_by_id_by_its_start_and_by_a_part_of_the_uri(corpus: str, wanted: str) -> None:
    assert [row["id"] for row in look_up(corpus, wanted)] == ["02" * 16]


def test_a_part_of_several_uris_finds_all(corpus: str) -> None:
    assert len(look_up(corpus, "jsonl")) == 2


@pytest.mark.parametrize("wanted", ["nonsense", "03" * 16, "02" * 15 + "03", "020"])
def test_nothing_is_found_where_there_is_nothing(corpus: str, wanted: str) -> None:
    assert look_up(corpus, wanted) == []


def test_a_folder_without_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        look_up(str(tmp_path), "0202")


def test_a_document_is_found_by_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    rows = []
    for key in ("doc-3", "doc-33"):
        [identifier] = document_ids("letters", pa.array([f"text/a.jsonl#{key}"])).to_pylist()
        blank = {f.name: 0 if pa.types.is_integer(f.type) else "x" for f in LEDGER if not f.nullable}
        rows.append(
            {**blank, "id": identifier, "source": "letters", "uri": "text/a.jsonl", "key": f"text/a.jsonl#{key}"}
        )
    pq.write_table(pa.Table.from_pylist(rows, schema=LEDGER), tmp_path / "ledger" / "1.parquet")
    for wanted in ("doc-3", "text/a.jsonl#doc-3"):
        assert [row["id"] for row in look_up(str(tmp_path), wanted)] == [rows[0]["id"].hex()]
