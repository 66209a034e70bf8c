"""What tasks did, as Beam's own counters: the pages of Spark, Flink and Dataflow show them while a job runs.

Counters are in the namespace `openroots`, each named after its phase: `annotate documents`, `annotate bytes`, `annotate
tasks`, `decide dropped quality words_min`. They count what this job did; what an earlier run had finished is not in
them. The figures of a corpus are its manifest's, which are added up from records.
"""

from collections import Counter

from apache_beam.metrics import Metrics

from pipeline.runtime.finished import Record

NAMESPACE = "openroots"


def counts_of(record: Record) -> Counter[str]:
    """Tasks, documents and bytes that a record tells of, and documents dropped by stage and reason."""
    counts = Counter({"tasks": 1})
    for file in record.files:
        if not (file.extra.get("dropped") or file.extra.get("aside")):
            counts.update(documents=file.documents, bytes=file.bytes)
    for stage, reason, documents, _ in record.data.get("dropped", ()):
        counts[f"dropped {stage} {reason}"] += documents
    for reason, (documents, _) in record.data.get("reasons", {}).items():
        counts[f"dropped deduplicate {reason}"] += documents
    fates = record.data.get("counts", ())
    for _, _, stage, reason, documents, *_ in fates if isinstance(fates, list) else ():  # as `settle` leaves them
        counts["kept" if stage == "write" else f"dropped {stage} {reason}"] += documents
    return counts


def count(phase: str, record: Record) -> None:
    """Add what a task did to the counters of the bundle that did it. For use within a DoFn."""
    for name, number in counts_of(record).items():
        if number:
            Metrics.counter(NAMESPACE, f"{phase} {name}").inc(int(number))
