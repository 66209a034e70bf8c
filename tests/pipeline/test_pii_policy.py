"""What a recipe asks for is done with the personal data of each source and language. All data here is made up."""

from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import ConfigurationError
from configs.load import load_recipe
from configs.models import PersonalData
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.reading import open_arrow, shard_paths
from pipeline.decide import personal_data_verdict
from pipeline.pii import Redactor
from pipeline.pii.policy import actions_of, pseudonym_key, treated
from tests.pipeline.corpus.conftest import write_inputs
from tests.small_build import build

MAIL = "Write to maria.silva@uni-hamburg.de today, or to maria.silva@uni-hamburg.de tomorrow."
KEY = b"k" * 32


def batch(texts: list[str], sources: list[str], languages: list[str]) -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string()), "source": sources, "language": languages}
    return pa.RecordBatch.from_pydict(columns)


def redactor(key: bytes | None = KEY) -> Redactor:
    return Redactor(("EMAIL", "PHONE", "KEY"), {"en": ("US", "GB")}, frozenset(), key=key)


def texts_under(policy: PersonalData, texts: list[str], source: str = "a", language: str = "en") -> list[str]:
    rows = batch(texts, [source] * len(texts), [language] * len(texts))
    return treated(rows, redactor(), actions_of(rows, policy))[0].to_pylist()


def test_a_source_goes_before_its_language_and_that_before_the_recipe():
    policy = PersonalData(action="redact", by_language={"fr": "review"}, by_source={"a": "detect"})
    rows = batch([MAIL] * 4, ["a", "b", "a", "b"], ["fr", "fr", "en", "en"])
    assert actions_of(rows, policy) == ["detect", "review", "detect", "redact"]


def test_detect_counts_and_changes_nothing():
    rows = batch([MAIL], ["a"], ["en"])
    texts, counts = treated(rows, redactor(), ["detect"])
    assert texts.to_pylist() == [MAIL]
    assert counts["pii_email"].to_pylist() == [2]


def test_pseudonyms_are_the_same_for_the_same_value_and_no_other():
    pseudonymise = PersonalData(action="pseudonymise")
    one, other, again = texts_under(
        pseudonymise, [MAIL, "To juan@uni-hamburg.de.", "MARIA.Silva@uni-hamburg.de wrote."]
    )
    name = one.split()[2].rstrip(",")
    assert name.startswith("PI:EMAIL-") and len(name) == len("PI:EMAIL-") + 12
    assert one.count(name) == 2 and name in again and name not in other
    assert "uni-hamburg" not in one + other + again


def test_pseudonyms_of_a_telephone_number_do_not_depend_on_its_groups():
    texts = texts_under(PersonalData(action="pseudonymise"), ["Call +44 20 7946 0018.", "Call +44 (20) 79460018."])
    assert texts[0] == texts[1] and "PI:PHONE-" in texts[0]


def test_another_key_gives_other_pseudonyms():
    rows = batch([MAIL], ["a"], ["en"])
    first, second = (treated(rows, redactor(key * 32), ["pseudonymise"])[0] for key in (b"k", b"l"))
    assert first != second


def test_a_second_look_finds_nothing_in_pseudonyms():
    [once] = texts_under(PersonalData(action="pseudonymise"), [MAIL + " Call +44 20 7946 0018."])
    assert texts_under(PersonalData(action="pseudonymise"), [once]) == [once]
    rows = batch([once], ["a"], ["en"])
    assert treated(rows, redactor(), ["redact"])[1]["pii_email"].to_pylist() == [0]


def test_secrets_have_no_pseudonym():
    [text] = texts_under(PersonalData(action="pseudonymise"), ["key AKIAQ7W3E5R9T1Y6U8I0 ok"])
    assert text == "key PI:KEY ok"


@pytest.mark.parametrize(("action", "reason"), [("drop", "personal_data_found"), ("review", "personal_data_review")])
def test_drop_and_review_take_out_what_holds_any(action, reason):
    rows = batch([MAIL, "nothing"], ["a", "a"], ["en", "en"])
    policy = PersonalData(action=action)
    texts, counts = treated(rows, redactor(), actions_of(rows, policy))
    for name, column in counts.items():
        rows = rows.append_column(name, column)
    verdict = personal_data_verdict(rows, policy)
    assert (verdict.stage, verdict.reason.to_pylist()) == ("personal_data", [reason, None])
    assert (verdict.measure.to_pylist(), verdict.value.to_pylist()) == (["findings", None], [2.0, None])
    assert (verdict.threshold.to_pylist(), verdict.note.to_pylist()) == ([None, None], ["EMAIL 2", None])
    assert "hamburg" not in texts[0].as_py()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "needs a file"), (b"short", "fewer than 16"), (b"  \n" * 20, "fewer than 16")]
)
def test_pseudonyms_without_a_secret_are_refused(content, said, tmp_path):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    policy = PersonalData(action="pseudonymise", key_file=None if content is None else str(path))
    with pytest.raises(ConfigurationError, match=said):
        pseudonym_key(policy)


def test_a_recipe_may_not_name_sources_or_languages_that_are_not_there(tmp_path):
    recipe = write_inputs(tmp_path)
    for table in ('by_source = { nowhere = "drop" }', 'by_language = { xx = "drop" }', 'action = "hide"'):
        (tmp_path / "wrong.toml").write_text(recipe.read_text() + f"\n[personal_data]\n{table}\n")
        with pytest.raises(ConfigurationError, match=r"nowhere|xx|action"):
            load_recipe(str(tmp_path / "wrong.toml"))


def test_a_build_with_pseudonyms_holds_them_and_no_address(tmp_path: Path):
    recipe = write_inputs(tmp_path)
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    table = f'\n[personal_data]\nby_source = {{ in = "pseudonymise" }}\nkey_file = "{tmp_path}/key"\n'
    recipe.write_text(recipe.read_text() + table)
    manifest = build(recipe, tmp_path / "corpus")
    held = ""
    for path in shard_paths(manifest):
        with open_arrow(str(tmp_path / "corpus" / path)) as (_, batches):
            held += "".join(text for rows in batches for text in rows["text"].to_pylist())
    assert held.count("PI:EMAIL-") == 1 and "keeper@" not in held
    assert "0123456789abcdef" not in (tmp_path / "corpus" / "manifest.json").read_text()
    assert len(find(str(tmp_path / "corpus"), Wanted(email="keeper@saltmarsh.org")).rows) == 1
