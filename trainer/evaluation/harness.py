"""EleutherAI's lm-evaluation-harness runs tasks that it knows by name, where it is installed and reaches the Hub."""

from importlib.util import find_spec
from typing import Any

from configs.errors import ConfigurationError

PACKAGE = "lm_eval"
_NORMAL = 1.96


def is_there() -> bool:
    """Whether the extra `evaluate` is installed."""
    return find_spec(PACKAGE) is not None and find_spec("transformers") is not None


def run(
    folder: str, task: str, shots: int, limit: int | None, seed: int, own: str | None = None, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Figures of a task: `task`, `metric`, `value`, `low`, `high`, `items`. Raises ConfigurationError.

    `own` is a folder with tasks of the user's own, as YAML in the harness's form; its data may be files there.
    """
    import lm_eval
    from lm_eval.tasks import TaskManager

    try:
        found = lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": folder, "trust_remote_code": False},
            tasks=[task],
            task_manager=TaskManager(include_path=own) if own else None,
            device=device,  # left out, it would be a GPU, there or not
            num_fewshot=shots or None,
            limit=limit,
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            fewshot_random_seed=seed,
            log_samples=False,
        )
    except Exception as error:  # whatever tasks of others raise
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigurationError(f"lm-evaluation-harness could not run `{task}`: {cause[0][:300]}") from error
    rows = []
    for name, figures in (found or {}).get("results", {}).items():
        items = (found or {}).get("n-samples", {}).get(name, {}).get("effective", 0)
        for key, value in figures.items():
            metric, _, kind = key.partition(",")
            if not isinstance(value, int | float) or metric.endswith("_stderr") or metric in ("alias", "sample_len"):
                continue
            deviation = figures.get(f"{metric}_stderr,{kind}")
            width = _NORMAL * deviation if isinstance(deviation, int | float) else float("nan")
            rows.append({"task": name, "metric": metric, "value": float(value), "low": value - width,
                         "high": value + width, "items": int(items)})  # fmt: skip
    return rows
