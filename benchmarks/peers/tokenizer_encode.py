"""A folder of Arrow shards encoded as one would otherwise: `tokenizers` in `datasets.map`, written to disk.

python tokenizer_encode.py TOKENIZER.json FOLDER OUTPUT --processes 2
"""

import argparse
from pathlib import Path

from datasets import load_dataset
from tokenizers import Tokenizer

BATCH = 1000


def main() -> None:
    """Load, map, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    files = sorted(map(str, arguments.folder.glob("data/**/*.arrow")))
    documents = load_dataset("arrow", data_files=files, split="train", cache_dir=str(arguments.output / "cache"))

    def encode(batch: dict[str, list]) -> dict[str, list]:
        return {"input_ids": [one.ids for one in tokenizer.encode_batch_fast(batch["text"], add_special_tokens=False)]}

    encoded = documents.map(
        encode, batched=True, batch_size=BATCH, num_proc=arguments.processes, remove_columns=["text"]
    )
    encoded.save_to_disk(str(arguments.output / "tokens"), num_proc=arguments.processes)


if __name__ == "__main__":
    main()
