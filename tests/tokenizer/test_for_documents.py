"""What a `tokenizer.json` holds for batches of a model is nothing to documents; what drops text is refused."""

import json

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers

from configs.errors import InputError
from tokenizer.load import Tokenizer, for_documents

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
TEXT = "hello  there\n" * 50


def write(folder, **parts) -> str:
    library = Library(models.BPE(vocab={letter: number for number, letter in enumerate(ALPHABET)}, merges=[]))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    data = json.loads(library.to_str())
    data["model"] |= parts.pop("model", {})
    (folder / "tokenizer.json").write_text(json.dumps(data | parts))
    return str(folder)


def test_documents_are_neither_cut_nor_filled_up_nor_encoded_at_random(tmp_path):
    cut = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    fill = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1}
    path = write(tmp_path, truncation=cut, padding=fill | {"pad_type_id": 0, "pad_token": "!"}, model={"dropout": 0.5})
    for backend in ("tokenizers", "fastokens"):
        tokenizer = Tokenizer.load(path, backend)
        assert [len(ids) for ids in tokenizer.encode_batch([TEXT, "x"]).to_pylist()] == [len(TEXT), 1]
    assert json.loads(tokenizer.text)["truncation"] == cut  # what is saved stays as it was read


def test_a_file_without_any_is_left_alone(tmp_path):
    write(tmp_path)
    text = (tmp_path / "tokenizer.json").read_text()
    assert for_documents(text) is text


@pytest.mark.parametrize("kind", [{"type": "Whitespace"}, {"type": "CharDelimiterSplit", "delimiter": ","}])
def test_a_pre_tokenizer_that_drops_text_is_refused(tmp_path, kind):
    parts = [kind, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]
    path = write(tmp_path, pre_tokenizer={"type": "Sequence", "pretokenizers": parts})
    with pytest.raises(InputError, match="would lose text: it gives back"):
        Tokenizer.load(path, "tokenizers")


def test_an_added_token_that_takes_spaces_is_refused(tmp_path):
    token = {"id": 256, "content": "ing", "single_word": False, "lstrip": True, "rstrip": False}
    path = write(tmp_path, added_tokens=[token | {"normalized": False, "special": False}])
    with pytest.raises(InputError, match="`ing` takes the spaces beside it"):
        Tokenizer.load(path, "tokenizers")


def test_roles_that_only_the_older_file_names_count(tmp_path):
    path = write(tmp_path)
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": {"content": "!"}}')
    assert Tokenizer.load(path, "tokenizers").eos_id == ALPHABET.index("!")
