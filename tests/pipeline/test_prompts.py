"""Mixtures of prompts: what templates make of rows, what is held out, what is left out and why."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset

from configs.errors import ConfigurationError, InputError, OpenRootsError
from configs.mixtures import PromptSet, PromptTemplate, load_mixture
from pipeline.ledger import look_up
from pipeline.prompts.items import passages
from pipeline.prompts.mix import DUPLICATE, IN_EVALUATION, KEPT, OVER_LIMIT, choose, language_weights, mix_prompts
from pipeline.prompts.templates import Compiled, PromptError, compile_templates, read_promptsource
from pipeline.readers import list_units, read_unit
from pipeline.readers.dictionaries import headword_and_meaning
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine

MIXTURE = """
name = "mine"
title = "Mine"
held_out = {held_out}
examples_max = {most}

[source.reviews]
title = "Reviews"
reader = "jsonl"
licence = "CC-BY-4.0"
custodian = "me"
provenance = "made up"
languages = ["sw", "en"]
columns = {{ text = "review", id = "id", language = "lang", licence = "licence", metadata = ["*"] }}
packages = [{{ name = "{files}" }}]

[source.exam]
title = "Exam"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "me"
provenance = "made up"
languages = ["en"]
columns = {{ text = "review", language = "lang", metadata = ["*"] }}
packages = [{{ name = "{exam}" }}]

[set.reviews]
source = "reviews"
hidden = {{ label = [-1] }}
[[set.reviews.templates]]
name = "liked"
jinja = "{{{{ text }}}}\\nDid they like it? {{{{ answer_choices|join(' or ') }}}}? ||| {{{{ answer_choices[label] }}}}"
answer_choices = "No ||| Yes"
target_language = "en"
[[set.reviews.templates]]
name = "title"
jinja = "{{% if title %}}Give a title: {{{{ text }}}} ||| {{{{ title }}}}{{% endif %}}"

[set.exam]
source = "exam"
evaluation = true
[[set.exam.templates]]
name = "liked"
jinja = "{{{{ text }}}}\\nDid they like it? No or Yes? ||| {{{{ ['No', 'Yes'][label] }}}}"
"""


def review(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "lang": "sw" if number % 3 else "en",
        "review": f"Review {number}: a {'good' if number % 2 else 'bad'} book | and a cup of tea ||| with milk",
        "label": number % 2,
        "title": f"Book {number}" if number % 4 == 0 else None,
        **more,
    }


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def mixture(folder: Path, rows: list[dict[str, Any]], held_out: float = 0.2, most: int = 1000) -> str:
    files = write(folder / "reviews.jsonl", rows)
    exam = write(folder / "exam.jsonl", [{"lang": "en", "review": "a fine day", "label": 1}, review(0)])
    (folder / "mine.toml").write_text(MIXTURE.format(held_out=held_out, most=most, files=files, exam=exam))
    return str(folder / "mine.toml")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Prompts of 60 reviews, of which one has a hidden label, one a licence that is refused, and one is in the exam."""
    folder = tmp_path_factory.mktemp("prompts")
    rows = [review(number) for number in range(60)]
    rows[7] |= {"label": -1, "title": None}
    rows[8] |= {"licence": "CC-BY-NC-4.0"}
    rows[9] |= {"review": "mail jo.doe@acme-mail.com about it", "title": "Contact"}
    manifest = mix_prompts(load_mixture(mixture(folder, rows)), str(folder / "out"), engine=Engine(), offline=True)
    yield folder / "out", manifest


def all_prompts(output: Path, split: str) -> list[dict[str, Any]]:
    return list(load_dataset(str(output), split=split))


def test_datasets_opens_the_mixture_that_is_there_now(tmp_path: Path) -> None:
    for number in (0, 30):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = load_mixture(mixture(folder, [review(number + row) for row in range(30)]))
        mix_prompts(made, str(folder / "out"), engine=Engine(), offline=True)
        opened = load_dataset(str(folder / "out"), split="train", cache_dir=str(tmp_path / "cache"))
        assert any(review(number + row)["review"] in one for row in range(30) for one in opened["input"][:])


def test_datasets_opens_a_mixture_and_fields_with_bars_stay_whole(mixed: tuple[Path, dict[str, Any]]) -> None:
    rows = [row for split in ("train", "test") for row in all_prompts(mixed[0], split)]
    liked = {row["input"]: row for row in rows if row["set"] == "reviews" and row["template"] == "liked"}
    one = liked[f"{review(1)['review']}\nDid they like it? No or Yes?"]
    assert (one["target"], one["choices"]) == ("Yes", ["No", "Yes"])
    assert (one["language"], one["input_language"], one["target_language"]) == ("sw", "sw", "en")
    assert one["licence"] == "CC-BY-4.0"
    assert sum(row["template"] == "title" for row in rows) == 15  # of the 15 with a title one may not enter, one is new


