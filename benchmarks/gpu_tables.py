"""Tables of `benchmarks/RESULTS.md` from the rows that `benchmarks.gpu` made."""

from typing import Any

from benchmarks import Table
from benchmarks.__main__ import record

TITLES = {
    "ceiling": "What the card can do",
    "correct": "Numbers on the card",
    "attention": "Attention, forward and backward: 8 sequences of 2048, 16 heads, bf16",
    "step": "Steps of training: bf16, sequences of 2048",
    "transformers": "Steps of `transformers` with fused AdamW",
    "generate": "Greedy generation: bf16, 8 prompts of 256 tokens",
    "model": "A model from its first step to an evaluation",
    "profile": "A compiled step",
    "train": "A run of 60 steps, killed and resumed",
}
NOTE = (
    "TFLOP/s of steps count forward and backward, logits and all of s × s in attention, no recomputation (Narayanan et "
    "al. 2021); those of attention count its causal half. MFU is of the dense 16-bit peak in the data sheet."
)


def record_rows(results: dict[str, Any]) -> None:
    """Replace the part `gpu` of the results. Raises ValueError for a rehearsal, whose figures mean nothing."""
    if results["rehearsal"]:
        raise ValueError("these are rows of a rehearsal on the CPU")
    about = {key: str(value) for key, value in results.items() if key != "rows"}
    record({"gpu": tables(results["rows"])}, about)


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """A table for each kind of row."""
    found = []
    for kind, title in TITLES.items():
        mine = [row for row in rows if row["row"].split()[0] == kind]
        if not mine:
            continue
        columns = list(dict.fromkeys(key for row in mine for key in row if _is_shown(key, row[key])))
        cells = [[row["row"], *(_cell(row.get(column, "")) for column in columns)] for row in mine]
        found.append(Table(title, ["row", *columns], cells, [NOTE] if kind == "step" else [], {"rows": mine}))
        if kind == "profile":
            found += [_kernels(row) for row in mine if "kernels" in row]
    return found


def _kernels(row: dict[str, Any]) -> Table:
    cells = [[f"`{k['kernel'][:80]}`", str(k["calls"]), f"{k['ms']:.2f}", f"{k['share']:.1%}"] for k in row["kernels"]]
    return Table(f"Kernels of {row['row']}", ["kernel", "calls", "ms", "share"], cells)


def _is_shown(key: str, value: Any) -> bool:
    return key not in ("row", "at") and not isinstance(value, dict | list)


def _cell(value: Any) -> str:
    text = (
        f"{value:,.4g}"
        if isinstance(value, float) and abs(value) < 1e4
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
    return text.replace("|", "\\|")
