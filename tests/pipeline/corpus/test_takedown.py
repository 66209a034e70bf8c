"""What was asked to be taken down is gone from every file; the rest stays as it was; a receipt proves it."""

import json
import shutil
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from configs.errors import ConfigurationError, OpenRootsError
from governance.requests import read_request
from governance.signing import load_key
from openroots.cli import main
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.reading import open_arrow
from pipeline.corpus.takedown import takedown
from pipeline.corpus.verify import verify
from tests.pipeline.corpus.conftest import PASSAGE, write_inputs
from tests.small_build import build

REQUEST = """id = "2026-014"
received = 2026-11-26
reason = "the author, ada@saltmarsh.org, asked"
[[remove]]
text = "{text}"
"""


@pytest.fixture(autouse=True)
def settings_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def ask(folder: Path, text: str = REQUEST.format(text=PASSAGE[:60])) -> Path:
    path = folder / "request.toml"
    path.write_text(text)
    return path


def take_down(corpus: Path, request: Path, output: Path) -> dict:
    return takedown(str(corpus), *read_request(str(request)), str(output), load_key(None)[0])


@pytest.fixture
def taken(whole: Path, tmp_path: Path) -> tuple[Path, dict]:
    receipt = take_down(whole, ask(tmp_path), tmp_path / "corpus-2")
    return tmp_path / "corpus-2", receipt


def letters(data: bytes | str) -> str:
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")


def contents(path: Path) -> str:
    """All that a file says: its bytes, and its values where they are compressed."""
    said = letters(path.read_bytes())
    if path.suffix == ".parquet":
        said += letters(json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False))
    if path.suffix == ".arrow":
        with open_arrow(str(path)) as (_, batches):
            said += letters(
                json.dumps([row for b in batches for row in b.to_pylist()], default=str, ensure_ascii=False)
            )
    return said


def files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_file_of_the_new_corpus_holds_the_passage_or_where_it_was(taken, whole):
    output, _ = taken
    for name, path in files(output).items():
        said = contents(path)
        assert letters(PASSAGE)[:30] not in said, name
        assert letters("mirror.example/4") not in said, name
        assert letters("Ada Ink") not in said, name
    assert any(letters(PASSAGE) in contents(path) for path in files(whole).values())


def test_the_new_corpus_is_whole_and_its_receipt_is_honoured(taken):
    output, receipt = taken
    assert verify(str(output)).problems == []
    run = CliRunner().invoke(main, ["verify", str(output), "--against", f"{output}/takedowns/receipts/2026-014.json"])
    assert run.exit_code == 0, run.output
    assert (receipt["removed_from_corpus"], receipt["removed_from_ledger"], receipt["near_duplicates"]) == (1, 1, 0)
    assert receipt["before"] != receipt["after"]
    assert "ada@saltmarsh.org" not in json.dumps(receipt)


def test_shards_that_hold_none_of_it_are_the_same_files(taken, whole):
    output, _ = taken
    same = [name for name in files(whole) if name.startswith("data/") and name in files(output)]
    unequal = [name for name in same if (whole / name).read_bytes() != (output / name).read_bytes()]
    assert len(unequal) == 1
    linked = [name for name in same if name not in unequal]
    assert all((whole / name).samefile(output / name) for name in linked)


def test_others_stay_in_their_order(taken, whole):
    output, receipt = taken
    for language in ("en", "fr"):
        ids = []
        for corpus in (whole, output):
            [shard] = (corpus / "data" / language).glob("*.arrow")
            with open_arrow(str(shard)) as (_, batches):
                ids.append([row["id"] for batch in batches for row in batch.to_pylist()])
        assert [i for i in ids[0] if (i if isinstance(i, str) else i.hex()) not in receipt["removed"]] == ids[1]


def test_near_duplicates_go_along_unless_it_is_not_wanted(whole, tmp_path):
    kept = next(row for row in find(str(whole), Wanted(text=PASSAGE)).rows if row["decision"] == "kept")
    head, asked = 'id = "a"\nreceived = 2026-11-26\nreason = "-"\n', f'[[remove]]\nid = "{kept["id"]}"\n'
    receipt = take_down(whole, ask(tmp_path, head + asked), tmp_path / "near")
    assert receipt["near_duplicates"] == 1
    receipt = take_down(whole, ask(tmp_path, head + "near_duplicates = false\n" + asked), tmp_path / "not")
    assert receipt["near_duplicates"] == 0


