"""The pipeline of the Flex template in `deploy/dataflow`: one element, whose task is the driver of a whole build.

A Flex template starts one job, whose program must not wait for its end; a build is several jobs, each planned from what
the one before left. So the driver runs on the one worker of the template's job, and sends the others from there.
"""

import argparse
import logging
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from configs.errors import ConfigurationError, OpenRootsError

HANDED_ON = (
    *("project", "region", "temp_location", "staging_location", "sdk_container_image", "service_account_email"),
    *("network", "subnetwork", "dataflow_kms_key"),
)
"""Options of the template's own job that the build's jobs get too."""
_LOGGER = logging.getLogger("openroots")


class DriverOptions(PipelineOptions):
    """Parameters of the template; `metadata.json` describes them."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--recipe", help="name of a recipe that comes with OpenRoots, or gs://….toml")
        parser.add_argument("--output", help="gs://BUCKET/FOLDER of the corpus")
        parser.add_argument("--work", help="gs://BUCKET/FOLDER of work files; else below the output")
        parser.add_argument("--build_options", default="", help="more options of `openroots build-corpus`, as one text")


def run(arguments: Sequence[str] | None = None) -> Any:
    """Start the template's job; returns its result, without waiting. Raises ConfigurationError."""
    options = PipelineOptions(list(sys.argv[1:] if arguments is None else arguments))
    command = driver_command(options)
    pipeline = beam.Pipeline(options=options)
    pipeline | "Command" >> beam.Create([command], reshuffle=False) | "Build" >> beam.ParDo(Drive())
    return pipeline.run()


def driver_command(options: PipelineOptions) -> list[str]:
    """Arguments of `openroots` for what the template was given. Raises ConfigurationError."""
    asked, all_options = options.view_as(DriverOptions), options.get_all_options()
    if not asked.recipe or not asked.output:
        raise ConfigurationError("the template needs the parameters recipe and output")
    command = ["build-corpus", "--recipe", asked.recipe, "--output", asked.output, "--runner", "DataflowRunner"]
    if asked.work:
        command += ["--work", asked.work]
    for name in HANDED_ON:
        if all_options.get(name):
            command.append(f"--{name}={all_options[name]}")
    try:
        return [*command, *shlex.split(asked.build_options)]
    except ValueError as error:
        raise ConfigurationError(f"build_options cannot be split into words: {error}") from None


class Drive(beam.DoFn):
    """Runs `openroots` with the arguments that an element is. What it says goes to the worker's log."""

    def process(self, element: list[str]) -> Iterator[int]:
        with tempfile.TemporaryDirectory() as folder:  # of what the driver fetches
            command = [sys.executable, "-m", "openroots.cli", *element]
            with subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                last = ""
                for line in process.stdout or ():
                    if line.strip():
                        last = line.strip()
                        _LOGGER.info("%s", last)
        if process.returncode:  # the runner tries again, and the same command resumes
            raise OpenRootsError(last or f"openroots ended with status {process.returncode}")
        yield 0
