"""`openroots evaluate`, as it is typed."""

import json
from pathlib import Path

from click.testing import CliRunner
from huggingface_hub import ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

from openroots.cli import main


def test_own_tasks_in_some_languages_with_page_and_json(model: str, tmp_path: Path) -> None:
    page, output = tmp_path / "report.html", tmp_path / "figures.json"
    arguments = ["evaluate", "--model", model, "--languages", "sw,zh-Hans", "--limit", "6"]
    result = CliRunner().invoke(main, [*arguments, "--html", str(page), "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert "chance" in result.output
    found = json.loads(output.read_text())
    tasks = {(figure["task"], figure["language"]) for figure in found["figures"]}
    assert {("bits", "en"), ("bits", "sw"), ("cloze", "zh-Hans"), ("translation", "sw"), ("language-id", "sw")} <= tasks
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in found["figures"])
    cloze = next(figure for figure in found["figures"] if figure["task"] == "cloze")
    assert (cloze["chance"], cloze["items"]) == (0.25, 6)
    assert "What a language costs" in page.read_text() and "Swahili" in page.read_text()
    name, results = model_index_to_eval_results(found["model-index"])
    assert ModelCardData(model_name=name, eval_results=results).to_yaml()


def test_bits_of_a_meaning_are_the_tokenizers_part_times_the_models(model: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", "--model", model, "--tasks", "bits", "--languages", "yo", "--json"])
    rows = {(f["language"], f["metric"]): f["value"] for f in json.loads(result.stdout)["figures"]}
    assert rows["en", "bits over English"] == 1.0
    parts = rows["yo", "tokens over English"] * rows["yo", "bits a token over English"]
    assert abs(rows["yo", "bits over English"] - parts) < 1e-6


def test_items_of_a_folder_with_figures_of_papers_as_theirs(model: str, tmp_path: Path) -> None:
    rows = [{"premise": f"p{n}", "hypothesis": f"h{n}", "label": n % 3} for n in range(9)]
    (tmp_path / "xnli.fr.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["evaluate", "--model", model, "--tasks", "xnli", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "BLOOM-176B 0.652 (theirs)" in result.output


def test_figures_that_cannot_be_written_are_still_shown(model: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["evaluate", "--model", model, "--tasks", "cloze", "--languages", "sw", "--limit", "3"]
    result = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "file" / "figures.json")])
    assert result.exit_code == 1
    assert "cloze" in result.stdout and "accuracy, by length" in result.stdout
    assert "figures.json cannot be written" in result.stderr


def test_what_cannot_be_run_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    missing = ["evaluate", "--model", str(tmp_path / "none"), "--tasks"]
    assert "--run-code" in CliRunner().invoke(main, [*missing, "humaneval"]).output
    assert "give --data FOLDER" in CliRunner().invoke(main, [*missing, "belebele"]).output
    assert "unknown task `nothing`" in CliRunner().invoke(main, [*missing, "nothing"]).output
    assert "give either --model or --checkpoints" in CliRunner().invoke(main, ["evaluate"]).output


def test_the_tasks_can_be_listed() -> None:
    assert "language-id" in CliRunner().invoke(main, ["evaluate", "--tasks", "list"]).output.split()
