"""`openroots fertility` on committed text: files, pages, gates, bad input."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import openroots
from configs.errors import ConfigurationError
from openroots.cli import main
from openroots.commands.fertility import fertility_command
from tests.tokenizer.test_samples import write_corpus
from tests.tokenizer.tokenizers_of_all_kinds import byte_level, word_piece
from tokenizer.fertility_page import Scale, render
from tokenizer.fertility_report import print_report
from tokenizer.foreign import TIKTOKEN_PATTERN
from tokenizer.parallel_text import declaration
from tokenizer.samples import SAMPLE_BYTES

SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer `mine`, and a corpus of four languages."""
    place = tmp_path_factory.mktemp("fertility")
    (place / "mine").mkdir()
    byte_level().save(str(place / "mine" / "tokenizer.json"))
    texts = {code: list(declaration()[code].texts) for code in ("en", "sw", "zh-Hans")}
    write_corpus(place / "corpus", {**texts, "ki": ["Andũ othe maciaragwo marĩ na wĩyathi"], "python": ["x = 1\n"]})
    return place


def fertility(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["fertility", *map(str, arguments)])


def on_corpus(folder: Path, *arguments: object) -> Result:
    return fertility("--tokenizer", folder / "mine", "--tokenizer", "gpt2", "--text", folder / "corpus", *arguments)


