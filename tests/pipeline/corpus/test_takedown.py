"""What was asked to be taken down is gone from every file; the rest stays as it was; a receipt proves it."""

import json
import shutil
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from configs.errors import ConfigurationError, OpenRootsError
from governance.requests import read_request
from governance.signing import load_key, sign
from openroots.cli import main
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.reading import open_arrow
from pipeline.corpus.receipts import signed_part
from pipeline.corpus.seal import write_seals
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


def test_the_reason_in_log_and_receipt_names_nobody_who_asked(whole, tmp_path):
    asked = f'''id = "c"
received = 2026-11-26
reason = "Ms INK (Ada Ink, keeper@saltmarsh.org) wants https://site-2.example/page/7 out; also doc-9. 墨爱达也要求。"
[[remove]]
text = "{PASSAGE[:60]}"
[[remove]]
author = "Ada Ink"
[[remove]]
author = "墨爱达"
[[remove]]
email = "keeper@saltmarsh.org"
[[remove]]
uri = "https://site-2.example/page/7"
[[remove]]
key = "doc-9"
'''
    receipt = take_down(whole, ask(tmp_path, asked), tmp_path / "corpus-2")
    assert receipt["reason"] == "Ms [author] ([author], [email]) wants [uri] out; also [key]. [author]也要求。"
    log = (tmp_path / "corpus-2" / "takedowns" / "log.jsonl").read_text()
    assert json.loads(log)["reason"] == receipt["reason"]


def test_white_space_of_seal_and_receipt_counts_too(taken):
    output, _ = taken
    for name in ("seal.json", "takedowns/receipts/2026-014.json"):
        path = output / name
        before = path.read_bytes()
        path.write_bytes(before.replace(b"\n ", b"\n\t", 1))
        assert [problem.file for problem in verify(str(output)).problems] == [name]
        path.write_bytes(before)


def write_likes(folder: Path) -> Path:
    """Three documents alike, one of them the same but for case, that a recipe without deduplication keeps."""
    recipe = write_inputs(folder)
    with (folder / "in" / "a.jsonl").open("a") as stream:
        row = next(json.loads(line) for line in (folder / "in" / "a.jsonl").open() if '"doc-4"' in line)
        stream.write(json.dumps({**row, "id": "shouted", "text": row["text"].upper()}) + "\n")
    recipe.write_text(recipe.read_text().replace("[deduplication]", "[deduplication]\nexact = false\nnear = false"))
    return recipe


@pytest.fixture(scope="module")
def undeduplicated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("likes")
    build(write_likes(folder / "made"), folder / "corpus")
    return folder / "corpus"


BY_KEY = 'id = "k"\nreceived = 2026-11-26\nreason = "-"\nnear_duplicates = {}\n[[remove]]\nkey = "doc-4"\n'


def test_near_duplicates_go_along_where_the_recipe_looked_for_none(undeduplicated, tmp_path):
    receipt = take_down(undeduplicated, ask(tmp_path, BY_KEY.format("true")), tmp_path / "corpus-2")
    assert (receipt["removed_from_corpus"], receipt["near_duplicates"]) == (3, 2)
    assert find(str(tmp_path / "corpus-2"), Wanted(text=PASSAGE)).rows == []


def test_what_is_like_it_stays_where_that_is_wished_and_the_corpus_is_whole(undeduplicated, tmp_path):
    receipt = take_down(undeduplicated, ask(tmp_path, BY_KEY.format("false")), tmp_path / "corpus-2")
    assert (receipt["removed_from_corpus"], receipt["near_duplicates"]) == (1, 0)
    assert len(find(str(tmp_path / "corpus-2"), Wanted(text=PASSAGE)).rows) == 2
    assert verify(str(tmp_path / "corpus-2")).problems == []


def test_a_text_that_is_back_under_another_id_is_found(taken, whole, tmp_path):
    output, receipt = taken
    with open_arrow(str(next((whole / "data" / "en").glob("*.arrow")))) as (schema, batches):
        [back] = [batch for batch in batches if set(batch["id"].to_pylist()) & set(receipt["removed"])]
    place = next(i for i, name in enumerate(back["id"].to_pylist()) if name in receipt["removed"])
    row = back.slice(place, 1).set_column(0, schema.field(0), pa.array(["ab" * 16], schema.field(0).type))
    shard = next((output / "data" / "en").glob("*.arrow"))
    with open_arrow(str(shard)) as (_, batches):
        table = pa.Table.from_batches([*batches, row])
    shard.unlink()
    with pa.OSFile(str(shard), "wb") as stream, pa.ipc.new_file(stream, table.unify_dictionaries().schema) as writer:
        writer.write_table(table.unify_dictionaries().combine_chunks())
    write_seals(str(output))
    said = [problem.problem for problem in verify(str(output)).problems]
    assert f"holds a text that was taken down, as document {'ab' * 16}" in said


@pytest.mark.parametrize("left", [0, 1])
def test_a_log_that_was_cut_short_and_sealed_anew_is_found(taken, tmp_path, left):
    other = ask(tmp_path, 'id = "b"\nreceived = 2026-11-27\nreason = "-"\n[[remove]]\nkey = "doc-7"\n')
    take_down(taken[0], other, tmp_path / "corpus-3")
    log = tmp_path / "corpus-3" / "takedowns" / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:left]))
    write_seals(str(tmp_path / "corpus-3"))
    said = [problem.problem for problem in verify(str(tmp_path / "corpus-3")).problems]
    assert "lacks the takedown b, which manifest.json names" in said
    assert "lacks the takedown b, which takedowns/receipts names" in said


@pytest.mark.parametrize("change", [{"removed": None}, {"removed": ["zz"]}, {"entry": 3}, {"after": None}])
def test_a_receipt_that_is_signed_but_says_too_little_is_refused(taken, tmp_path, change):
    output, receipt = taken
    forged = {name: value for name, value in {**receipt, **change}.items() if name != "signature"}
    forged["signature"] = sign(load_key(None)[0], signed_part(forged))
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    run = CliRunner().invoke(main, ["verify", str(output), "--against", str(tmp_path / "forged.json")])
    assert run.exit_code == 1
    assert "is not as it was signed" in run.output


def test_what_was_taken_down_already_keeps_its_row(taken, whole, tmp_path):
    output, receipt = taken
    again = ask(tmp_path, REQUEST.format(text=PASSAGE[:60]).replace("2026-014", "again"))
    run = CliRunner().invoke(main, ["takedown", str(output), "--request", str(again), "--output", f"{tmp_path}/c3"])
    assert run.exit_code == 1
    asked = "".join(f'[[remove]]\nid = "{name}"\n' for name in receipt["removed"])
    again.write_text(f'id = "again"\nreceived = 2026-11-27\nreason = "-"\n{asked}')
    run = CliRunner().invoke(main, ["takedown", str(output), "--request", str(again), "--output", f"{tmp_path}/c3"])
    assert "taken down already" in run.output
    again.write_text(f'{again.read_text()}[[remove]]\nkey = "doc-7"\n')
    assert len(take_down(output, again, tmp_path / "c3")["removed"]) == 1
    details = {row["detail"] for name in receipt["removed"] for row in find(f"{tmp_path}/c3", Wanted(id=name)).rows}
    assert "request 2026-014" in details and "request again" not in details
