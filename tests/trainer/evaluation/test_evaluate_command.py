"""`openroots evaluate`, as it is typed."""

import json
from pathlib import Path

import pytest
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


def test_bits_of_a_token_have_an_interval_of_their_own(model: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", "--model", model, "--tasks", "bits", "--languages", "yo", "--json"])
    found = next(
        f for f in json.loads(result.stdout)["figures"] if (f["language"], f["metric"][:12]) == ("yo", "bits a token")
    )
    assert found["low"] < found["value"] < found["high"]


def test_a_page_comes_with_its_figures_as_json(model: str, tmp_path: Path) -> None:
    arguments = ["evaluate", "--model", model, "--tasks", "cloze", "--languages", "sw", "--limit", "3"]
    for _ in range(2):  # the second replaces the first
        result = CliRunner().invoke(main, [*arguments, "--html", str(tmp_path / "report.html")])
        assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "report.json").read_text())["figures"][0]["task"] == "cloze"


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    arguments = ["evaluate", "--model", str(tmp_path / "none"), "--tasks", "cloze"]
    (tmp_path / "notes.html").write_text("mine")
    (tmp_path / "report.json").write_text('{"mine": 1}')
    for option, name in (("--html", "notes.html"), ("--output", "report.json"), ("--html", "report.html")):
        result = CliRunner().invoke(main, [*arguments, option, str(tmp_path / name)])
        assert "was not written by OpenRoots" in result.output, (option, name)
    assert (tmp_path / "report.json").read_text() == '{"mine": 1}'


def test_a_long_task_shows_how_far_it_is_and_how_long_it_may_take(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openroots.commands.evaluate.SECONDS_BETWEEN", 0)
    rows = [{"question": "q", "choices": ["a", "b"], "answer": 0}] * 600
    (tmp_path / "multiple_choice.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["evaluate", "--model", model, "--tasks", "multiple_choice", "--data", str(tmp_path), "--limit", "300"]
    lines = CliRunner().invoke(main, arguments).stderr.splitlines()
    assert lines[0].startswith("multiple_choice  256 of 300 · about ")
    assert lines[1] == "multiple_choice  300 of 300"


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


def test_items_cut_off_get_a_note(model: str, tmp_path: Path) -> None:
    rows = [{"question": "q" * size, "choices": ["a", "b"], "answer": 0} for size in (5, 5000)]
    (tmp_path / "multiple_choice.sw.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["evaluate", "--model", model, "--tasks", "multiple_choice", "--data", str(tmp_path), "--json"]
    [note] = json.loads(CliRunner().invoke(main, arguments).stdout)["notes"]
    assert note.startswith("multiple_choice, sw: 1 of 2 items are longer than the 2,048 tokens")


@pytest.mark.parametrize(
    ("files", "task", "said"),
    [
        ({"multiple_choice.sw.jsonl": ""}, "multiple_choice", "its files in {} hold no items"),
        ({"tasks.toml": "[task.my"}, "my", "tasks.toml: not valid TOML: Expected ']' at the end of a table"),
        ({}, "cloze", "no items in klingon; it has ak, ar, as, bm"),
    ],
)
def test_what_is_wrong_with_the_items_is_said(files: dict[str, str], task: str, said: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    arguments = ["evaluate", "--model", "none", "--tasks", task, "--data", str(tmp_path), "--languages", "klingon"]
    output = CliRunner().invoke(main, arguments).output
    assert said.format(tmp_path) in output
    assert "from the Hub" not in output


def test_a_folder_that_is_no_model_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "step-00000010").mkdir()
    asked = ["evaluate", "--tasks", "cloze", "--languages", "sw", "--model"]
    assert "make one: openroots export" in CliRunner().invoke(main, [*asked, str(tmp_path)]).output
    said = CliRunner().invoke(main, [*asked, str(tmp_path / "none")]).output
    assert "config.json: no such file. Give a folder such as `openroots export` writes" in said


def test_the_tasks_can_be_listed() -> None:
    assert "language-id" in CliRunner().invoke(main, ["evaluate", "--tasks", "list"]).output.split()
