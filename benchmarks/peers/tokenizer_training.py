"""A tokenizer trained by a peer on a file of text, a line a text: runs in the environment of the peers.

    python tokenizer_training.py gigabpe TEXT.txt --pattern gpt2 --vocabulary 32000 --output merges.txt

Writes the tokens in the order they were learnt, one a line in the alphabet of byte-level BPE; where the peer gives
merges, both halves with a space between. Prints one JSON object, what the process took.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

SPECIAL_TOKENS = ["<unk>", "<s>", "</s>", "<pad>"]
BPEASY_LONGEST = 1 << 16
"""Bytes of a token at most, which bpeasy wants to be told: none is cut."""


def tokenizers_merges(text: str, vocabulary: int, pattern: str) -> list[str]:
    """`BpeTrainer` behind `Split` and `ByteLevel`, as byte-level tokenizers of other patterns than GPT-2's have it."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    return _tokenizers(tokenizer, text, vocabulary)


def tokenizers_built_in(text: str, vocabulary: int, pattern: str) -> list[str]:
    """`BpeTrainer` behind `ByteLevel` with the GPT-2 pattern that is built into it, faster than `Split`."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _tokenizers(tokenizer, text, vocabulary)


def _tokenizers(tokenizer: object, text: str, vocabulary: int) -> list[str]:
    from tokenizers import pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([text], trainer)
    output = text + ".tokenizers.json"
    tokenizer.save(output, pretty=False)
    return _merges(output)


def gigabpe_merges(text: str, vocabulary: int, pattern: str) -> list[str]:
    """gigabpe with its pre-tokenizer of that name; its alphabet is the bytes that occur."""
    import gigabpe

    output = text + ".gigabpe.json"
    gigabpe.train_tokenizer([text], vocabulary, output, pretokenizer=pattern, special_tokens=SPECIAL_TOKENS)
    return _merges(output)


def rustbpe_merges(text: str, vocabulary: int, pattern: str) -> list[str]:
    """rustbpe on the lines of the file."""
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    with open(text, encoding="utf-8", newline="\n") as lines:
        tokenizer.train_from_iterator(lines, vocab_size=vocabulary, pattern=pattern)
    ranks = tokenizer.get_mergeable_ranks()
    return _spelt(bytes(token) for token, _ in sorted(ranks, key=lambda pair: pair[1]))


def bpeasy_merges(text: str, vocabulary: int, pattern: str) -> list[str]:
    """bpeasy on the lines of the file."""
    import bpeasy

    with open(text, encoding="utf-8", newline="\n") as lines:
        ranks = bpeasy.train_bpe(lines, pattern, BPEASY_LONGEST, vocabulary, 1000)
    return _spelt(sorted(ranks, key=ranks.__getitem__))


def _merges(path: str) -> list[str]:
    finished()  # the file that it wrote is only read to be compared
    merges = json.loads(Path(path).read_text())["model"]["merges"]
    Path(path).unlink()
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]


def _spelt(tokens: Iterable[bytes]) -> list[str]:
    finished()
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    alphabet = [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
    return ["".join(map(alphabet.__getitem__, token)) for token in tokens if len(token) > 1]


def taken() -> dict[str, float]:
    """Seconds since this process started, seconds of the processor, and its highest resident size in bytes."""
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    return {"seconds": seconds, "cpu": time.process_time(), "peak": peak}


def finished() -> None:
    """Print what the process has taken so far."""
    print(json.dumps(taken()), flush=True)


PEERS = {
    "tokenizers": tokenizers_merges,
    "tokenizers-built-in": tokenizers_built_in,
    "gigabpe": gigabpe_merges,
    "rustbpe": rustbpe_merges,
    "bpeasy": bpeasy_merges,
}


def main() -> None:
    """Train once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("text")
    parser.add_argument("--vocabulary", type=int, required=True)
    parser.add_argument("--pattern", required=True, help="regular expression; gigabpe: name of a pre-tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    merges = PEERS[arguments.peer](arguments.text, arguments.vocabulary, arguments.pattern)
    arguments.output.write_text("\n".join(merges) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
