"""`make test-clients`: opens a corpus in the clients that people have, each in an environment of its own.

python -m tests.clients CORPUS FOLDER docs/clients.md

Writes the table of `docs/clients.md`. FOLDER keeps the environments. Ends with status 1 where a client reads anything
else than is there.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from pipeline.runtime.shards import open_shard
from tests.clients.probe import digest

ENVIRONMENTS = {
    "oldest": (
        ["datasets==2.21.0", "pyarrow==19.0.1", "pandas", "polars", "numpy<2.3"],
        ["datasets", "datasets-streaming", "datasets-json", "pandas", "polars", "pyarrow"],
    ),
    "newest": (
        ["datasets", "pyarrow", "pandas", "polars"],
        ["datasets", "datasets-streaming", "datasets-json", "pandas", "polars", "pyarrow"],
    ),
}
"""Environment → what is installed in it, wheels only, and the clients tried there."""
MARK = "<!-- made by make test-clients -->\n"


def expected(corpus: Path) -> tuple[int, str]:
    """Rows of a corpus and the digest of what they hold, read by our own reader."""
    rows: list[dict[str, Any]] = []
    for path in sorted(corpus.glob("data/*/*")):
        with open_shard(str(path)) as batches:
            rows += [row for batch in batches for row in batch.select(["id", "text", "source"]).to_pylist()]
    return len(rows), digest(rows)


def tried(corpus: Path, place: Path, packages: list[str], clients: list[str]) -> list[dict[str, Any]]:
    """What the clients of an environment, which is made where it is not there, read of the corpus."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--only-binary", ":all:", *packages], check=True)
    probe = Path(__file__).with_name("probe.py")
    done = subprocess.run(
        [python, probe, corpus, *clients],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Try all clients and write the table."""
    corpus, folder, page = map(Path, sys.argv[1:])
    count, whole = expected(corpus)
    lines = ["| client | version | opened by | rows | equal |", "|---|---|---|--:|---|"]
    failed = False
    for name, (packages, clients) in ENVIRONMENTS.items():
        for row in tried(corpus.resolve(), folder.resolve() / name, packages, clients):
            is_equal = row.get("rows") == count and row.get("digest") == whole
            failed |= not is_equal
            answer = "yes" if is_equal else row.get("error", "**no**").replace("|", "\\|")
            lines.append(
                f"| {row['client']} | {row['version']} | {row['opened']} | {row.get('rows', '–')} | {answer} |"
            )
    head = page.read_text().split(MARK)[0]
    page.write_text(head + MARK + "\n" + "\n".join(lines) + "\n")
    print("\n".join(lines))
    sys.exit(failed)


if __name__ == "__main__":
    main()
