"""What is exported for another program gives the same ids there, or is refused."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import tiktoken
from sentencepiece import SentencePieceProcessor
from tiktoken.load import load_tiktoken_bpe
from tokenizers import Regex, pre_tokenizers
from tokenizers import Tokenizer as Library

from configs.errors import ConfigurationError, OpenRootsError
from openroots.tokenizer_command import train_tokenizer as train_a_tokenizer
from tests.tokenizer.texts import tiny_texts
from tokenizer.export import FORMATS, TIKTOKEN_PATTERNS, export_tokenizer, ranks_of
from tokenizer.load import Tokenizer
from tokenizer.model import train_tokenizer
from tokenizer.pretokenize import BLOOM_PATTERN, BLOOM_PATTERNS, Pattern
from tokenizer.verify import trial_texts


def pieces(expression: str, text: str) -> list[str]:
    split = pre_tokenizers.Split(Regex(expression), behavior="isolated", invert=False)
    return [piece for piece, _ in split.pre_tokenize_str(text)]


def python_pieces(expression: str, text: str) -> list[str]:
    """What `Split` makes of a pattern, with Python's `re`: what is between the matches stands alone."""
    found, at = [], 0
    for match in re.finditer(expression, text):
        found += [text[at : match.start()]] if match.start() > at else []
        found.append(match.group())
        at = match.end()
    return found + ([text[at:]] if at < len(text) else [])


def every_character() -> list[str]:
    codes = [*range(0xD800), *range(0xE000, 0x20000)]
    return ["".join(f"a{chr(code)}b {chr(code)} " for code in codes[i : i + 4096]) for i in range(0, len(codes), 4096)]


@pytest.mark.slow
@pytest.mark.parametrize("expression", sorted(BLOOM_PATTERNS))
def test_all_forms_of_blooms_pattern_cut_alike(expression: str) -> None:
    for text in [*trial_texts(), *every_character()]:
        assert pieces(expression, text) == pieces(BLOOM_PATTERN, text)


def test_pythons_re_and_tiktokens_pattern_cut_as_tokenizers_does() -> None:
    for text in [*trial_texts(), *every_character()]:
        expected = pieces(BLOOM_PATTERN, text)
        assert python_pieces(BLOOM_PATTERN, text) == expected
        assert re.findall(TIKTOKEN_PATTERNS[BLOOM_PATTERN], text) == expected


@pytest.mark.slow
def test_re2_cuts_as_tokenizers_does() -> None:
    import re2

    for text in [*trial_texts(), *every_character()[:16]]:
        found = [match.group().decode() for match in re2.finditer(BLOOM_PATTERN.encode(), text.encode())]
        assert found == re.findall(BLOOM_PATTERN, text)


@pytest.mark.parametrize("name", ["bloom", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "gpt4"))])
def test_tiktoken_gives_the_same_ids(name: str, tmp_path: Path) -> None:
    texts = tiny_texts()
    trained = train_tokenizer([texts], 3_000, pattern=Pattern.named(name), pad_with_reserved=True)
    trained.save(str(tmp_path / "own"))
    proven = export_tokenizer(str(tmp_path / "own"), str(tmp_path / "out"), "tiktoken")
    assert proven["texts"] > 1_000
    about = json.loads((tmp_path / "out" / "tiktoken.json").read_text())
    ranks = load_tiktoken_bpe(str(tmp_path / "out" / "vocabulary.tiktoken"))
    other = tiktoken.Encoding(
        "x", pat_str=about["pat_str"], mergeable_ranks=ranks, special_tokens=about["special_tokens"]
    )
    ours = Tokenizer.load(str(tmp_path / "own"), "tokenizers")
    assert [other.encode_ordinary(text) for text in texts.to_pylist()] == ours.encode_batch(texts).to_pylist()
    assert other.encode("a</s>", allowed_special="all")[-1] == 2 == about["special_tokens"]["</s>"]


def test_reserved_entries_are_no_text_in_tiktoken(tmp_path: Path) -> None:
    words = pa.array(["<reserved_ 1> " * 9], pa.large_string())
    train_tokenizer([words], 400, pad_with_reserved=True).save(str(tmp_path))
    ranks, _ = ranks_of(Tokenizer.load(str(tmp_path), "tokenizers"))
    assert b"<reserved_" in ranks and b"<reserved_1>" not in ranks


def test_a_tokenizer_whose_entries_its_merges_do_not_reach_is_refused(tmp_path: Path) -> None:
    trained = train_tokenizer([tiny_texts()[:40]], 1_000)
    content = json.loads(trained.tokenizer.to_str())
    content["model"]["merges"].reverse()
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="cannot be exported for tiktoken"):
        export_tokenizer(str(tmp_path), str(tmp_path / "out"), "tiktoken")
    assert not (tmp_path / "out").exists()


def test_byte_level_bpe_is_no_sentencepiece_model(tmp_path: Path) -> None:
    train_tokenizer([tiny_texts()[:40]], 1_000).save(str(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot be a SentencePiece model"):
        export_tokenizer(str(tmp_path), str(tmp_path / "out"), "sentencepiece")


@pytest.mark.parametrize("model", ["sentencepiece-bpe", pytest.param("sentencepiece-unigram", marks=pytest.mark.slow)])
def test_a_tokenizer_trained_as_sentencepiece_gives_the_same_ids_there(model: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(tiny_texts()[:200].to_pylist()))
    own, output = tmp_path / "own", tmp_path / "out"
    settings = {"vocab_size": 1_500, "model": model}
    train_a_tokenizer(str(own), text=[str(tmp_path / "text.txt")], **settings)
    proven = export_tokenizer(str(own), str(output), "sentencepiece")
    assert proven["entries"] == 1_500 and proven["texts"] > 1_000
    processor = SentencePieceProcessor(model_file=str(output / "tokenizer.model"))
    library = Library.from_file(str(own / "tokenizer.json"))
    for text in tiny_texts()[-50:].to_pylist():
        assert processor.encode(text) == library.encode(text, add_special_tokens=False).ids


def test_what_is_no_tokenizer_is_said_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    for form in FORMATS:
        with pytest.raises(OpenRootsError, match=re.escape(str(tmp_path))):
            export_tokenizer(str(tmp_path), str(tmp_path / "out"), form)
