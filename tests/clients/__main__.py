"""`make test-clients`: opens what we write in the clients that people have, each in an environment of its own.

python -m tests.clients FOLDER docs/clients.md [ENVIRONMENT …]

Makes what is opened, and the environments, in FOLDER; writes the table of `docs/clients.md`. With ENVIRONMENT only
those are tried, and the rows of the others stay as they were. Ends with status 1 where a client finds anything else
than is there. PyTorch, 4 GB, is lent to the environments by the one that runs this.
"""

import datetime
import json
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tests.clients.made import make

TOLERANCE = 1e-3
"""Of logits and log-probabilities; ids and numbers of rows must be the same."""
_TABLES = "datasets datasets-streaming datasets-json datasets-parquet datasets-dolma"
_FRAMES = "pandas pandas-parquet pandas-dolma polars polars-written polars-parquet polars-dolma pyarrow pyarrow-parquet"


@dataclass(frozen=True)
class Environment:
    """What is installed, what is tried there, whether PyTorch is lent to it, and which forms it packs before."""

    packages: str
    probes: str
    script: str = "probe_corpus.py"
    torch: bool = False
    packs: str = ""


ENVIRONMENTS = {
    "corpus-oldest": Environment(
        "datasets==2.21.0 pyarrow==19.0.1 pandas polars==1.9.0 numpy<2.3 zstandard",
        f"{_TABLES} pyarrow pyarrow-parquet pandas polars raw",
    ),
    "corpus-newest": Environment("datasets pyarrow pandas polars duckdb zstandard", f"{_TABLES} {_FRAMES} duckdb raw"),
    "croissant": Environment("mlcroissant pyarrow", "mlcroissant"),
    "ray": Environment("ray[data]", "ray ray-arrow ray-ledger"),
    "transformers-oldest": Environment(
        "transformers==4.45.2 numpy<2.3", "tokenizer logits generate batch", "probe_model.py", torch=True
    ),
    "transformers-newest": Environment(
        "transformers peft trl lm-eval accelerate",
        "tokenizer logits generate batch peft trl lm-eval",
        "probe_model.py",
        torch=True,
    ),
    "llama.cpp": Environment("xllamacpp", "llama.cpp", "probe_model.py"),
    "streams": Environment("mosaicml-streaming litdata", "mds litdata", torch=True, packs="mds litdata"),
    "megatron": Environment("megatron-core", "megatron", torch=True),
}
MARK = "<!-- made by make test-clients -->\n"


def lend_torch(folder: Path) -> Path:
    """A folder of links to PyTorch and what comes with it, as they are installed here."""
    lent = folder / "torch"
    lent.mkdir(parents=True, exist_ok=True)
    for found in distributions():
        name = found.metadata["Name"].lower()
        if name in ("torch", "triton") or name.startswith(("nvidia-", "cuda-")):
            for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "bin")}:
                link, target = lent / top, Path(str(found.locate_file(top)))
                if target.exists() and not link.exists():
                    link.symlink_to(target)
    return lent


def environment(place: Path, about: Environment, lent: Path) -> Path:
    """The Python of an environment, which is made where it is not there."""
    python = place / "bin" / "python"
    done = place / ".installed"
    if not done.exists():
        venv.create(place, with_pip=True, clear=True)
        constraint = []
        if about.torch:
            [site] = place.glob("lib/python*/site-packages")
            (site / "lent.pth").write_text(f"{lent.resolve()}\n")
            (place / "constraint.txt").write_text("".join(f"torch=={v}\n" for v in _torch_versions()))
            constraint = ["--constraint", str(place / "constraint.txt")]
        install = [python, "-m", "pip", "install", "-q", "--prefer-binary", *constraint]
        subprocess.run([*install, *about.packages.split()], check=True)
        done.touch()
    return python


def _torch_versions() -> list[str]:
    return [found.version for found in distributions(name="torch")][:1]


def tried(folder: Path, name: str, about: Environment) -> list[dict[str, Any]]:
    """What the clients of an environment found."""
    try:
        python = environment(folder / name, about, lend_torch(folder))
    except subprocess.CalledProcessError as error:
        return [{"client": name, "version": "–", "opened": "–", "error": f"cannot be installed ({error.returncode})"}]
    if about.packs:
        places = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
        script = Path(__file__).with_name("pack_by_package.py")
        subprocess.run([python, script, folder / "made" / "packed", *places, *about.packs.split()], check=True)
    probe = Path(__file__).with_name(about.script)
    done = subprocess.run(
        [python, probe, folder / "made", *about.probes.split()],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "WANDB_MODE": "disabled"},
    )
    rows = [json.loads(line.removeprefix("PROBE ")) for line in done.stdout.splitlines() if line.startswith("PROBE ")]
    missing = len(about.probes.split()) - len(rows)
    if missing:
        rows.append({"client": name, "version": "–", "opened": "–", "error": f"{missing} not tried: {done.returncode}"})
    return rows


def answer(row: dict[str, Any], expected: dict[str, Any]) -> str:
    """`yes`, how far off, or why not."""
    if "error" in row:
        return "**no**: " + " ".join(row["error"].replace("|", "\\|").split())
    if "digest" in row:
        return "yes" if (row["rows"], row["digest"]) == (expected["rows"], expected["digest"]) else "**no**"
    off = row["difference"]
    return "yes" if off == 0 else f"yes, to {off:.0e}" if off < TOLERANCE else f"**no**: {off:.2g}"


def main() -> None:
    """Make the inputs, try the clients and write the table."""
    folder, page = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    names = sys.argv[3:] or list(ENVIRONMENTS)
    if unknown := set(names) - set(ENVIRONMENTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ENVIRONMENTS)}")
    (folder / "made").mkdir(parents=True, exist_ok=True)
    make(folder / "made")
    expected = json.loads((folder / "made" / "expected.json").read_text())
    kept = folder / "results.json"
    results: dict[str, list[dict[str, Any]]] = json.loads(kept.read_text()) if kept.exists() else {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    failed = False
    for name in names:
        print(f"clients of {name}", flush=True)
        results[name] = [
            {**row, "date": today, "answer": answer(row, expected)} for row in tried(folder, name, ENVIRONMENTS[name])
        ]
        failed |= any(not row["answer"].startswith("yes") for row in results[name])
        kept.write_text(json.dumps(results, indent=1))
        lines = ["| client | version | opened by | rows | equal | on |", "|---|---|---|--:|---|---|"]
        for row in (row for key in ENVIRONMENTS for row in results.get(key, [])):
            lines.append(
                f"| {row['client']} | {row['version']} | {row['opened']} | {row.get('rows', '–')} | {row['answer']} "
                f"| {row['date']} |"
            )
        page.write_text(page.read_text().split(MARK)[0] + MARK + "\n" + "\n".join(lines) + "\n")
        print("\n".join(f"  {row['client']} {row['opened']}: {row['answer']}" for row in results[name]), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
