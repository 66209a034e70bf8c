"""The audit and the public summary say what the corpus holds, escape what comes from it, and own up to gaps."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openroots.cli import main
from pipeline.corpus.audit import audit
from pipeline.corpus.concentration import concentration, gini, top_domains
from pipeline.corpus.pages import audit_page, ratio

PROVIDER = """
[provider]
name = "Institute of <b>Letters</b>"
contact = "letters@institute.org"
[model]
names = ["letters-1"]
dependencies = "none"
placed_on_market = 2026-12-01
latest_acquisition = 2026-11-26
continuous = "no"
content = "made-up prose"
[attestations]
licensed_data = "no"
other_private_data = "no"
crawlers = "{crawlers}"
user_data_model = "not applicable"
user_data_services = "no"
synthetic_data = "no"
other_data = "no"
code_of_practice = "yes"
[descriptions]
reservations = "robots.txt and ai.txt are obeyed"
illegal_content = "lists and takedowns"
{more}
"""


def write_provider(folder: Path, crawlers: str = "no", more: str = "") -> str:
    path = folder / "provider.toml"
    path.write_text(PROVIDER.format(crawlers=crawlers, more=more))
    return str(path)


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(("amounts", "expected"), [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([3], None), ([], None)])
def test_gini(amounts, expected):
    assert gini(amounts) == (None if expected is None else pytest.approx(expected))


def test_concentration_names_the_largest():
    found = concentration({"a": 6, "b": 3, "c": 1})
    assert (found["top_share"], found["largest"][0]["name"], found["number"]) == (0.6, "a", 3)


def test_small_providers_list_five_percent_or_a_thousand_domains():
    amounts = {f"{number}.example": number for number in range(100)}
    assert len(top_domains(amounts, 0.10)) == 10
    assert len(top_domains(amounts, 0.05, 1000)) == 5
    assert len(top_domains({f"{n}": n for n in range(40_000)}, 0.05, 1000)) == 1000


def test_ratios_are_told_in_words():
    assert [ratio(0.3, 0.1), ratio(0.1, 1.2), ratio(0.0, 0.1), ratio(0.1, None)] == ["3.0 ×", "1/12", "none", "–"]


def test_the_audit_counts_what_the_shards_hold(whole):
    found = audit(str(whole))
    statistics = json.loads((whole / "statistics.json").read_text())
    assert sum(row["bytes"] for row in found["languages"]) == statistics["bytes"]
    assert sum(row["share"] for row in found["licences"]) == pytest.approx(1)
    assert {row["name"] for row in found["concentration"]["domains"]["largest"]} >= {"site-1.example", "site-2.example"}
    english = next(row for row in found["languages"] if row["code"] == "en")
    assert english["speakers"] > 1e9


def test_the_audit_page_escapes_what_comes_from_sources(whole, tmp_path):
    found = audit(str(whole))
    found["sources"][0]["custodian"] = "<script>alert(1)</script>"
    page = audit_page(found)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_audit_command_writes_its_page_and_nobody_elses(whole, tmp_path):
    page = tmp_path / "audit.html"
    result = run("audit", str(whole), "--html", str(page))
    assert result.exit_code == 0, result.output
    assert "CC-BY-4.0" in page.read_text()
    page.write_text("mine")
    assert run("audit", str(whole), "--html", str(page)).exit_code == 1
    assert page.read_text() == "mine"


@pytest.mark.parametrize("how", ["cut", "missing"])
def test_the_audit_names_shards_that_are_cut_or_missing(corpus, how, tmp_path):
    shard = next((corpus / "data" / "fr").glob("*.arrow"))
    if how == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    else:
        shard.unlink()
    result = run("audit", str(corpus), "--html", str(tmp_path / "audit.html"))
    name = f"data/fr/{shard.name}"
    assert result.exit_code == 1 and name in result.output and "openroots verify" in result.output
    assert name in (tmp_path / "audit.html").read_text()
    damaged = json.loads(run("audit", str(corpus), "--json").output)["damaged"]
    assert [each["file"] for each in damaged] == [name]


def test_the_summary_is_complete_where_all_is_answered(whole, tmp_path):
    result = run("summary", str(whole), "--provider", write_provider(tmp_path), "--json")
    summary = json.loads(result.stdout)
    assert summary["missing"] == []
    assert [section["number"] for section in summary["sections"]][:4] == ["1.1", "1.2", "1.3", "2.1"]
    size = next(e for s in summary["sections"] for e in s["entries"] if e["question"] == "Training data size")
    assert "less than 1 billion tokens" in size["answer"]


def answers(summary: dict, number: str) -> dict[str, str]:
    return {e["question"]: e["answer"] for s in summary["sections"] if s["number"] == number for e in s["entries"]}


def test_the_fields_of_the_template_are_filled_from_the_corpus(whole, tmp_path):
    changes = '[[changes]]\nversion = "1.1"\ndate = 2026-11-27\nchange = "first"'
    more = f'[document]\nsource = "https://institute.org/summary"\n{changes}'
    result = run("summary", str(whole), "--provider", write_provider(tmp_path, more=more), "--json")
    summary = json.loads(result.stdout)
    general = answers(summary, "1.3")
    assert general["Latest date of data acquisition/collection for model training"] == "11/2026"
    assert (
        "official languages of the Union 2: English, French"
        in general["Description of the linguistic characteristics of the overall training data"]
    )
    assert general["Other relevant characteristics of the overall training data"] == "Scripts (ISO 15924): Latn 100 %"
    assert "robots.txt for GPTBot" in answers(summary, "3.1")["Opt-outs that the build heeds"]
    assert (summary["version"], summary["updated"]) == ("1.1", "27/11/2026")
    assert [line.split(":")[1] for line in summary["advice"]] == [" document.versions", " document.notices"]


def test_who_used_synthetic_data_is_asked_for_the_models(whole, tmp_path):
    path = Path(write_provider(tmp_path))
    path.write_text(path.read_text().replace('synthetic_data = "no"', 'synthetic_data = "yes"'))
    summary = json.loads(run("summary", str(whole), "--provider", str(path), "--json").stdout)
    assert len([name for name in summary["missing"] if name.startswith("2.5 ")]) == 2


def test_what_the_provider_has_not_said_is_listed_and_domains_are_named(whole, tmp_path):
    provider = write_provider(tmp_path, "yes", '[sources]\ncrawled = ["in"]')
    html, text = tmp_path / "s.html", tmp_path / "s.md"
    result = run("summary", str(whole), "--provider", provider, "--html", str(html), "--markdown", str(text))
    assert result.exit_code == 0, result.output
    assert "not answered: 2.3 Crawler name(s)/identifier(s)" in result.output
    assert "for the provider to answer" in html.read_text()
    assert "Institute of &lt;b&gt;Letters" in html.read_text()
    assert "<b>Letters" not in text.read_text()
    assert ".example" in text.read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_file_from_an_editor_of_windows_is_read(whole, tmp_path, encoding):
    path = Path(write_provider(tmp_path))
    path.write_bytes(path.read_text("utf-8").replace("\n", "\r\n").encode(encoding))
    assert run("summary", str(whole), "--provider", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[sources]\ncrawled = ["nowhere"]', "no source `nowhere`"),
        ('[comments]\n"9.9" = "x"', "unknown key `comments.9.9`"),
        ("[crawlin]\nx = 1", "did you mean `crawling`"),
        ('[crawling]\nbegin = "once"', "`crawling.begin`"),
        ("[crawling]\nbegin = 2026-05-01\nend = 2025-01-01", "is before `begin`"),
        ('[sources]\nlicensed = ["in"]\nprivate = ["in"]', "named as licensed and as private"),
        ('[comments]\n"2.3" = "a\\u001b[2Jb"', "`comments.2.3` holds the control character U+001B"),
        ('[document]\nsource = "\\u202etxt"', "U+202E"),
        ('[sources]\nlicensed = "in"', "should be a list"),
    ],
)
def test_a_wrong_provider_file_gets_a_clear_error(whole, tmp_path, more, said):
    result = run("summary", str(whole), "--provider", write_provider(tmp_path, more=more))
    assert result.exit_code == 1
    assert said in result.output


def test_every_heading_and_question_of_the_template_is_there_in_its_words(whole, tmp_path):
    answers_yes = ("licensed_data", "other_private_data", "user_data_services", "synthetic_data", "other_data")
    path = Path(write_provider(tmp_path, "yes", '[comments]\n"2.3" = "a comment"\n[sources]\nlicensed = ["in"]'))
    text = path.read_text()
    for name in answers_yes:
        text = text.replace(f'{name} = "no"', f'{name} = "yes"')
    path.write_text(text)
    page = run("summary", str(whole), "--provider", str(path)).stdout
    at = 0
    for line in TEMPLATE.strip().splitlines():
        assert line in page[at:], line
        at += page[at:].index(line)


TEMPLATE = """
## 1 General information
### 1.1 Provider identification
Provider name and contact details
Authorised representative name and contact details
### 1.2 Model identification
Versioned model name(s)
Model dependencies
Date of placement of the model on the Union market
### 1.3 Modalities, overall training data size and other characteristics
Modality
Training data size
Types of content
Latest date of data acquisition/collection for model training
Description of the linguistic characteristics of the overall training data
Other relevant characteristics of the overall training data
## 2 List of data sources
### 2.1 Publicly available datasets
Have you used publicly available datasets to train the model?
### 2.2 Private non-publicly available datasets obtained from third parties
#### 2.2.1 Datasets commercially licensed by rightsholders or their representatives
Have you concluded transactional commercial licensing agreement(s) with rightsholder(s) or with their representatives?
#### 2.2.2 Private datasets obtained from other third parties
Have you obtained private datasets from third parties that are not licensed as described in Section 2.2.1
List of publicly known private datasets
General description of non-publicly known private datasets obtained from third parties
### 2.3 Data crawled and scraped from online sources
Were crawlers used by the provider or on its behalf?
Crawler name(s)/identifier(s)
Purposes of the crawler(s)
General description of crawler behaviour
Period of data collection
Comprehensive description of the type of content and online sources crawled
Type of modality covered
Summary of the most relevant domain names crawled
Additional comments (optional)
### 2.4 User data
Was data from user interactions with the AI model (e.g. user input and prompts) used to train the model?
Was data collected from user interactions with the provider
General description of the provider
### 2.5 Synthetic data
Was synthetic AI-generated data created by the provider or on its behalf to train the model?
General-purpose AI model(s) used to generate the synthetic data
Other AI models used to generate the synthetic data
### 2.6 Other sources of data
Have data sources other than those described in Sections 2.1 to 2.5 been used to train the model?
Narrative description of these data sources and the data
## 3 Data processing aspects
### 3.1 Respect of reservation of rights from text and data mining exception or limitation
Are you a Signatory to the Code of Practice for general-purpose AI models
Measures implemented before model training to respect reservations of rights
### 3.2 Removal of illegal content
General description of measures taken
### 3.3 Other information (optional)
Other relevant information about data processing
"""