def test_tables_json_csv_and_page_say_the_same(folder: Path, tmp_path: Path) -> None:
    names = {kind: tmp_path / f"f.{kind}" for kind in ("json", "csv", "html")}
    done = on_corpus(folder, *(word for kind, path in names.items() for word in (f"--{kind}", path)))
    assert done.exit_code == 0, done.output
    data = json.loads(names["json"].read_text())
    assert [one["tokenizer"] for one in data["tokenizers"]] == ["mine", "gpt2"]
    assert [one["language"] for one in data["languages"]] == ["en", "ki", "python", "sw", "zh-Hans"] * 2
    table = list(csv.DictReader(names["csv"].read_text().splitlines()))
    assert len(table) == len(data["languages"])
    for row, line in zip(data["languages"], table, strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == line
        figure = row["tokens_per_word"] or row["tokens_per_character"]
        assert f"{figure:.2f}" in done.output
        assert f"{figure:.2f}" in names["html"].read_text()
        assert row["origin"] == "text"
    assert {row["language"] for row in data["languages"] if row["premium"] is None} == {"ki", "python"}
    assert "No premium, for lack of parallel text: ki, python." in done.output
    assert "English*" in done.output


def test_python_gives_what_the_command_gives(folder: Path, tmp_path: Path) -> None:
    report = openroots.fertility([f"{folder / 'mine'}", "gpt2"], text=[str(folder / "corpus")])
    assert on_corpus(folder, "--json", tmp_path / "f.json", "--quiet").output == ""
    assert json.loads((tmp_path / "f.json").read_text()) == json.loads(json.dumps(report.as_dict()))


def test_without_text_the_parallel_text_is_measured(folder: Path, tmp_path: Path) -> None:
    assert fertility("--tokenizer", folder / "mine", "--json", tmp_path / "f.json").exit_code == 0
    rows = json.loads((tmp_path / "f.json").read_text())["languages"]
    assert len(rows) == 44
    assert {row["origin"] for row in rows} == {"declaration", "messages"}
    assert all(row["premium"] > 0 for row in rows)


def test_figures_that_cannot_be_written_are_still_shown(folder: Path, tmp_path: Path) -> None:
    done = fertility("--tokenizer", folder / "mine", "--json", "/proc/openroots/figures.json")
    assert done.exit_code == 1
    assert "figures.json cannot be written" in done.stderr and "Swahili" in done.stdout


def test_files_are_of_the_language_that_is_said(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text(SWAHILI)
    done = fertility("--tokenizer", folder / "mine", "--text", text, "--language", "sw", "--json", tmp_path / "f.json")
    assert done.exit_code == 0, done.output
    [row] = json.loads((tmp_path / "f.json").read_text())["languages"]
    assert (row["language"], row["words"], row["bytes"]) == ("sw", 10, len(SWAHILI))
    assert row["tokens"] == len(byte_level().encode(SWAHILI).ids)
    assert fertility("--tokenizer", "gpt2", "--text", text, "--json", tmp_path / "g.json").exit_code == 0
    assert json.loads((tmp_path / "g.json").read_text())["languages"][0]["language"] == "und"


def test_a_gate_fails_above_its_limit_and_passes_at_it(folder: Path, tmp_path: Path) -> None:
    on_corpus(folder, "--json", tmp_path / "f.json", "--quiet")
    rows = {(r["tokenizer"], r["language"]): r for r in json.loads((tmp_path / "f.json").read_text())["languages"]}
    most = max(rows["mine", "sw"]["tokens_per_word"], rows["gpt2", "sw"]["tokens_per_word"])
    assert on_corpus(folder, "--fail-above", f"sw={most!r},zh-Hans=9").exit_code == 0
    figure = rows["gpt2", "zh-Hans"]["tokens_per_character"]
    done = on_corpus(folder, "--fail-above", "sw=9,zh-Hans=1.6", "--html", tmp_path / "f.html")
    assert done.exit_code == 1
    said = f"Chinese (simplified) (zh-Hans) with gpt2: {figure:.3f} tokens per character, the limit is 1.6"
    assert said in done.output
    assert (tmp_path / "f.html").exists()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("sw", "write LANGUAGE=NUMBER"),
        ("sw=much", "write LANGUAGE=NUMBER"),
        ("sw=-1", "write LANGUAGE=NUMBER"),
        ("=2", "write LANGUAGE=NUMBER"),
        ("swa=2", "no such language; did you mean `sw`?"),
        ("yo=2", "there is no text of it; measured are en, ki, python, sw, zh-Hans"),
    ],
)
def test_limits_that_mean_nothing_are_refused(folder: Path, limits: str, said: str) -> None:
    done = on_corpus(folder, "--fail-above", limits)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_bad_input_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text("{}")
    for arguments, said in (
        (("--tokenizer", tmp_path / "none"), "no such file or folder"),
        (("--tokenizer", tmp_path / "broken"), "is not a tokenizer.json"),
        (("--tokenizer", "gpt2", "--text", tmp_path / "empty.txt"), "no text in it"),
        (("--tokenizer", "gpt2", "--text", tmp_path / "broken"), "no data/LANGUAGE/*.arrow or *.parquet in it"),
        (("--tokenizer", "gpt2", "--text", tmp_path / "none*.txt"), "no such file"),
        (("--tokenizer", "gpt2", "--tokenizer", "gpt2"), "two tokenizers are called `gpt2`"),
    ):
        done = fertility(*arguments)
        assert (done.exit_code, said in done.output) == (1, True), done.output
    assert fertility("--tokenizer", "gpt2", "--language", "swa").exit_code == 2
    assert fertility().exit_code == 2
    with pytest.raises(ConfigurationError, match="at least one"):
        openroots.fertility([])


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_tables_fit_the_terminal(folder: Path, width: int, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"tokenizer{number}={folder / 'mine'}" for number in range(count)]
    print_report(openroots.fertility(given, text=[str(folder / "corpus")]), Console(width=width, force_terminal=False))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    shown = sum(line.startswith("Swahili sw") for line in lines)
    assert shown == (1 if count == 1 else -(-count // ((width - 30) // 19)))


class Page(HTMLParser):
    """Collects what a page names, and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_self_contained_and_escapes_names(folder: Path) -> None:
    text = render(openroots.fertility([f"<script>={folder / 'mine'}", "gpt2"], text=[str(folder / "corpus")]))
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    links = [value for name, value in page.attributes if name in ("src", "href")]
    assert links
    assert all(link.startswith("#") for link in links)
    ids = {value for name, value in page.attributes if name == "id"}
    assert {link[1:] for link in links} <= ids
    assert 'class="is-english"' in text


def test_a_report_of_one_language_without_english_has_a_page(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("?!")
    for language in ("ki", "zh-Hant"):
        report = openroots.fertility([str(folder / "mine")], text=[str(tmp_path / "t.txt")], language=language)
        assert Page(render(report)).open == []


def test_unknown_tokens_are_warned_of(tmp_path: Path) -> None:
    word_piece().save(str(tmp_path / "tokenizer.json"))
    done = fertility("--tokenizer", f"bert={tmp_path}")
    assert done.exit_code == 0, done.output
    assert "bert cannot represent everything" in done.output


def test_an_axis_holds_its_values_and_one_and_two() -> None:
    assert Scale.around([]) == Scale(0, 1)
    assert Scale.around([0.3, 18.2]) == Scale(-2, 5)
    assert [Scale(-1, 3).place(value) for value in (0.5, 1, 8)] == [0, 25, 100]


def test_the_command_has_the_defaults_of_python() -> None:
    defaults = {option.name: option.default for option in fertility_command.params}
    assert (defaults["sample"], defaults["tiktoken_pattern"]) == (SAMPLE_BYTES, TIKTOKEN_PATTERN)
