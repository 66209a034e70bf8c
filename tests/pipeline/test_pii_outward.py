"""Names, addresses, metadata and messages are written without the personal data in them."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.load import load_languages
from configs.models import PersonalData
from pipeline.pii import Redactor
from pipeline.pii.outward import Outward
from pipeline.text.schema import CHARACTERS_MAX

REGIONS = {code: language.phone_regions for code, language in load_languages().natural.items()}
OUTWARD = Outward(Redactor(PersonalData().kinds, REGIONS))
KEY = "ghp_" + "a1B2c3D4e5F6" * 3

NAMES = {
    "2021_jane_doe@acme.com_x.txt.gz!in/ner.txt": "PI:EMAIL_x.txt.gz!in/ner.txt",
    "in/jane.doe@acme-corp.com.jsonl": "in/PI:EMAIL.jsonl",
    "https://host/u?email=jane%40acme.com&x=1": "https://host/u?email=PI:EMAIL&x=1",
    "https://jane:s3cretpw@host.acme.io/x": "https://jane:PI:KEY@host.acme.io/x",
    "https://blog.org/@jane_doe/post": "https://blog.org/PI:USER/post",
    "81.2.69.142.log": "PI:IP_ADDRESS.log",
    "srv-81.2.69.142-2021.json": "srv-PI:IP_ADDRESS-2021.json",
    "call_+44-20-7946-0958.mp3": "call_PI:PHONE.mp3",
    "https://host/phone/0803 123 4567/x": "https://host/phone/PI:PHONE/x",
    "calls/0803_123_4567.wav": "calls/PI:PHONE.wav",
    "iban_DE89370400440532013000.pdf": "iban_PI:IBAN.pdf",
    "4111111111111111.csv": "PI:CREDIT_CARD.csv",
    f"x/{KEY}.txt": "x/PI:KEY.txt",
    "declared `jane@acme.com`, which is no code": "declared `PI:EMAIL`, which is no code",
}
CLEAN = [
    "https://unpkg.com/@types/node@1.2.3/index.d.ts",
    "node_modules/@angular/core/index.js",
    "https://example.org/a%20b/%D9%85.html",
    "2024/01/30/article-12345.html",
    "sha/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "Déjà vu à l'été 2021.txt",
    "CC-BY-SA-4.0 OR (MIT AND Apache-2.0)",
    "help-hi_7.4.deb!text/shared/01/04060119.html",
    "help-ca_4%3a7.4.7-1+deb12u14_all.deb!help/ca/text/sbasic/shared/01/06130000.html",
    "extensions/langpack-pt-BR@firefox-esr.mozilla.org.xpi!localization/pt-BR/browser.ftl",
    "lib-1.2.3.4.tar.gz!lib-1.2.3.4/README.md",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_loses_what_leads_to_a_person(name: str) -> None:
    assert OUTWARD.name(name) == NAMES[name]
    assert OUTWARD.names(pa.array([name, None, "x"])).to_pylist() == [NAMES[name], None, "x"]


@pytest.mark.parametrize("name", CLEAN)
def test_an_ordinary_name_stays(name: str) -> None:
    assert OUTWARD.name(name) == name


def test_a_column_of_ordinary_names_is_the_same_array() -> None:
    names = pa.array([*CLEAN, None])
    assert OUTWARD.names(names) is names
    assert OUTWARD.metadata(pa.array(['{"a": 1}', None])).to_pylist() == ['{"a": 1}', None]


def test_keys_and_values_of_metadata_lose_it_and_the_rest_stays_as_it_is() -> None:
    said = {
        "jane@acme.com": 1, "n": 4111111111111111, "phone": "0803 123 4567", "big": 2**70, "none": None, "yes": True,
        "list": ["x", {"api_key": "f3J9sKq0ZpX7vB2mN8tL4cWy"}], "title": "café",
    }  # fmt: skip
    told = json.loads(OUTWARD.metadata(pa.array([json.dumps(said)]))[0].as_py())
    assert told == {
        "PI:EMAIL": 1, "n": "PI:CREDIT_CARD", "phone": "PI:PHONE", "big": 2**70, "none": None, "yes": True,
        "list": ["x", {"api_key": "PI:KEY"}], "title": "café",
    }  # fmt: skip


def test_metadata_of_any_depth_stays_json() -> None:
    deep = "[" * 5000 + '"jane@acme.com"' + "]" * 5000
    assert "jane" not in OUTWARD.metadata(pa.array([deep]))[0].as_py()
    json.loads(OUTWARD.metadata(pa.array([deep]))[0].as_py())


def test_a_long_name_is_cut() -> None:
    assert OUTWARD.names(pa.array(["x" * 10_000]))[0].as_py() == "x" * CHARACTERS_MAX + "…"


def test_only_the_kinds_of_the_recipe_are_taken() -> None:
    assert Outward(Redactor((), {})).name("jane@acme.com") == "jane@acme.com"


PARTS = st.lists(
    st.sampled_from([*NAMES, *CLEAN, "%", "%40", "/", "_", "@", ".", "x", "é", "\ud800", "PI:EMAIL"]), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(PARTS.map("".join))
def test_a_second_time_changes_nothing(name: str) -> None:
    once = OUTWARD.name(name)
    assert OUTWARD.name(once) == once


VALID = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*NAMES, *CLEAN, "tel%3A+44 20 7946 0958", "2024-01-30T10:11:12"]), VALID)))
def test_a_column_says_of_each_name_what_the_name_alone_gets(names: list[str]) -> None:
    assert OUTWARD.names(pa.array(names, pa.string())).to_pylist() == [OUTWARD.name(name) for name in names]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(VALID, st.one_of(st.sampled_from([*NAMES, *CLEAN]), VALID, st.integers()), max_size=3)))
def test_metadata_in_a_column_is_what_each_alone_is(rows: list[dict[str, object]]) -> None:
    values = [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows]
    alone = [OUTWARD.metadata(pa.array([value]))[0].as_py() for value in values]
    assert OUTWARD.metadata(pa.array(values, pa.string())).to_pylist() == alone
