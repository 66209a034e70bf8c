"""Tasks of the user's own, as lm-evaluation-harness describes them, run without a network."""

import json
from pathlib import Path

import pytest

pytest.importorskip("lm_eval", reason="needs the extra [evaluate]: pip install 'openroots[evaluate]'")

from configs.errors import ConfigurationError
from trainer.evaluation import harness

pytestmark = pytest.mark.slow

TASK = """task: capitals
dataset_path: json
dataset_kwargs:
  data_files: {{test: "{items}"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


def test_a_task_over_local_files_is_run_and_a_missing_one_is_named(model: str, tmp_path: Path) -> None:
    rows = [{"question": f"Capital {n}?", "choices": ["Nairobi", "Dodoma"], "answer": n % 2} for n in range(6)]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "capitals.yaml").write_text(TASK.format(items=tmp_path / "items.jsonl"))
    found = harness.run(model, "capitals", 0, None, 0, str(tmp_path))
    assert [(row["task"], row["metric"], row["items"]) for row in found] == [("capitals", "acc", 6)]
    assert 0 <= found[0]["value"] <= 1 and found[0]["low"] <= found[0]["value"]
    with pytest.raises(ConfigurationError, match="could not run `nothing`"):
        harness.run(model, "nothing", 0, None, 0)
