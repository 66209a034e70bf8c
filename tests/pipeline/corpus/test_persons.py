"""Names of people in a sample, found by models of spaCy's own kind: here by rules, which need no download."""

from pathlib import Path

import pytest
import spacy
from click.testing import CliRunner

from configs.errors import ConfigurationError
from openroots.cli import main
from pipeline.corpus.audit import audit
from pipeline.corpus.pages import audit_page
from pipeline.corpus.persons import Persons, models_of
from pipeline.corpus.reading import read_manifest


def model(folder: Path, label: str = "PER", name: str = "Saltmarsh") -> str:
    pipeline = spacy.blank("xx")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": name}])
    pipeline.to_disk(folder)
    return str(folder)


@pytest.mark.parametrize("label", ["PERSON", "PER", "persName"])
def test_people_are_found_by_what_a_model_calls_them(tmp_path: Path, label: str):
    persons = Persons({"en": model(tmp_path / "model", label)})
    assert persons.has_names(["The keeper of Saltmarsh.", "Nobody is here.", ""], "en") == [True, False, False]
    assert persons.model("fr") is None


def test_a_model_for_all_other_languages(tmp_path: Path):
    english, other = model(tmp_path / "a"), model(tmp_path / "b", name="Achieng")
    persons = Persons({"en": english, "*": other})
    assert persons.has_names(["Achieng"], "sw") == [True] and persons.has_names(["Achieng"], "en") == [False]


def test_programming_languages_are_looked_at_only_where_one_is_named(tmp_path: Path):
    english, other = model(tmp_path / "a"), model(tmp_path / "b")
    persons = Persons({"*": english, "python": other})
    assert persons.model("java", is_code=True) is None
    assert persons.model("python", is_code=True) == other
    assert persons.model("sw") == english


def test_the_audit_tells_the_share_of_documents_that_name_somebody(whole: Path, tmp_path: Path):
    name = model(tmp_path / "model")
    found = audit(str(whole), 1000, Persons({"en": name}))["second_look"]["persons"]
    documents = read_manifest(str(whole))["languages"]["en"]["documents"]
    assert set(found) == {"en"} and found["en"]["looked_at"] == documents
    assert found["en"]["documents"] == 1 and 0 < found["en"]["low"] < 1 / documents < found["en"]["high"] < 0.2
    page = audit_page(audit(str(whole), 1000, Persons({"en": name})))
    assert name in page and "were not searched for" not in page


def test_models_are_named_by_language():
    assert models_of(["en=en_core_web_sm", "*=C:\\models=x"]) == {"en": "en_core_web_sm", "*": "C:\\models=x"}
    for said in (["en"], ["=x"], ["en="], ["en=a", "en=b"]):
        with pytest.raises(ConfigurationError, match="--ner"):
            models_of(said)


def test_what_is_no_model_of_people_is_refused_by_name(tmp_path: Path):
    (tmp_path / "text.txt").write_text("no model")
    spacy.blank("en").to_disk(tmp_path / "blank")
    model(tmp_path / "places", "LOC")
    for name in (
        "no_such_model",
        str(tmp_path / "text.txt"),
        str(tmp_path),
        str(tmp_path / "blank"),
        str(tmp_path / "places"),
    ):
        with pytest.raises(ConfigurationError, match="--ner"):
            Persons({"en": name})


def test_the_command_takes_models_and_a_sample(whole: Path, tmp_path: Path):
    asked = ["audit", str(whole), "--ner", f"en={model(tmp_path / 'model')}"]
    done = CliRunner().invoke(main, [*asked, "--sample", "1000"])
    assert done.exit_code == 0 and "with a name" in done.output
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 2 and "--sample" in done.output
