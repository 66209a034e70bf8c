"""`python -m benchmarks.hostile`: hostile inputs, kills and damage, against real builds; docs/reliability.md's figures.

inputs   each kind of `benchmarks.hostile_inputs` beside a good file: ends within limits, the good file is in the corpus
kills    builds and rebuilds that are killed again and again until one ends: the same bytes as without kills, and
         whoever reads in between sees a whole corpus or is told that there is none
damage   each file of a finished build with a byte flipped, cut short, removed: the rerun makes it whole

Every build is a child of its own, forked from a process that has imported everything; SIGKILL goes to it alone, to a
worker of it, or to its group.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from apache_beam.utils import thread_pool_executor

from benchmarks.hostile_inputs import KINDS, SENTENCE, Hostile
from configs.errors import OpenRootsError
from configs.load import load_recipe
from configs.shown import shown_lines
from pipeline.build import build_corpus
from pipeline.runtime.engine import Engine

SECONDS_MAX, BYTES_MAX = 10.0, 1_000_000_000
"""Of processor time, and of memory above that of a build of the good file alone, that an input may take."""
_CPU_LIMIT = 60
TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
RECIPE = """
name = "hostile"
title = "Hostile"
languages = ["en", "fr"]
sources = [{sources}]
[language_identification]
model = "none"
[quality]
enabled = false
[sampling]
proportions = "as-found"
[output]
shard_bytes = 20000
"""
SOURCE = """
[source.{name}]
title = "{name}"
reader = "{reader}"
licence = "CC-BY-4.0"
custodian = "nobody"
provenance = "made up"
packages = [{{ name = "{folder}/{name}"{language} }}]
{columns}
"""


@dataclass(frozen=True)
class Outcome:
    """How a build ended: what it said, its exit status or signal, processor seconds, bytes of memory at most."""

    said: str
    status: int
    seconds: float
    memory: int


def write_recipe(folder: Path, sources: Sequence[tuple[str, str]]) -> Path:
    """A recipe for sources (name, reader) below `folder`; its path."""
    names = ", ".join(f'"{name}"' for name, _ in sources)
    text = RECIPE.format(sources=names)
    for name, reader in sources:
        rows = reader in ("jsonl", "csv", "parquet", "arrow")
        columns = 'columns = { text = "text"' + (', language = "language"' if reader == "jsonl" else "") + " }"
        text += SOURCE.format(
            name=name, reader=reader, folder=folder, language="" if reader == "jsonl" else ', language = "en"',
            columns=columns if rows else "",
        )  # fmt: skip
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def write_good(folder: Path, documents: int = 60) -> None:
    """A source `good` of English and French, with duplicates."""
    chosen, words = random.Random(2), SENTENCE.split()
    (folder / "good").mkdir(parents=True)
    for file in range(2):
        rows = []
        for number in range(documents):
            text = "\n".join(" ".join(chosen.choices(words, k=15)) for _ in range(6))
            rows += [{"text": text, "language": chosen.choice(["en", "fr"])}] * (2 if number % 9 == 0 else 1)
        (folder / "good" / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def in_child(work: Callable[[], Any], log: Path) -> int:
    """Start `work` in a forked child, the head of a group; returns its process id."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        os.setpgid(0, 0)
        # Threads do not survive a fork; Beam's pool would wait for those of the parent.
        thread_pool_executor._SHARED_UNBOUNDED_THREAD_POOL_EXECUTOR = (
            thread_pool_executor._SharedUnboundedThreadPoolExecutor()
        )
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_LIMIT, _CPU_LIMIT))
        with open(log, "w", errors="backslashreplace") as stream, redirect_stdout(stream), redirect_stderr(stream):
            os.dup2(stream.fileno(), 2)
            try:
                work()
                status = 0
            except OpenRootsError as error:
                print("error:", shown_lines(error))
                status = 1
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(status)


