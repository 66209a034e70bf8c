"""Opens tokenizers, and what `export-tokenizer` makes of them, in the clients of the environment that runs it.

python probe_ids.py INPUTS CLIENT …    INPUTS/tokenizer, tiktoken, sentencepiece; expected.json: texts and their ids
"""

import json
from pathlib import Path

from probe_run import inputs, run

EXPECTED = json.loads(Path(inputs(), "expected.json").read_text())


def of(encode, trials: str = "trials") -> dict:
    wrong = sum(encode(text) != ids for text, ids in EXPECTED[trials])
    return {"rows": len(EXPECTED[trials]), "difference": wrong}


def tokenizers() -> dict:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(inputs(), "tokenizer", "tokenizer.json")))
    return of(lambda text: tokenizer.encode(text, add_special_tokens=False).ids)


def tiktoken() -> dict:
    from tiktoken import Encoding
    from tiktoken.load import load_tiktoken_bpe

    folder = Path(inputs(), "tiktoken")
    about = json.loads((folder / "tiktoken.json").read_text())
    ranks = load_tiktoken_bpe(str(folder / "vocabulary.tiktoken"))
    special = about["special_tokens"]
    encoding = Encoding(about["name"], pat_str=about["pat_str"], mergeable_ranks=ranks, special_tokens=special)
    return of(encoding.encode_ordinary)


def sentencepiece() -> dict:
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(model_file=str(Path(inputs(), "sentencepiece", "tokenizer.model")))
    return of(model.encode, "sentencepiece")


PROBES = {
    "tokenizers": ("tokenizers", "`Tokenizer.from_file`: ids", tokenizers),
    "tiktoken": ("tiktoken", "`export-tokenizer --format tiktoken`: ids", tiktoken),
    "sentencepiece": ("sentencepiece", "`export-tokenizer --format sentencepiece`: ids", sentencepiece),
}

if __name__ == "__main__":
    run(PROBES)
