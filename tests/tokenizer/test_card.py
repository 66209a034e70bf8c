"""The card says what the data says; figures add up."""

import html
import json
from pathlib import Path

import yaml

from tokenizer.card import card, head, training_record, write_card
from tokenizer.count_phase import WordTable
from tokenizer.settings import Training


def entry(size: int, weight: int, left_out: int = 0) -> dict[str, int]:
    return {
        "bytes": 2 * size,
        "bytes_counted": size,
        "words": size // 10,
        "occurrences": size // 5,
        "words_left_out": left_out,
        "occurrences_left_out": left_out,
        "weight": weight,
    }


def record(training: Training | None = None, corpus: dict[str, str] | None = None):
    languages = {"en": entry(3_000, 1), "sw": entry(1_000, 3, left_out=50), "python": entry(1_000, 3)}
    table = WordTable("somewhere/words.arrow", "abc", languages)
    return training_record(training or Training(count_min=2), table, 7, 1_000, 740, 0, (500, 2_000), corpus)


def test_shares_add_up_before_and_after_weights() -> None:
    languages = record()["languages"]
    assert [languages[code]["share"] for code in ("en", "python", "sw")] == [0.6, 0.2, 0.2]
    assert sum(figures["sample_share"] for figures in languages.values()) == 1
    assert languages["sw"]["sample_share"] == 1 / 3


def test_what_count_min_left_out_is_said() -> None:
    assert record()["words"]["share_left_out"] == 50 / 1_050
    assert "50 of 1,050 occurrences (4.8 %)" in card(record())
    assert "No rare words were left out" in card(record(Training()))


def test_the_head_names_languages_licence_and_library() -> None:
    front = yaml.safe_load(card(record()).split("---")[1])
    assert front == head(record())
    assert front["language"] == ["en", "sw", "code"]
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "transformers"
    unknown = head(record(Training(licence="LicenseRef-Own")))
    assert (unknown["license"], unknown["license_name"]) == ("other", "licenseref-own")


def test_names_from_outside_cannot_break_the_card() -> None:
    text = card(record(Training(pattern=r" \w+|`<b>|\S", count_min=1), {"name": "*x* <script>", "digest": "d"}))
    assert "<script>" not in text
    assert html.unescape(text.split("| pattern | <code>")[1].split("</code> |")[0]) == r" \w+|`<b>|\S"
    assert r"\*x\* &lt;script&gt;" in text


def test_fertility_stands_in_the_card_and_the_data(tmp_path: Path) -> None:
    row = {
        "language": "sw",
        "tokens_per_word": 1.5,
        "tokens_per_character": None,
        "bytes_per_token": 4.0,
        "premium": 1.25,
    }
    write_card(str(tmp_path), record(), [row])
    assert "| Swahili | `sw` | 1.50 |  | 4.00 | 1.25 |" in (tmp_path / "README.md").read_text()
    assert json.loads((tmp_path / "training.json").read_text())["fertility"] == [row]
