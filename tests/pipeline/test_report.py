"""The report page: whole, escaped, self-contained, the same each time."""

import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from configs.errors import OutputError
from governance.figures import quantile, typical
from governance.licence_report import licence_statistics
from pipeline.report import svg, write_report
from pipeline.report.html import _licences
from tests.pipeline.small_corpus import HOSTILE, TEXTS, SmallCorpus, plausible, source

VOID = {"meta", "br", "link", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements of a page in order, and whether each that was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect what is shown."""
        self.text += data


def _page(corpus: SmallCorpus, **changes: Any) -> Page:
    corpus.report(**changes)
    return Page((corpus.folder / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return _page(plausible(tmp_path_factory.mktemp("corpus")))


def test_the_page_is_well_formed(page):
    assert page.open == []
    assert [tag for tag, _ in page.elements].count("h1") == 1


def test_the_page_needs_nothing_else(page):
    """No script, and nothing that a browser would load."""
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_links_lead_to_sections(page):
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    assert links and links <= ids


def test_each_plot_has_a_title_and_a_description(page):
    pictures = [place for place, (_, attributes) in enumerate(page.elements) if attributes.get("role") == "img"]
    assert pictures
    for place in pictures:
        assert [tag for tag, _ in page.elements[place + 1 : place + 3]] == ["title", "desc"]


def test_excerpts_tell_their_language_and_direction(page):
    quotes = [attributes for tag, attributes in page.elements if tag == "blockquote"]
    assert all(attributes["dir"] == "auto" for attributes in quotes)
    assert {"ar", "hi", "sw"} <= {attributes.get("lang") for attributes in quotes}


def test_arabic_and_devanagari_are_shown_as_they_are(page):
    assert TEXTS["ar"].strip() in page.text
    assert TEXTS["hi"].strip() in page.text


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    bad = source("bad", title=HOSTILE, custodian=HOSTILE, consent=HOSTILE, provenance=HOSTILE, licence=HOSTILE)
    corpus = SmallCorpus(tmp_path, ("sw",), (source("good"), bad), {"title": HOSTILE, "description": HOSTILE})
    corpus.keep("sw", HOSTILE, "bad", uri=HOSTILE, licence=HOSTILE, cluster_size=4, language_declared=HOSTILE)
    corpus.drop("sw", HOSTILE, "quality", HOSTILE, HOSTILE)
    problem = {"source": HOSTILE, "file": HOSTILE, "cause": HOSTILE, "remedy": HOSTILE}
    missing = {"source": HOSTILE, "package": HOSTILE, "cause": HOSTILE, "remedy": HOSTILE}
    page = _page(corpus, problems=[problem], unavailable=[missing], digest=HOSTILE)
    assert page.open == []
    assert "script" not in [tag for tag, _ in page.elements]
    assert page.text.count("<script>alert(1)</script>") > 10
    assert not any((attributes.get("href") or "").startswith("javascript") for _, attributes in page.elements)


def test_a_language_without_text_is_named(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw", "wo"))
    corpus.keep("sw", TEXTS["sw"])
    assert "languages in the recipe:\nWolof" in _page(corpus).text


def test_one_language_makes_a_page(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.keep("sw", TEXTS["sw"])
    page = _page(corpus)
    assert "Swahili" in page.text and "None were." in page.text


def test_a_corpus_of_code_alone_makes_a_page(tmp_path):
    corpus = SmallCorpus(tmp_path, ("python",))
    corpus.keep("python", TEXTS["python"])
    assert "All 1 together" in _page(corpus).text


def test_an_empty_corpus_makes_a_page(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw", "en"))
    corpus.drop("sw", TEXTS["sw"], "quality", "words_min", "10 < 20")
    page = _page(corpus)
    assert page.open == [] and "Words below the threshold" in page.text


def test_the_bytes_are_the_same_each_time(tmp_path):
    corpus = plausible(tmp_path / "one", ("en", "ar", "python"))
    manifest = corpus.write()
    shutil.copytree(corpus.folder, tmp_path / "two")
    for name in ("one", "two"):
        write_report(str(tmp_path / name), corpus.plan, manifest, {}, corpus.examples)
    written = {
        name: {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")
               if path.is_file()}
        for name in ("one", "two")
    }  # fmt: skip
    assert written["one"] == written["two"]
    assert {Path("README.md"), Path("report.html"), Path("croissant.json"), Path("cards/ar.md")} <= set(written["one"])


def test_an_output_that_cannot_be_written_is_said(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.keep("sw", TEXTS["sw"])
    manifest = corpus.write()
    (tmp_path / "cards").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cards"):
        write_report(str(tmp_path), corpus.plan, manifest, {}, [])


def test_a_histogram_shows_thresholds_that_lie_in_view():
    counts, edges = [0, 3, 5, 1, 0, 0, 0, 0, 0, 0], [place / 10 for place in range(11)]
    drawn = svg.histogram(counts, edges, title="t", unit="", low=0.1, high=0.9)
    assert str(drawn).count('class="threshold"') == 2


def test_a_quantile_lies_where_numpy_finds_it():
    assert quantile([1, 1, 2], [0.0, 1.0, 2.0, 3.0], 0.5) == pytest.approx(2.0)
    assert quantile([0, 4], [0.0, 1.0, 3.0], 0.25) == pytest.approx(1.5)


def test_a_quantile_in_the_bin_at_zero_is_not_made_up():
    assert typical([9, 1], [0.0, 0.01, 0.02], 0.5) == "under 0.01"


def test_svg_escapes_its_strings():
    assert "<script>" not in str(svg.element("text", HOSTILE, x=HOSTILE))


def test_licences_are_told_before_and_after_with_what_contradicts() -> None:
    row = {"detected": "", "conflict": False, "bytes": 10}
    rows = [
        {**row, "declared": "MIT", "licence": "MIT", "reason": "admitted", "documents": 8},
        {**row, "declared": "MIT", "detected": "GPL-3.0-only", "licence": "GPL-3.0-only", "reason": "licence_conflict",
         "conflict": True, "documents": 3},
    ]  # fmt: skip
    licences = licence_statistics(rows, {"MIT": {"documents": 7, "bytes": 70}})
    shown = _licences(licences["by_licence"])["rows"]
    assert [(name, entry["entered"], entry["admitted"], entry["kept"]) for name, entry in shown] == [
        ("MIT", 8, 8, 7), ("GPL-3.0-only", 3, 0, 0),
    ]  # fmt: skip


def test_the_page_has_a_row_for_each_licence_and_each_contradiction(tmp_path: Path) -> None:
    corpus = plausible(tmp_path)
    row = {"declared": "MIT", "detected": "<i>GPL-3.0-only", "licence": "GPL-3.0-only", "reason": "licence_conflict"}
    corpus.report(licences=[{**row, "conflict": True, "documents": 4, "bytes": 1}])
    page = Page((corpus.folder / "report.html").read_text("utf-8"))
    assert ("section", {"id": "licences"}) in page.elements
    assert "Where files contradict what was declared" in page.text
    assert "<i>GPL-3.0-only" in page.text  # shown as it is, and no element
