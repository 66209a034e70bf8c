"""Decontamination in builds: fates, ledger, reruns, and the stand-alone command."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from datasets import load_dataset

from configs.models import Decontamination, EvaluationSet
from openroots.cli import main
from pipeline.build import build_corpus
from pipeline.decontamination.stage import check_sets
from pipeline.ledger import look_up
from pipeline.runtime.engine import Engine
from pipeline.standalone import decontamination_plan

QUESTION = "A farmer has seventeen sheep, and all but nine of them run away over the hill. How many are left?"
PAGES = [
    {"key": "clean", "text": "The hill is green, and the farmer walks over it every day with a dog and a stick."},
    {"key": "held", "text": f"Riddles for children.\n{QUESTION.lower()}\nThe answer is nine, of course."},
    {"key": "other", "text": "Nothing to see here."},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(page) + "\n" for page in PAGES))
    (tmp_path / "riddles.jsonl").write_text(json.dumps({"id": "r-7", "question": QUESTION, "answer": "nine"}))
    return tmp_path


def _build(folder: Path, name: str, **settings: str) -> dict[str, str]:
    plan = decontamination_plan([f"{folder}/web.jsonl"], [f"{folder}/riddles.jsonl"], key="key", **settings)  # type: ignore[arg-type]
    output = str(folder / name)
    manifest = build_corpus(plan, output, engine=Engine(), cache=str(folder / "cache"))
    rows = load_dataset(output, "und", split="train", cache_dir=str(folder / f"datasets-{name}"))
    assert [stage["stage"] for stage in manifest["stages"]][-2:] == ["decontaminate", "sample"]
    return {row["key"].rpartition("#")[2] if "key" in row else row["id"]: row["text"] for row in rows}


def test_a_contaminated_document_is_dropped_and_the_ledger_says_for_which_item(folder: Path) -> None:
    kept = _build(folder, "out")
    assert len(kept) == 2 and not any("seventeen" in text for text in kept.values())
    (row,) = look_up(str(folder / "out"), "held")
    assert (row["decision"], row["stage"], row["reason"]) == ("dropped", "decontaminate", "contaminated")
    assert row["detail"].startswith("riddles r-7, score 1.00: question 1.00, answer 1.00")


def test_items_that_are_too_short_to_be_looked_for_are_counted(folder: Path) -> None:
    items = [{"question": "2 + 2?", "answer": "4"}, {"question": "是吗？", "answer": "是"}, {"question": QUESTION}]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, items)))
    sets = (EvaluationSet(name="sums", files=(f"{folder}/sums.jsonl",)),)
    found = check_sets(Decontamination(sets=sets))
    assert json.loads(json.dumps(found)) == [{"set": "sums", "items": 3, "too_short": 2}]


def test_the_item_alone_is_cut_where_that_is_asked(folder: Path) -> None:
    texts = _build(folder, "cut", policy="cut").values()
    (left,) = [text for text in texts if text.startswith("Riddles")]
    assert left.startswith("Riddles for children.") and "seventeen" not in left
    (row,) = look_up(str(folder / "cut"), "held")
    assert (row["decision"], row["reason"]) == ("kept", "kept")
    assert "bytes cut: riddles r-7" in row["detail"] and row["bytes_kept"] == len(left.encode())


RECIPE = """
name = "riddled"
title = "Riddled"
languages = ["en", "sw"]
sources = ["web"]
[quality]
enabled = false
[language_identification]
model = "none"
[deduplication]
near = false
recurring_lines_documents_min = 4
recurring_lines_characters_min = 10
[decontamination]
policy = "cut"
[[decontamination.sets]]
name = "mafumbo"
files = ["{folder}/mafumbo.*"]
fields = ["question"]
[source.web]
title = "Web"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "nobody"
provenance = "made up"
columns = {{ id = "key", language = "language" }}
packages = [{{ name = "{folder}/pages.jsonl" }}]
"""
SWAHILI = "Mkulima alikuwa na kondoo kumi na saba, na wote isipokuwa tisa walikimbia mlimani. Wamebaki wangapi?"


def test_a_recipe_cuts_in_each_language_after_recurring_lines(tmp_path: Path) -> None:
    lines = ["Home | About | Contact us", "A page of the {} kind, number {}.", "Its end."]
    pages = [
        {"key": f"{code}-{n}", "language": code, "text": "\n".join(lines).format(code, n)}
        for n in range(4)
        for code in ("en", "sw")
    ]
    for page, item in ((pages[4], QUESTION), (pages[5], SWAHILI)):
        page["text"] = page["text"].replace("\nIts", f"\n{item.upper()}\nIts")
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    (tmp_path / "mafumbo.jsonl").write_text("".join(json.dumps({"question": q}) + "\n" for q in (QUESTION, SWAHILI)))
    (tmp_path / "mine.toml").write_text(RECIPE.format(folder=tmp_path))
    out = str(tmp_path / "out")
    arguments = ["build-corpus", "--recipe", f"{tmp_path}/mine.toml", "--output", out, "--offline", "--quiet"]
    result = CliRunner().invoke(main, [*arguments, "--cache", f"{tmp_path}/cache"])
    assert result.exit_code == 0, result.output
    for code in ("en", "sw"):
        rows = load_dataset(out, code, split="train", cache_dir=str(tmp_path / "datasets"))
        assert sorted(rows["text"]) == [f"A page of the {code} kind, number {n}.\nIts end." for n in range(4)]
        (row,) = look_up(out, f"{code}-2")
        assert row["decision"] == "kept" and "bytes cut: mafumbo mafumbo.jsonl:" in row["detail"]


def test_what_a_finished_corpus_looked_for_is_read_back_from_its_manifest() -> None:
    named = Decontamination(sets=(EvaluationSet(name="x", files=("x.jsonl",)),))
    for settings in (Decontamination(), Decontamination(watch=("canaries",)), named):
        again = Decontamination.model_validate(settings.model_dump(mode="json"))
        assert (again.is_on, again.watched) == (settings.is_on, settings.watched)


def test_the_command_and_its_review(folder: Path) -> None:
    out = str(folder / "alone")
    arguments = ["decontaminate", f"{folder}/web.jsonl", "--against", f"{folder}/riddles.jsonl", "--output", out]
    result = CliRunner().invoke(main, [*arguments, "--fields", "question", "--id", "key"])
    assert result.exit_code == 0, result.output
    review = CliRunner().invoke(main, ["decontaminate", "review", out])
    assert review.exit_code == 0 and "riddles r-7" in review.output and "score 1.00" in review.output
    (row,) = map(json.loads, CliRunner().invoke(main, ["decontaminate", "review", out, "--json"]).output.splitlines())
    assert (row["set"], row["item"], row["decision"]) == ("riddles", "r-7", "dropped")
    assert row["page"].startswith("a farmer has seventeen sheep")


def test_what_the_command_lacks_is_said(folder: Path) -> None:
    result = CliRunner().invoke(main, ["decontaminate", f"{folder}/web.jsonl", "--output", f"{folder}/x"])
    assert result.exit_code == 2 and "--against" in result.output
    result = CliRunner().invoke(main, ["decontaminate", "review", str(folder)])
    assert result.exit_code == 1 and "no pages here that contain items" in result.output
