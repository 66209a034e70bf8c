"""What a tokenizer would lose of text is refused when encoding and told when measuring; templates travel along."""

from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from configs.errors import ConfigurationError, InputError
from openroots.fertility_command import fertility
from tokenizer.fertility_report import notes
from tokenizer.load import Tokenizer

TEXT = ["Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."] * 20


def byte_level(alphabet: list[str], normalizer: normalizers.Normalizer | None = None) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if normalizer is not None:
        made.normalizer = normalizer
    made.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    return made


def saved(made: tokenizers.Tokenizer, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return str(folder)


ALL = pre_tokenizers.ByteLevel.alphabet()


def test_a_vocabulary_without_all_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks 2\d+ of the 256 bytes"):
        Tokenizer.load(saved(byte_level([]), tmp_path), "tokenizers")


@pytest.mark.parametrize(
    "normalizer",
    [normalizers.NFKC(), normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()]), normalizers.Strip()],
)
def test_a_normalizer_that_changes_text_is_refused(tmp_path: Path, normalizer: normalizers.Normalizer) -> None:
    with pytest.raises(InputError, match="changes text"):
        Tokenizer.load(saved(byte_level(ALL, normalizer), tmp_path), "tokenizers")


def test_form_c_is_no_change(tmp_path: Path) -> None:
    assert Tokenizer.load(saved(byte_level(ALL, normalizers.NFC()), tmp_path), "tokenizers").eos_id is None


def test_a_report_tells_what_vanishes(tmp_path: Path) -> None:
    (tmp_path / "zh.txt").write_text("人人生而自由，在尊严和权利上一律平等。\n")
    report = fertility([saved(byte_level([]), tmp_path / "t")], text=[f"zh-Hans={tmp_path}/zh.txt"])
    assert report.rows[0].language == "zh-Hans"
    assert report.rows[0].lost > 0.5
    assert any("of the 256 bytes" in note and "vanishes" in note for note in notes(report))
    whole = fertility([saved(byte_level(ALL), tmp_path / "u")], text=[f"zh-Hans={tmp_path}/zh.txt"])
    assert whole.rows[0].lost == 0
    assert not any("vanishes" in note for note in notes(whole))


def test_the_premium_is_of_the_users_parallel_text(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("free\n\nequal in rights\nnot compared\n")
    (tmp_path / "sw.jsonl").write_text('{"text": "huru"}\n\n{"text": "sawa katika haki"}\n')
    place = saved(byte_level(ALL), tmp_path / "t")
    report = fertility([place], parallel=[f"en={tmp_path}/en.txt", f"sw={tmp_path}/sw.jsonl"])
    encode = Tokenizer.load(place, "tokenizers").encode_batch
    ours, english = (
        sum(len(ids) for ids in encode(texts).to_pylist())
        for texts in (["huru", "sawa katika haki"], ["free", "equal in rights"])
    )
    [row] = [row for row in report.rows if row.language == "sw"]
    assert (row.premium, row.parallel) == (ours / english, "own")
    assert [row.premium for row in report.rows if row.language == "en"] == [1.0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["sw={0}/sw.txt"], "needs English"),
        (["{0}/sw.txt"], "write LANGUAGE=FILE"),
        (["en={0}/en.txt", "sw={0}/sw.txt"], "in common"),
        (["en={0}/en.txt", "xx={0}/sw.txt"], "unknown language `xx`"),
        (["en={0}/en.txt", "en={0}/sw.txt"], "two files"),
    ],
)
def test_parallel_text_that_is_none_is_refused(tmp_path: Path, given: list[str], message: str) -> None:
    (tmp_path / "sw.txt").write_text("huru\n")
    (tmp_path / "en.txt").write_text("free\n" * 9)
    with pytest.raises(ConfigurationError, match=message):
        fertility([saved(byte_level(ALL), tmp_path / "t")], parallel=[one.format(tmp_path) for one in given])


def test_chat_templates_travel_along(tmp_path: Path) -> None:
    folder = Path(saved(byte_level(ALL), tmp_path / "t"))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool.jinja").write_text("{{ tools }}")
    Tokenizer.load(str(folder), "tokenizers").save(str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "chat_template.jinja").read_text() == "{{ messages }}"
    assert (tmp_path / "copy" / "additional_chat_templates" / "tool.jinja").read_text() == "{{ tools }}"