def test_a_takedown_that_was_killed_is_given_again(whole, tmp_path, monkeypatch):
    import pipeline.corpus.rewriting as rewriting

    request, output = ask(tmp_path), tmp_path / "corpus-2"
    sketched = rewriting.sketch_shards
    monkeypatch.setattr(rewriting, "sketch_shards", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        take_down(whole, request, output)
    (output / "data" / "en" / "shard-00000-of-00001.arrow.0123abcd.tmp").write_bytes(b"half")
    monkeypatch.setattr(rewriting, "sketch_shards", sketched)
    resumed = take_down(whole, request, output)
    assert verify(str(output)).problems == []
    fresh = take_down(whole, request, tmp_path / "fresh")
    assert resumed["seal"] == fresh["seal"]


def test_a_takedown_that_was_killed_between_seal_and_receipt_is_given_again(whole, tmp_path, monkeypatch):
    import pipeline.corpus.takedown as module

    request, output = ask(tmp_path), tmp_path / "corpus-2"
    sign = module.sign
    monkeypatch.setattr(module, "sign", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        take_down(whole, request, output)
    monkeypatch.setattr(module, "sign", sign)
    take_down(whole, request, output)
    assert verify(str(output)).problems == []
    assert not (output / ".work").exists()


def test_a_takedown_that_has_ended_answers_with_its_receipt(taken, whole, tmp_path):
    output, receipt = taken
    before = {name: path.stat().st_mtime_ns for name, path in files(output).items()}
    assert take_down(whole, ask(tmp_path), output) == receipt
    assert {name: path.stat().st_mtime_ns for name, path in files(output).items()} == before


def test_a_request_that_fits_nothing_leaves_no_folder_behind(whole, tmp_path):
    nothing = ask(tmp_path, REQUEST.format(text="these words stand in no document at all"))
    with pytest.raises(ConfigurationError, match="no document"):
        take_down(whole, nothing, tmp_path / "corpus-2")
    assert not (tmp_path / "corpus-2").exists()


@pytest.mark.parametrize("place", ["", "new", "cards", "data/en", ".."])
def test_the_new_corpus_lies_beside_the_old_one(corpus, tmp_path, place):
    with pytest.raises(OpenRootsError, match=r"--output|choose"):
        take_down(corpus, ask(tmp_path), corpus / place)


def test_two_requests_have_two_ids(taken, tmp_path):
    with pytest.raises(ConfigurationError, match="already"):
        take_down(taken[0], ask(tmp_path), tmp_path / "corpus-3")


def test_the_ledger_is_written_as_the_build_writes_it(taken, whole):
    parts = [pq.ParquetFile(folder / "ledger" / "part-00000.parquet") for folder in (whole, taken[0])]
    first, second = (part.metadata.row_group(0) for part in parts)
    assert parts[0].schema_arrow.equals(parts[1].schema_arrow)
    for column in range(first.num_columns):
        a, b = first.column(column), second.column(column)
        assert (a.compression, a.encodings) == (b.compression, b.encodings)


def test_another_request_may_not_go_on_in_the_same_folder(taken, whole, tmp_path):
    other = ask(tmp_path, 'id = "b"\nreceived = 2026-11-26\nreason = "-"\n[[remove]]\nkey = "doc-7"\n')
    with pytest.raises(OpenRootsError, match="holds another corpus"):
        take_down(whole, other, taken[0])


def test_takedowns_follow_one_another_and_both_receipts_hold(taken, tmp_path):
    first, _ = taken
    other = ask(tmp_path, 'id = "b"\nreceived = 2026-11-27\nreason = "-"\n[[remove]]\nkey = "doc-7"\n')
    take_down(first, other, tmp_path / "corpus-3")
    assert verify(str(tmp_path / "corpus-3")).problems == []
    for name in ("2026-014", "b"):
        receipt = f"{tmp_path}/corpus-3/takedowns/receipts/{name}.json"
        run = CliRunner().invoke(main, ["verify", str(tmp_path / "corpus-3"), "--against", receipt, "--json"])
        assert json.loads(run.output)["problems"] == []


def test_forged_receipts_logs_and_corpora_are_found(taken, whole):
    output, _ = taken
    path = output / "takedowns" / "receipts" / "2026-014.json"
    before = path.read_text()
    path.write_text(before.replace('"removed_from_corpus": 1', '"removed_from_corpus": 2'))
    assert [problem.file for problem in verify(str(output)).problems] == ["takedowns/receipts/2026-014.json"]
    path.write_text(before)
    run = CliRunner().invoke(main, ["verify", str(whole), "--against", str(path)])
    assert run.exit_code == 1
    assert "does not hold the takedown" in run.output


def test_a_later_build_of_the_recipe_leaves_them_out(tmp_path):
    recipe = write_inputs(tmp_path / "made")
    build(recipe, tmp_path / "corpus")
    take_down(tmp_path / "corpus", ask(tmp_path), tmp_path / "corpus-2")
    build(recipe, tmp_path / "corpus-2")
    rows = find(str(tmp_path / "corpus-2"), Wanted(text=PASSAGE)).rows
    assert {(row["decision"], row["stage"], row["reason"]) for row in rows} == {("dropped", "takedown", "takedown")}
    assert len(rows) == 2
    assert verify(str(tmp_path / "corpus-2")).problems == []


def test_without_its_work_what_was_kept_is_taken_down_all_the_same(corpus, tmp_path):
    shutil.rmtree(corpus / ".work")
    receipt = take_down(corpus, ask(tmp_path), tmp_path / "corpus-2")
    assert (receipt["removed_from_corpus"], receipt["near_duplicates"]) == (1, 1)
    assert verify(str(tmp_path / "corpus-2")).problems == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n", "missing key `remove`"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\n", "table 1 is empty"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[remove]\nkey = 'x'\n", "two brackets"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\ntxt = 'x'\n", "did you mean `text`"),
        ("id = '../../a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\nkey = 'x'\n", "`id`"),
        ("id = 'a'\nreceived = 'soon'\nreason = 'x'\n[[remove]]\nkey = 'x'\n", "`received`"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\ntext = '.*'\n", "fewer than"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\nsource = 'no-such'\n", "no document"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\nkey = '(a+)+$[x'\n", "no document"),
        ("id = 'a'\nreceived = 2026-11-26\nreason = 'x'\n[[remove]]\nkey = \"\\u0007\\u001b[2J\"\n", "no document"),
        ("id = \x1b[2J", "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_a_hostile_request_gets_a_clear_error(whole, tmp_path, text, said):
    run = CliRunner().invoke(
        main, ["takedown", str(whole), "--request", str(ask(tmp_path, text)), "--output", str(tmp_path / "out")]
    )
    assert run.exit_code == 1
    assert said in run.output
    assert "\x1b[2J" not in run.output


def test_a_huge_request_is_refused_unread(tmp_path):
    with pytest.raises(ConfigurationError, match="16 MB"):
        read_request(str(ask(tmp_path, "a" * (17 << 20))))