def outcome(process: int, log: Path) -> Outcome:
    """Wait for a child."""
    _, status, used = os.wait4(process, 0)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    said = log.read_text(errors="replace")
    return Outcome(said, code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def build(recipe: Path, output: Path, engine: Engine | None = None) -> dict[str, Any]:
    """Build the corpus of a recipe in this process."""
    return build_corpus(
        load_recipe(str(recipe)), str(output), engine=engine or Engine(), cache=str(recipe.parent / "cache")
    )


# -- Inputs -------------------------------------------------------------------------------------------------------


def try_input(kind: Hostile, folder: Path) -> Outcome:
    """Build from a hostile input beside the good source."""
    write_good(folder)
    (folder / "bad").mkdir()
    kind.write(folder / "bad")
    recipe, log = write_recipe(folder, [("good", "jsonl"), ("bad", kind.reader)]), folder / "log"
    return outcome(in_child(lambda: build(recipe, folder / "out"), log), log)


def judge(found: Outcome, base: Outcome, folder: Path, base_folder: Path) -> str:
    """What is wrong with how a build from a hostile input ended; empty if nothing."""
    if found.status != 0:
        return f"status {found.status}: {found.said.strip().splitlines()[-1:] or ['']}"
    if found.seconds - base.seconds > SECONDS_MAX:
        return f"{found.seconds - base.seconds:.0f} s of processor time"
    if found.memory - base.memory > BYTES_MAX:
        return f"{(found.memory - base.memory) / 1e9:.1f} GB of memory"
    good, wanted = good_documents(folder), good_documents(base_folder)
    return "" if good >= wanted else f"{good} documents of the good file are left of {wanted}"


def good_documents(folder: Path) -> int:
    """Documents of the good file in the corpus."""
    shards = (folder / "out" / "data").rglob("*.arrow")
    return sum(pa.ipc.open_file(shard).read_all()["source"].to_pylist().count("good") for shard in shards)


def try_inputs(names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each kind: name, what it is, seconds and megabytes above the good file alone, what is wrong."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        empty = Hostile("nothing", "text", lambda folder: (folder / "empty.txt").write_text("") and None)
        (warm := Path(scratch) / "warm").mkdir()
        write_good(warm)
        build(write_recipe(warm, [("good", "jsonl")]), warm / "out")  # compiles the kernels, once for all children
        base = try_input(empty, Path(scratch) / "base")
        for kind in KINDS:
            if names and kind.name not in names:
                continue
            folder = Path(scratch) / kind.name
            found = try_input(kind, folder)
            wrong = judge(found, base, folder, Path(scratch) / "base")
            megabytes = max(0.0, (found.memory - base.memory) / 1e6)
            seconds = max(0.0, found.seconds - base.seconds)
            row = {"kind": kind.name, "about": kind.about, "seconds": round(seconds, 2), "megabytes": round(megabytes)}
            rows.append({**row, "wrong": wrong})
            print(f"{kind.name:<40} {seconds:6.1f} s {megabytes:7.0f} MB  {wrong or 'ok'}", flush=True)
            (folder / "bad" / "closed.txt").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
    return rows


# -- Kills --------------------------------------------------------------------------------------------------------


def contents(output: Path) -> dict[str, bytes]:
    """The files of a corpus that do not tell times."""
    found = (path for folder in ("data", "ledger", "index", "cards") for path in (output / folder).rglob("*"))
    named = [output / name for name in ("README.md", "croissant.json", "statistics.json", "report.html")]
    return {str(path.relative_to(output)): path.read_bytes() for path in (*found, *named) if path.is_file()}


def torn(output: Path) -> str:
    """What a reader would find amiss now, such as shards that are not the manifest's; empty if nothing."""
    if not (output / "manifest.json").exists():
        return ""  # it says that there is none
    manifest = json.loads((output / "manifest.json").read_text())
    for language, about in manifest["languages"].items():
        shards = sorted((output / "data" / language).glob("*.arrow"))
        if len(shards) != len(about["shards"]):
            return f"{len(shards)} shards of {language}, the manifest has {len(about['shards'])}"
        rows = sum(pa.ipc.open_file(shard).read_all().num_rows for shard in shards)
        if rows != about["documents"]:
            return f"{rows} rows of {language}, the manifest has {about['documents']}"
    return ""


def _workers(process: int) -> list[int]:
    """Children of a process (Linux)."""
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def kill(process: int, whom: str, chosen: random.Random) -> None:
    """SIGKILL a build: its `parent`, one `child` of it, or the whole `group`."""
    try:
        children = _workers(process)
        if whom == "child" and children:
            os.kill(chosen.choice(children), signal.SIGKILL)
        elif whom == "group":
            os.killpg(process, signal.SIGKILL)
        elif whom == "parent":
            os.kill(process, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass


def try_kills(kills: int, workers: int, seed: int = 0, say: Callable[..., Any] = print) -> dict[str, Any]:
    """Kill builds `kills` times; between kills of builds that run to their end the recipe changes, so that most are
    rebuilds. Returns counts, and what went wrong."""
    chosen, done, finished, wrong = random.Random(seed), 0, 0, []
    engine = Engine(options=TWO_PROCESSES) if workers > 1 else Engine()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_good(folder)
        first = write_recipe(folder, [("good", "jsonl")])
        second = folder / "second.toml"
        second.write_text(first.read_text().replace("20000", "30000") + "[deduplication]\nexact = false\n")
        recipes, whole = (first, second), []
        build(first, folder / "warm")  # compiles the kernels, once for all children
        for number, recipe in enumerate(recipes):
            started = time.perf_counter()
            log = folder / "log"
            ended = outcome(in_child(lambda: build(recipe, folder / f"whole-{number}"), log), log)  # noqa: B023
            if ended.status:
                raise RuntimeError(ended.said)
            seconds = time.perf_counter() - started
            whole.append(contents(folder / f"whole-{number}"))
        if workers > 1:
            seconds *= 2  # workers start, and share the machine
        while done < kills:
            number = finished % 2
            log = folder / "log"
            process = in_child(lambda: build(recipes[number], folder / "out", engine), log)  # noqa: B023
            whom = chosen.choice(("parent", "child", "group") if workers > 1 else ("parent", "group"))
            time.sleep(chosen.uniform(0, seconds * 0.9))
            kill(process, whom, chosen)
            ended = outcome(process, log)
            if ended.status == -signal.SIGKILL or whom == "child":
                done += 1
            if ended.status > 0:
                wrong.append(f"status {ended.status}: {ended.said.strip()[-500:]}")
            if ended.status == 0:
                finished += 1
                if contents(folder / "out") != whole[number]:
                    wrong.append(f"after {done} kills the corpus is not the same")
            elif amiss := torn(folder / "out"):
                wrong.append(f"after {done} kills a reader finds {amiss}")
            so_far = f"{done} kills · {finished} corpora finished · {len(wrong)} wrong"
            say(f"{time.strftime('%T')} · {workers} workers · {so_far}", flush=True)
        build_again = in_child(lambda: build(recipes[finished % 2], folder / "out"), folder / "log")
        if outcome(build_again, folder / "log").status or contents(folder / "out") != whole[finished % 2]:
            wrong.append("at the end the corpus is not the same")
    return {"workers": workers, "kills": done, "finished": finished + 1, "wrong": wrong}


# -- Damage -------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """Change one bit two thirds into a file."""
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 0x20
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """Cut a file in half."""
    os.truncate(path, path.stat().st_size // 2)


def remove(path: Path) -> None:
    """Remove a file."""
    path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {"flip": flip, "truncate": truncate, "remove": remove}


def try_damage(step: int = 1) -> dict[str, Any]:
    """Damage every `step`-th file of a finished build, one at a time in each way, and build again."""
    wrong, tried = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_good(folder)
        recipe, log, output = write_recipe(folder, [("good", "jsonl")]), folder / "log", folder / "out"

        def rebuilt() -> Outcome:
            return outcome(in_child(lambda: build(recipe, output), log), log)

        rebuilt()
        whole = contents(output)
        files = sorted(path for path in output.rglob("*") if path.is_file() and path.stat().st_size)
        for path in files[::step]:
            for name, damage in DAMAGES.items():
                if path.name == ".lock" or (path.name == ".openroots.json" and name == "remove"):
                    continue
                kept = path.read_bytes()
                damage(path)
                ended = rebuilt()
                tried += 1
                told = ended.status == 1 and "error:" in ended.said
                if told:
                    path.write_bytes(kept)
                elif ended.status or contents(output) != whole:
                    wrong.append(f"{name} {path.relative_to(output)}: {ended.said.strip()[-300:]}")
                print(f"{tried} damages · {len(wrong)} wrong · {path.relative_to(output)} {name}", flush=True)
    return {"tried": tried, "files": len(files), "wrong": wrong}


# -- Figures ------------------------------------------------------------------------------------------------------


def figures(results: dict[str, Any]) -> str:
    """The figures of a run as Markdown."""
    lines = ["## Figures", "", f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, on a shared machine.", ""]
    for part in results.get("kills", []):
        lines.append(
            f"- {part['kills']:,} kills of builds and rebuilds with {part['workers']} "
            f"worker{'s' * (part['workers'] > 1)}, {part['finished']} corpora finished in between: "
            f"{len(part['wrong']) or 'no'} failures"
        )
    if damage := results.get("damage"):
        lines.append(
            f"- {damage['tried']:,} damages to {damage['files']} files: {len(damage['wrong']) or 'none'} unrepaired"
        )
    if rows := results.get("inputs"):
        survived = sum(not row["wrong"] for row in rows)
        lines += [f"- {len(rows)} kinds of hostile input, {survived} survived within limits", ""]
        lines += ["| input | processor seconds | MB | |", "|---|---:|---:|---|"]
        for row in sorted(rows, key=lambda row: -row["seconds"]):
            lines.append(
                f"| {row['about']} | {row['seconds']:.1f} | {row['megabytes']:,} | {row['wrong'] or 'survived'} |"
            )
    return "\n".join(lines)


def write_figures(results: dict[str, Any]) -> None:
    """Put the figures into docs/reliability.md."""
    path = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
    start, end = "<!-- figures -->", "<!-- end of figures -->"
    before, _, rest = path.read_text().partition(start)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{start}\n{figures(results)}\n{end}{after}")


# -- All ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; the exit status is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.hostile", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", choices=["inputs", "kills", "damage"], help="default: all")
    parser.add_argument("--only", action="append", default=[], help="a kind of input; repeatable")
    parser.add_argument("--kills", type=int, default=100, help="of builds in one process")
    parser.add_argument("--kills-of-workers", type=int, default=30, help="of builds with two worker processes")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/reliability.md")
    given = parser.parse_args(arguments)
    parts = given.parts or ["inputs", "kills", "damage"]
    results: dict[str, Any] = {}
    if "inputs" in parts:
        results["inputs"] = try_inputs(given.only)
    if "kills" in parts:
        wanted = ((given.kills, 1), (given.kills_of_workers, 2))
        results["kills"] = [try_kills(kills, workers) for kills, workers in wanted if kills]
    if "damage" in parts:
        results["damage"] = try_damage()
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if given.docs:
        write_figures(results)
    wrong = [f"{row['kind']}: {row['wrong']}" for row in results.get("inputs", []) if row["wrong"]]
    wrong += [line for part in results.get("kills", []) for line in part["wrong"]]
    wrong += results.get("damage", {"wrong": []})["wrong"]
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
