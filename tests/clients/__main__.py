"""`make test-clients`: opens what we write in the clients that people have, each in an environment of its own.

python -m tests.clients FOLDER docs/clients.md [ENVIRONMENT …]

Makes what is opened, and the environments, in FOLDER; writes the table of `docs/clients.md`. With ENVIRONMENT only
those are tried, and the rows of the others stay as they were. What needs a program that this machine lacks is named and
skipped. Ends with status 1 where a client finds anything else than is there, or cannot be installed. PyTorch, 4 GB, is
lent to the environments by the one that runs this.
"""

import datetime
import json
import os
import shutil
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
_TABLES = "datasets datasets-streaming datasets-json datasets-parquet"
_FRAMES = "pandas pandas-parquet pandas-dolma polars polars-parquet polars-dolma pyarrow pyarrow-parquet duckdb"
_TRANSFORMERS = "tokenizer logits generate batch"
_SECONDS = 1200
"""After which the clients of an environment are stopped."""


@dataclass(frozen=True)
class Environment:
    """What is installed, what is tried there, whether PyTorch is lent to it, and which form it packs before.

    packages  for pip; for npm where the script is one of Node
    needs     a program without which the environment is skipped
    """

    packages: str
    probes: str
    script: str = "probe_corpus.py"
    torch: bool = False
    packs: str = ""
    needs: str = ""


ENVIRONMENTS = {
    "corpus-oldest": Environment(
        "datasets==2.14.7 pyarrow==14.0.2 pandas==2.1.4 polars==0.20.31 duckdb==0.10.3 numpy<2 zstandard",
        f"datasets-parquet datasets-parquet-streaming datasets-parquet-json {_FRAMES} raw",
    ),
    "corpus-older": Environment(
        "datasets==2.21.0 pyarrow==19.0.1 pandas<3 polars==1.9.0 duckdb==1.1.3 numpy<2.3 zstandard",
        f"{_TABLES} {_FRAMES} raw",
    ),
    "corpus-newest": Environment(
        "datasets pyarrow pandas polars duckdb zstandard", f"{_TABLES} {_FRAMES} polars-written polars-csv raw"
    ),
    "croissant": Environment("mlcroissant pyarrow", "mlcroissant"),
    "ray": Environment("ray[data]", "ray ray-arrow ray-json ray-ledger ray-ledger-json"),
    "datatrove": Environment("datatrove[io] zstandard", "datatrove"),
    "tokenizers": Environment("tiktoken sentencepiece tokenizers", "tokenizers tiktoken sentencepiece", "probe_ids.py"),
    "node": Environment("@huggingface/transformers", "transformers.js", "probe_node.mjs", needs="npm"),
    "transformers-oldest": Environment("transformers==4.45.2 numpy<2.3", _TRANSFORMERS, "probe_model.py", torch=True),
    "transformers-newest": Environment(
        "transformers peft trl lm-eval accelerate",
        f"{_TRANSFORMERS} peft trl lm-eval",
        "probe_model.py",
        torch=True,
    ),
    "onnx": Environment("optimum-onnx[onnxruntime]", "onnx", "probe_model.py", torch=True),
    "llama.cpp": Environment("xllamacpp", "llama.cpp", "probe_model.py"),
    "mds": Environment("mosaicml-streaming", "mds mds-written", torch=True),
    "litdata": Environment("litdata", "litdata", torch=True, packs="litdata"),
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
    """The program that runs scripts in an environment, which is made where it is not there."""
    is_node = about.script.endswith(".mjs")
    program = Path("node") if is_node else place / "bin" / "python"
    done = place / ".installed"
    if done.exists() and done.read_text() == about.packages:
        return program
    print(f"  installing {about.packages}", flush=True)
    if is_node:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "package.json").write_text("{}\n")
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(["npm", "install", *quiet, *about.packages.split()], check=True, cwd=place)
    else:
        _make_python(place, about, lent)
    done.write_text(about.packages)
    return program


def _make_python(place: Path, about: Environment, lent: Path) -> None:
    venv.create(place, clear=True)
    constraint = []
    if about.torch:
        [site] = place.glob("lib/python*/site-packages")
        (site / "lent.pth").write_text(f"{lent.resolve()}\n")
        (place / "constraint.txt").write_text("".join(f"torch=={v}\n" for v in _torch_versions()))
        constraint = ["--constraint", str(place / "constraint.txt")]
    python = str(place / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--prefer-binary", *constraint]
    subprocess.run([*install, *about.packages.split()], check=True)


def _torch_versions() -> list[str]:
    return [found.version for found in distributions(name="torch")][:1]


def tried(folder: Path, name: str, about: Environment) -> list[dict[str, Any]]:
    """What the clients of an environment found; no rows where what it needs is not on this machine."""
    if about.needs and shutil.which(about.needs) is None:
        print(f"  skipped: {about.needs} is not on this machine", flush=True)
        return []
    nothing = {"client": name, "version": "–", "opened": "–"}
    try:
        program = environment(folder / name, about, lend_torch(folder))
        if about.packs:
            places = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
            script = Path(__file__).with_name("pack_by_package.py")
            subprocess.run([program, script, folder / "made" / "packed", *places, *about.packs.split()], check=True)
    except subprocess.CalledProcessError as error:
        return [{**nothing, "error": f"cannot be installed, or does not pack (status {error.returncode})"}]
    output, status = _run(folder, name, about, program)
    rows = [json.loads(line.removeprefix("PROBE ")) for line in output.splitlines() if line.startswith("PROBE ")]
    missing = len(about.probes.split()) - len(rows)
    if missing:
        rows.append({**nothing, "error": f"{missing} not tried: {status}"})
    return rows


def _run(folder: Path, name: str, about: Environment, program: Path) -> tuple[str, str]:
    """What a script says, and how it ended."""
    probe = Path(__file__).with_name(about.script)
    try:
        done = subprocess.run(
            [program, probe, folder / "made", *about.probes.split()],
            stdout=subprocess.PIPE,
            check=False,
            text=True,
            cwd=folder / name,
            timeout=_SECONDS,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "WANDB_MODE": "disabled"},
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode(), f"stopped after {_SECONDS} s"
    return done.stdout, f"status {done.returncode}"


def answer(row: dict[str, Any], expected: dict[str, Any]) -> str:
    """`yes`, how far off, or why not."""
    if "error" in row:
        return "**no**: " + " ".join(row["error"].replace("|", "\\|").split())
    if not row["rows"]:
        return "**no**: nothing was opened"
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
    failed, skipped = False, []
    for name in names:
        print(f"clients of {name}", flush=True)
        rows = tried(folder, name, ENVIRONMENTS[name])
        if not rows:
            skipped.append(name)
            continue
        results[name] = [{**row, "date": today, "answer": answer(row, expected)} for row in rows]
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
    if skipped:
        print(f"skipped: {', '.join(skipped)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
