"""Options of `PySparkRunner` on the command line."""

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

ONE_KEY = "openroots:one_key"
"""Annotation of a grouping all of whose elements have one key."""


class SparkOptions(PipelineOptions):
    """What `--runner PySparkRunner` takes."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--spark_master",
            help="spark://host:7077, yarn, k8s://…, local[4]; by default the session that exists, or as Spark is set",
        )
        parser.add_argument(
            "--spark_conf",
            action="append",
            default=[],
            help="KEY=VALUE of Spark's configuration, for a session of our own; may be given again",
        )
        parser.add_argument(
            "--spark_partitions",
            type=int,
            help="partitions over which the tasks of a step are spread; by default four a core, or more",
        )