def test_prompts_of_an_item_are_on_one_side_and_the_share_is_held_out(mixed: tuple[Path, dict[str, Any]]) -> None:
    train, held_out = (all_prompts(mixed[0], split) for split in ("train", "test"))
    documents = [{row["document"] for row in rows if row["set"] == "reviews"} for rows in (train, held_out)]
    assert not documents[0] & documents[1]
    assert 3 <= len(documents[1]) <= 22
    assert not [row for row in train if row["set"] == "exam"]


def test_what_the_exam_asks_is_not_trained_on(mixed: tuple[Path, dict[str, Any]]) -> None:
    train, held_out = (all_prompts(mixed[0], split) for split in ("train", "test"))
    asked = f"{review(0)['review']}\nDid they like it? No or Yes?"
    assert asked not in {row["input"] for row in train}
    assert asked in {row["input"] for row in held_out}


@pytest.mark.parametrize(
    ("key", "decision", "reason"),
    [("r7", "dropped", "hidden_label"), ("r8", "dropped", "licence_denied"), ("r1", "kept", "kept")],
)
def test_the_ledger_says_of_each_document_why(
    mixed: tuple[Path, dict[str, Any]], key: str, decision: str, reason: str
) -> None:
    [row] = look_up(str(mixed[0]), key)
    assert (row["decision"], row["reason"]) == (decision, reason)


def test_every_document_is_in_the_ledger_once(mixed: tuple[Path, dict[str, Any]]) -> None:
    assert mixed[1]["documents"] == 62


def test_personal_data_does_not_enter_prompts(mixed: tuple[Path, dict[str, Any]]) -> None:
    rows = [row for split in ("train", "test") for row in all_prompts(mixed[0], split)]
    assert not [row for row in rows if "acme-mail" in row["input"]]
    assert [row for row in rows if "mail PI:EMAIL about it" in row["input"]]


def test_the_same_inputs_give_the_same_bytes_and_a_rerun_does_nothing(tmp_path: Path) -> None:
    path = load_mixture(mixture(tmp_path, [review(number) for number in range(30)]))
    digests = [mix_prompts(path, str(tmp_path / name), offline=True)["digest"] for name in ("a", "b", "a")]
    assert len(set(digests)) == 1
    ledgers = [sorted(p.read_bytes() for p in (tmp_path / name / "ledger").glob("*.parquet")) for name in ("a", "b")]
    assert ledgers[0] == ledgers[1]


def test_no_set_and_template_gives_more_than_the_limit(tmp_path: Path) -> None:
    path = load_mixture(mixture(tmp_path, [review(number) for number in range(30)], held_out=0.0, most=5))
    manifest = mix_prompts(path, str(tmp_path / "out"), offline=True)
    assert manifest["templates"]["reviews/liked"]["kept"] == 5
    assert manifest["templates"]["reviews/liked"]["over_limit"] == 24  # one of thirty is in the exam
    dropped = [row for row in look_up(str(tmp_path / "out"), "reviews.jsonl") if row["reason"] == "over_limit"]
    assert dropped and all(row["stage"] == "mix" for row in dropped)


def test_rubbish_among_rows_is_told_and_the_rest_is_mixed(tmp_path: Path) -> None:
    path = mixture(tmp_path, [review(number) for number in range(10)])
    with (tmp_path / "reviews.jsonl").open("a") as stream:
        stream.write('{"review": 3\n[]\n{"review": "no label", "lang": "en", "id": "x", "title": null}\n')
    manifest = mix_prompts(load_mixture(path), str(tmp_path / "out"), offline=True)
    assert manifest["templates"]["reviews/liked"]["kept"] >= 8
    assert "Undefined" in manifest["errors"]["reviews/liked"]
    [row] = look_up(str(tmp_path / "out"), "x")
    assert row["reason"] == "template_error" and "template `liked`" in row["detail"]


def test_where_no_document_gives_a_prompt_the_reasons_are_told(tmp_path: Path) -> None:
    rows = [review(number, label=9) for number in range(1, 4)] + [review(4, licence="CC-BY-NC-4.0")]
    path = Path(mixture(tmp_path, rows))
    recipe = path.read_text()
    path.write_text(
        recipe[: recipe.index("[set.exam]")].replace("{{ title }}", "{{ titel }}").replace("% if title", "% if true")
    )
    with pytest.raises(OpenRootsError, match=r"template_error of 3 documents \(.*; licence.* of 1 document \("):
        mix_prompts(load_mixture(str(path)), str(tmp_path / "out"), offline=True)
    (tmp_path / "reviews.jsonl").write_text("")
    with pytest.raises(OpenRootsError, match="there are no documents in its files"):
        mix_prompts(load_mixture(str(path)), str(tmp_path / "out2"), offline=True)


