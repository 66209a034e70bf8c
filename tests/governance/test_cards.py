"""Cards: a YAML head that `datasets` reads, and prose that nothing in a source can break out of."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

from governance.cards import corpus_card, fenced, head, hub_licences, language_card, markdown, quoted, size_category
from tests.pipeline.small_corpus import HOSTILE, TEXTS, SmallCorpus, plausible, source


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`datasets` must not ask the Hub, nor keep a cache from one test to the next."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallCorpus, dict[str, Any]]:
    corpus = plausible(tmp_path_factory.mktemp("corpus"))
    return corpus, corpus.report()


def _front(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("code", ["ar", "hi", "sw", "zh-Hans", "python"])
def test_datasets_opens_a_language(built, code, streaming):
    corpus, _ = built
    opened = datasets.load_dataset(str(corpus.folder), code, split="train", streaming=streaming)
    expected = [row["text"] for row in corpus.kept if row["language"] == code]
    assert [row["text"] for row in opened] == expected


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_opens_all_by_default(built, streaming):
    corpus, statistics = built
    opened = datasets.load_dataset(str(corpus.folder), split="train", streaming=streaming)
    assert sum(1 for _ in opened) == statistics["documents"]


def test_datasets_knows_the_names_of_the_languages(built):
    corpus, statistics = built
    names = datasets.get_dataset_config_names(str(corpus.folder))
    assert set(names) == {"all", *(code for code, entry in statistics["languages"].items() if entry["documents"])}
    assert datasets.get_dataset_default_config_name(str(corpus.folder)) == "all"


def test_a_finished_build_opens_in_each_script(tiny: tuple[Path, dict[str, Any]]):
    output, manifest = tiny
    for code in ("sw", "ar", "hi", "zh-Hans", "ta"):
        opened = datasets.load_dataset(str(output), code, split="train")
        assert opened.num_rows == manifest["languages"][code]["documents"]


def test_the_head_lists_languages_and_licences(built):
    front = _front((built[0].folder / "README.md").read_text("utf-8"))
    assert front["language"] == ["ar", "en", "hi", "sw", "zh", "code"]
    assert front["language_bcp47"] == ["zh-Hans"]
    assert front["license"] == ["mit"]
    assert front["size_categories"] == ["n<1K"]


def test_codes_that_yaml_takes_for_something_else_stay_strings(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.keep("sw", TEXTS["sw"])
    statistics = corpus.report()
    statistics["languages"]["no"] = statistics["languages"]["sw"]
    front = yaml.safe_load(yaml.safe_dump(head(statistics)))
    assert front["language"] == ["no", "sw"]


def test_licences_become_the_hubs():
    assert hub_licences(["MIT OR Apache-2.0", "CC-BY-SA-4.0"]) == (["apache-2.0", "cc-by-sa-4.0", "mit"], [])
    assert hub_licences(["(MIT AND LicenseRef-x)"]) == (["mit", "other"], ["LicenseRef-x"])


def test_an_unknown_licence_is_other_with_its_name(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.keep("sw", TEXTS["sw"], licence="LicenseRef-udhr")
    front = head(corpus.report())
    assert front["license"] == ["other"]
    assert front["license_name"] == "licenseref-udhr"


def test_sizes_fall_into_the_hubs_categories():
    assert [size_category(number) for number in (0, 999, 1000, 10**6)] == ["n<1K", "n<1K", "1K<n<10K", "1M<n<10M"]


def test_a_card_tells_losses_personal_data_and_excerpts(built):
    card = (built[0].folder / "cards" / "ar.md").read_text("utf-8")
    assert "Words below the threshold" in card
    assert "replaced by `PI:EMAIL`" in card
    assert '<blockquote lang="ar" dir="auto">' in card


def test_a_card_warns_of_a_small_language(built):
    corpus, statistics = built
    assert "memorises these texts" in language_card("sw", statistics, corpus.plan)


def test_a_wanted_language_without_text_is_a_known_gap(built):
    corpus, _ = built
    assert "No text in: Wolof (`wo`)" in (corpus.folder / "README.md").read_text("utf-8")
    assert not (corpus.folder / "cards" / "wo.md").exists()


def test_an_empty_corpus_has_a_card(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.drop("sw", TEXTS["sw"], "quality", "words_min")
    corpus.report()
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "configs" not in _front(card)
    assert "No document was kept." in card


def test_no_page_repaints_a_terminal(tmp_path):
    bad = "\x1b]0;title\x07 \x9b31m \u202e"
    corpus = SmallCorpus(tmp_path, ("sw",), (source("good", title=bad),))
    corpus.keep("sw", f"Habari {bad} za asubuhi", "good", uri=bad)
    corpus.drop("sw", f"Habari {bad} za jioni", "quality", "words_min", bad)
    corpus.report()
    pages = [*tmp_path.glob("*.md"), *tmp_path.glob("cards/*.md"), tmp_path / "report.html"]
    assert len(pages) > 2
    for page in pages:
        assert not set("\x1b\x07\x9b\u202e") & set(page.read_text("utf-8")), page.name


def test_hostile_names_stay_in_their_cell(tmp_path):
    bad = source("bad", title=HOSTILE, custodian=HOSTILE)
    corpus = SmallCorpus(tmp_path, ("sw",), (source("good"), bad), {"title": HOSTILE})
    corpus.keep("sw", HOSTILE, "bad", uri=HOSTILE)
    corpus.drop("sw", HOSTILE, "quality", "words_min", HOSTILE)
    statistics = corpus.report()
    for card in (
        corpus_card(statistics, {}, corpus.plan).split("---\n", 2)[2],
        language_card("sw", statistics, corpus.plan),
    ):
        assert "<script>" not in card
        assert "](javascript" not in card.replace(r"\]", "")
    front = _front((tmp_path / "README.md").read_text("utf-8"))
    assert front["pretty_name"] == HOSTILE


def test_markdown_is_one_line_without_markup():
    assert markdown("a |\n<b> *c*") == r"a \| &lt;b&gt; \*c\*"


def test_a_fence_is_longer_than_any_in_the_text():
    assert fenced("````\nx").splitlines()[0] == "`````text"


def test_a_quotation_is_one_block():
    assert "\n" not in quoted("a\n\n<script>", "ar")
    assert "<script>" not in quoted("a\n\n<script>", "ar")
