"""MinHash by a peer on the text of the benchmark: runs in the environment of the peers, prints one JSON object.

    python minhash_peers.py datasketch|rensa|text-dedup TEXT.jsonl --seconds 20

112 permutations over word 5-grams, one process. Words are `text.lower().split()`, the cheapest that Python offers; how
long making the shingles took is told apart, so that the time of the signatures alone can be judged. text-dedup takes
text and makes its own.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator

PERMUTATIONS, NGRAM, BATCH = 112, 5, 500


def shingles(text: str) -> list[str]:
    """Word 5-grams joined by spaces."""
    words = text.lower().split()
    return [" ".join(words[at : at + NGRAM]) for at in range(max(1, len(words) - NGRAM + 1))]


def datasketch_signer() -> Callable[[list], object]:
    """Batches of shingle lists to signatures, by `MinHash.bulk`."""
    from datasketch import MinHash

    def sign(batch: list[list[str]]) -> object:
        encoded = [[shingle.encode() for shingle in document] for document in batch]
        return MinHash.bulk(encoded, num_perm=PERMUTATIONS, seed=1)

    return sign


def rensa_signer() -> Callable[[list], object]:
    """Batches of shingle lists to signatures, by `RMinHash.from_token_sets`: all shingles count."""
    from rensa import RMinHash

    return lambda batch: RMinHash.from_token_sets(batch, num_perm=PERMUTATIONS, seed=1)


def text_dedup_signer() -> Callable[[list], object]:
    """Texts to bands of signatures, by `text_dedup.minhash.embed_func` with its default hash (SHA-1, 64 bits)."""
    import numpy as np
    from text_dedup.minhash import RNG, embed_func
    from text_dedup.utils import sha1_hash

    prime, largest = np.uint64((1 << 61) - 1), np.uint32((1 << 32) - 1)
    permutations = (
        RNG.randint(1, prime, size=PERMUTATIONS, dtype=np.uint64),
        RNG.randint(0, prime, size=PERMUTATIONS, dtype=np.uint64),
    )
    options = {
        "num_perm": PERMUTATIONS,
        "ngram_size": NGRAM,
        "min_length": 0,
        "hashranges": [(at, at + 8) for at in range(0, PERMUTATIONS, 8)],
        "permutations": permutations,
        "hash_func": sha1_hash,
        "dtype": np.uint64,
        "max_hash": largest,
        "modulo_prime": prime,
    }
    return lambda batch: [embed_func(text, 0, **options) for text in batch]


SIGNERS = {"datasketch": datasketch_signer, "rensa": rensa_signer, "text-dedup": text_dedup_signer}


def batches(path: str) -> Iterator[list[str]]:
    """Texts of a JSONL file, 500 at a time."""
    batch = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            batch.append(json.loads(line)["text"])
            if len(batch) == BATCH:
                yield batch
                batch = []


def main() -> None:
    """Sign for the given time or to the end of the text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=list(SIGNERS))
    parser.add_argument("text")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    sign = SIGNERS[arguments.peer]()
    size = 0
    making = signing = 0.0
    for batch in batches(arguments.text):
        started = time.perf_counter()
        made = batch if arguments.peer == "text-dedup" else [shingles(text) for text in batch]
        between = time.perf_counter()
        sign(made)
        ended = time.perf_counter()
        making, signing = making + between - started, signing + ended - between
        size += sum(len(text.encode()) for text in batch)
        if making + signing > arguments.seconds:
            break
    json.dump({"bytes": size, "making": making, "signing": signing}, sys.stdout)


if __name__ == "__main__":
    main()
