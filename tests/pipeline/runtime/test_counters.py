"""Beam's counters say what tasks did: documents, bytes, drops by reason."""

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import MetricsFilter

from pipeline.runtime.counters import NAMESPACE
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine
from pipeline.runtime.flow import Site, Steps, _write_note, fixed_step
from pipeline.runtime.local_runner import LocalRunner
from pipeline.runtime.phases import Phase, Task, TaskFolder

SCHEMA = pa.schema([("value", pa.int64())])
TASKS = [Task(f"task-{value}", (str(value),), value) for value in (2, 3)]


def drop_the_rest(task: Task, folder: TaskFolder) -> None:
    with folder.arrow(".arrow", SCHEMA) as shard, folder.arrow(".dropped.arrow", SCHEMA, dropped=True) as dropped:
        shard.write(pa.record_batch({"value": [task.payload] * task.payload}), 10 * task.payload)
        dropped.write(pa.record_batch({"value": [task.payload]}), 1)
    folder.data["dropped"] = [["quality", "words_min", 1, 1]]


def counted(folder: Path) -> dict[str, int]:
    step = fixed_step(Phase("sift", {}, drop_the_rest), TASKS)
    done = Done(str(folder))
    begun = step.begin(done, check=False)
    sites = Site.pack([step.begun()], str(folder), check=False)
    _write_note(sites[0], begun, 0.0)
    pipeline = beam.Pipeline(LocalRunner())
    _ = pipeline | Steps(sites, begun)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.committed for counter in found}


def test_a_job_counts_documents_bytes_and_drops_by_reason(tmp_path: Path) -> None:
    assert counted(tmp_path) == {
        "sift tasks": 2, "sift documents": 5, "sift bytes": 50, "sift dropped quality words_min": 2,
    }  # fmt: skip


def test_what_an_earlier_run_did_is_not_counted_again(tmp_path: Path) -> None:
    Phase("sift", {}, drop_the_rest).run(Engine(), str(tmp_path), TASKS[:1])
    assert counted(tmp_path)["sift tasks"] == 1