def test_choices_are_made_by_numbers_alone() -> None:
    groups = np.array([0, 0, 0, 0, 1, 1])
    parts = np.array([0, 0, 1, 0, 0, 0])
    pairs = np.array([1, 2, 2, 3, 4, 5], np.uint64)
    asked = np.array([10, 20, 20, 30, 40, 20], np.uint64)
    orders = np.array([9, 1, 2, 3, 4, 5], np.uint64)
    found = choose(groups, parts, pairs, asked, orders, limit=1)
    assert found.tolist() == [OVER_LIMIT, DUPLICATE, KEPT, KEPT, KEPT, IN_EVALUATION]


def test_weights_are_of_the_languages_that_are_there() -> None:
    languages = {
        "en": {"train": 10, "held_out": 1},
        "sw": {"train": 5, "held_out": 0},
        "yo": {"train": 0, "held_out": 3},
    }
    assert language_weights({"en": 30.0, "fr": 5.0}, languages) == {"en": 30 / 35, "sw": 5 / 35}
    assert language_weights({}, languages) == {"en": 10 / 15, "sw": 5 / 15}


def compiled(jinja: str, choices: str | None = None) -> Compiled:
    template = PromptTemplate(name="t", jinja=jinja, answer_choices=choices)
    [made] = compile_templates(PromptSet(id="s", source="x", templates=(template,)), 1000)
    return made


@pytest.mark.parametrize(
    "jinja",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }} ||| a",
        "{{ 'a' * 10**9 }} ||| a",
        "{{ 'a'.ljust(10**8) }} ||| a",
        "{{ '%1000000000d' % 3 }} ||| a",
        "{% for i in range(10**9) %}a{% endfor %} ||| a",
        "{% for i in range(900) %}{% for j in range(900) %}aaaa{% endfor %}{% endfor %} ||| a",
        "{{ 9 ** 9 ** 9 }} ||| a",
        "{{ missing }} ||| a",
        "{{ text[0][0].x.y }} ||| a",
        "a ||| b ||| c",
        "{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %} a ||| a",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }} a ||| a",
        "{% import 'os' as os %}{{ os }} ||| a",
    ],
)
def test_templates_cannot_leave_the_sandbox_or_write_without_end(jinja: str) -> None:
    with pytest.raises(PromptError):
        compiled(jinja).render({"text": "abc"}, "seed")


@pytest.mark.parametrize(
    "grown",
    [
        "n.x + n.x",
        "n.x ~ n.x",
        "n.x|replace('a', n.x + 'a')",
        "n.x.replace('a', n.x + 'a')",
        "n.x|list|join(n.x)",
        "n.x.join(n.x|list)",
    ],
)
def test_texts_that_double_each_time_are_stopped(grown: str) -> None:
    turns = f"{{% for i in range(60) %}}{{% set n.x = {grown} %}}{{% endfor %}}"
    with pytest.raises(PromptError, match="a value of more than 1,000,000"):
        compiled(f"{{% set n = namespace(x=text) %}}{turns}{{{{ n.x[0] }}}} ||| a").render({"text": "abc"}, "seed")


def test_loops_texts_and_filters_of_a_template_work_as_in_jinja() -> None:
    template = """{% for word in text.split() %}{{ loop.index }}/{{ loop.length }} {{ word ~ "-" ~ loop.index0 }}
{%- if not loop.last %}, {% endif %}{% else %}none{% endfor %}; {{ text|replace("a", "e") }}
{{ text.replace("b", "d") }} {{ ["x", "y"]|join("+") }} {{ "+".join(["x", "y"]) }}
{{ text + "!" }} {{ [1] + [2] }} {{ 2 + 3 }} ||| ok"""
    made = compiled(template).render({"text": "ab b"}, "seed")
    assert made is not None
    assert made.input == "1/2 ab-0, 2/2 b-1; eb b\nad d x+y x+y\nab b! [1, 2] 5"


@pytest.mark.parametrize("name", ["lipsum", "cycler", "self", "config", "request"])
def test_templates_have_no_other_names_than_their_own(name: str) -> None:
    with pytest.raises(PromptError):
        compiled(f"{{{{ {name}() }}}} ||| a").render({}, "seed")


def test_wrong_templates_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="template `t`, line 1"):
        compiled("{{ text ||| a")
    with pytest.raises(ConfigurationError, match=r"has no `\|\|\|`"):
        compiled("{{ text }}")
    path = Path(mixture(tmp_path, [review(1)]))
    for wrong, why in (
        ('source = "exam"\nevaluation', "unknown source `exma`; did you mean `exam`"),
        ("hidden =", "unknown key `set.hiden`|unknown key `hiden`; did you mean `hidden`"),
    ):
        text = path.read_text().replace(wrong, wrong.replace("exam", "exma").replace("hidden", "hiden"))
        (tmp_path / "wrong.toml").write_text(text)
        with pytest.raises(ConfigurationError, match=why):
            load_mixture(str(tmp_path / "wrong.toml"))
    with pytest.raises(ConfigurationError, match="no mixture `nothing`; there is xp3-like"):
        load_mixture("nothing")


