"""The Flex template in `deploy/dataflow`: its files agree with the code, and its job runs the driver."""

import json
import re
from argparse import ArgumentParser
from importlib.metadata import version
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from configs.errors import ConfigurationError
from pipeline.runtime.driver_job import DriverOptions, driver_command, run
from tests.pipeline.runtime.test_portable_jobs import DATAFLOW, IMAGE

FOLDER = Path(__file__).parents[3] / "deploy" / "dataflow"
METADATA = json.loads((FOLDER / "metadata.json").read_text())
PARAMETERS = {parameter["name"]: parameter for parameter in METADATA["parameters"]}
TEMPLATE = ("--recipe=tiny", "--output=gs://corpus/out")


def options_of(kind: type[PipelineOptions]) -> set[str]:
    parser = ArgumentParser(add_help=False)
    kind._add_argparse_args(parser)
    return {action.dest for action in parser._actions}


def test_the_metadata_describes_all_parameters_and_no_other() -> None:
    known = set(PipelineOptions([]).get_all_options())
    assert options_of(DriverOptions) <= set(PARAMETERS) <= known
    assert {name for name, said in PARAMETERS.items() if not said.get("isOptional")} == {
        "recipe",
        "output",
        "sdk_container_image",
    }
    for said in PARAMETERS.values():
        assert set(said) <= {"name", "label", "helpText", "paramType", "isOptional", "regexes"} and said["helpText"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("recipe", ["tiny", "xp3-like", "gs://b/recipes/my.toml"], ["my.toml", "s3://b/my.toml", "gs://b"]),
        ("output", ["gs://bucket/corpus", "gs://bucket/a/b"], ["gs://bucket", "/tmp/corpus"]),
        ("sdk_container_image", [IMAGE], ["openroots"]),
    ],
)
def test_parameters_are_looked_at_before_the_launch(name: str, good: list[str], bad: list[str]) -> None:
    patterns = [re.compile(pattern) for pattern in PARAMETERS[name]["regexes"]]
    assert all(pattern.match(value) for pattern in patterns for value in good)
    assert not any(pattern.match(value) for pattern in patterns for value in bad)


def test_the_launch_line_gives_parameters_that_there_are() -> None:
    (line,) = re.findall(r'--parameters "\^~\^(.*?)"', (FOLDER / "README.md").read_text(), re.DOTALL)
    given = {entry.partition("=")[0].strip("\\\n") for entry in line.split("~")}
    assert given <= set(PARAMETERS)
    assert given >= {name for name, said in PARAMETERS.items() if not said.get("isOptional")}


def test_the_image_has_the_version_of_beam_that_is_locked() -> None:
    (tag,) = re.findall(r"FROM apache/beam_python\$\{PYTHON\}_sdk:(\S+)", (FOLDER / "Dockerfile").read_text())
    assert tag == version("apache-beam")


def test_the_driver_gets_what_the_template_was_given() -> None:
    more = "--build_options=--strict --max_num_workers 200"
    command = driver_command(PipelineOptions([*DATAFLOW, *TEMPLATE, "--work=gs://corpus/work", more]))
    assert command[:5] == ["build-corpus", "--recipe", "tiny", "--output", "gs://corpus/out"]
    assert command[command.index("--work") + 1] == "gs://corpus/work"
    assert {"--project=corpus-project", "--region=europe-west4", f"--sdk_container_image={IMAGE}"} <= set(command)
    assert command[-3:] == ["--strict", "--max_num_workers", "200"]


@pytest.mark.parametrize("given", [("--recipe=tiny",), (*TEMPLATE, "--build_options='open")])
def test_a_template_that_lacks_something_says_so(given: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        driver_command(PipelineOptions(list(given)))


def test_the_job_translates_for_dataflow() -> None:
    job = run([*DATAFLOW, *TEMPLATE]).job.proto_pipeline
    assert "Build" in {transform.unique_name for transform in job.components.transforms.values()}


def test_the_job_runs_the_driver_and_fails_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no recipe `tinny`; did you mean `tiny`"):
        run(["--runner=FnApiRunner", "--recipe=tinny", f"--output={tmp_path / 'out'}"]).wait_until_finish()
    assert not (tmp_path / "out").exists()


def test_the_job_ends_well_with_its_driver() -> None:
    run(["--runner=FnApiRunner", *TEMPLATE, "--build_options=--help"]).wait_until_finish()
