"""What clusters need: pipelines that translate, and a package that travels."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from configs import CONFIGS
from pipeline.runtime.engine import SMALL_BYTES, Engine
from pipeline.runtime.flow import Begun, Site, Steps, fixed_step
from pipeline.runtime.phases import Phase, Task, TaskFolder

ROOT = CONFIGS.parent
PACKAGES = tuple(sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}))
DATAFLOW = (
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--project=corpus-project",
    "--region=us-central1",
    "--staging_location=gs://corpus/staging",
    "--temp_location=gs://corpus/temp",
    "--no_auth",
    "--sdk_location=container",
)


def nothing(task: Task, folder: TaskFolder) -> None:
    """Work of a task in these tests."""


def test_a_phase_translates_for_dataflow() -> None:
    tasks = [Task(f"task-{number}", ("digest",), number) for number in range(3)]
    steps = [fixed_step(Phase(name, {}, nothing), tasks) for name in ("first", "second")]
    sites = Site.pack(steps, "gs://corpus/work", check=False)
    begun = Begun(list(enumerate(tasks)), is_done=False)
    Engine(options=DATAFLOW).run("phase", lambda pipeline: pipeline | Steps(sites, begun))


def test_options_of_a_cluster_pass_untouched() -> None:
    options = ("--runner=SparkRunner", "--job_endpoint=host:8099", "--environment_type=DOCKER")
    flags = Engine(workers=8, options=options)._flags("annotate", 1 << 40)
    assert flags[:3] == list(options)
    assert not any("direct" in flag for flag in flags)


@pytest.mark.parametrize(
    ("options", "is_local"),
    [
        ((), True),
        (("--runner", "DirectRunner"), True),
        (("--runner=direct",), True),
        (("--runner", "SparkRunner"), False),
        (("--runner=FlinkRunner", "--job_name", "direct"), False),
    ],
)
def test_a_runner_is_named_in_one_word_or_two(options: tuple[str, ...], is_local: bool) -> None:
    assert Engine(options=options).is_local is is_local


@pytest.mark.parametrize(("size", "processes"), [(SMALL_BYTES - 1, False), (SMALL_BYTES, True)])
def test_little_work_stays_in_this_process(size: int, processes: bool) -> None:
    assert ("--direct_running_mode=multi_processing" in Engine(workers=2)._flags("x", size)) is processes


def test_the_wheel_carries_configuration_data_and_models(tmp_path: Path) -> None:
    tree = tmp_path / "tree"  # setuptools leaves a build folder behind, and would take stale files from it
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    files = {
        str(path.relative_to(tree)) for folder in PACKAGES for path in (tree / folder).rglob("*") if path.is_file()
    }
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(tree)], check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("openroots-*.whl"))).namelist())
    assert files <= names
    assert {f"{folder}/py.typed" for folder in PACKAGES} <= names
    assert "trainer/loop.py" in names
    assert all(name.startswith((*PACKAGES, "openroots-")) for name in names)