PROMPTSOURCE = """
dataset: toy
subset: en
templates:
  1f0ec6a5: !Template
    answer_choices: Yes ||| Maybe ||| No
    id: 1f0ec6a5
    jinja: 'Take as given: {{premise}} Then is it so that "{{hypothesis}}"? ||| {{ answer_choices[label] }}'
    metadata: !TemplateMetadata
      choices_in_prompt: false
      languages: [en]
      metrics: [Accuracy]
      original_task: true
    name: given
    reference: none
  2f0ec6a5: !Template
    answer_choices: null
    id: 2f0ec6a5
    jinja: '{{ ["Say", "Tell"] | choice }}: {{ premise }} ||| {{ most_frequent([hypothesis, hypothesis]) | join }}'
    metadata: !TemplateMetadata {}
    name: choosing
    reference: ''
"""


def test_templates_of_promptsource_are_read_as_data(tmp_path: Path) -> None:
    (tmp_path / "templates.yaml").write_text(PROMPTSOURCE)
    templates = compile_templates(
        PromptSet(id="s", source="x", promptsource=str(tmp_path / "templates.yaml")), characters_max=1000
    )
    fields = {"premise": "It rains.", "hypothesis": "It is wet.", "label": 0}
    rendered = {template.about.name: template.render(fields, "seed") for template in templates}
    assert rendered["given"] == (
        'Take as given: It rains. Then is it so that "It is wet."?',
        "Yes",
        ("Yes", "Maybe", "No"),
    )
    assert rendered["choosing"] is not None and rendered["choosing"].target == "It is wet."
    left = compile_templates(
        PromptSet(id="s", source="x", promptsource=str(tmp_path / "templates.yaml"), leave_out=("given",)), 1000
    )
    assert [template.about.name for template in left] == ["choosing"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "templates: 3", "templates: {a: !!python/object:os.system {}}", "templates: {a: !Other {}}", "\x00"],
)
def test_what_is_no_file_of_templates_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "templates.yaml").write_text(text)
    with pytest.raises(InputError):
        read_promptsource(str(tmp_path / "templates.yaml"))
    with pytest.raises(InputError):
        read_promptsource("../../etc")


@pytest.mark.parametrize(("source", "language"), [("tiny-message-pairs", "as"), ("tiny-wolof-french-pairs", "wo")])
def test_a_message_is_a_document_with_its_original(source: str, language: str) -> None:
    plan = load_mixture("xp3-like").plan
    [unit] = list_units(plan.source(source), {})
    problems: list[InputError] = []
    batches = read_unit(
        unit, plan.source(source), plan.languages, batch_documents=500, batch_bytes=1 << 20, on_problem=problems.append
    )
    first = next(batches)
    pairs = [(json.loads(row["metadata"])["original"], row["text"]) for row in first.to_pylist()]
    assert first["language"][0].as_py() == language and not problems
    assert len(pairs) == 500 and all(text for _, text in pairs)
    assert sum(bool(original) and original != text for original, text in pairs) > 450


def test_entries_of_dictionaries_lose_their_asides() -> None:
    assert headword_and_meaning("abal /abal/ <v.>\n1. prêter\n  à") == ("abal", "prêter à")
    assert headword_and_meaning("abal <v.>") is None


def test_passages_lose_nothing_but_space_and_are_short_enough() -> None:
    text = "One sentence. Another one! 三个句子。第四个。\n" + "x" * 95 + " word " * 30
    pieces = list(passages(text, 40))
    assert max(map(len, pieces)) <= 40
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.slow
def test_the_mixture_that_comes_with_openroots_has_prompts_of_every_task(tmp_path: Path) -> None:
    manifest = mix_prompts(load_mixture("xp3-like"), str(tmp_path / "out"), offline=True)
    assert not manifest["errors"] and not manifest["problems"]
    assert all(fates["kept"] > 5 for fates in manifest["templates"].values())
    assert len(manifest["languages"]) >= 45
    assert sum(manifest["weights"].values()) == pytest.approx(1)
    assert storage.exists(str(tmp_path / "out" / "README.md"))


def test_a_folder_that_holds_something_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    path = load_mixture(mixture(tmp_path, [review(1)]))
    with pytest.raises(OpenRootsError, match="not OpenRoots' own"):
        mix_prompts(path, str(tmp_path / "out"), offline=True)
