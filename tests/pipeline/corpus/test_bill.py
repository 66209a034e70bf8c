"""Bills of materials: read by the model of the SPDX project where that is installed, and consistent everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openroots.cli import main
from pipeline.corpus.bill import bill_of
from tests.pipeline.small_corpus import plausible


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = plausible(tmp_path_factory.mktemp("corpus"))
    made.report()
    return made.folder


@pytest.fixture(scope="module")
def bill(corpus: Path) -> dict[str, Any]:
    return bill_of(str(corpus), "Institute of Letters", "https://example.org/corpus")


def elements(bill: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [element for element in bill["@graph"] if element["type"] == kind]


def test_the_model_of_spdx_reads_it(bill: dict[str, Any]) -> None:
    model = pytest.importorskip("spdx_python_model", reason="pip install spdx-python-model").v3_0_1
    objects = model.SHACLObjectSet()
    model.JSONLDDeserializer().deserialize_data(bill, objects)
    assert objects.link() == set()


def test_every_reference_is_to_an_element_of_the_bill(bill: dict[str, Any]) -> None:
    names = [element["spdxId"] for element in bill["@graph"] if "spdxId" in element]
    assert len(names) == len(set(names))
    for relationship in elements(bill, "Relationship"):
        assert {relationship["from"], *relationship["to"]} <= set(names)
    (document,) = elements(bill, "SpdxDocument")
    assert set(document["element"]) | {document["spdxId"]} == set(names)


def test_a_dataset_has_what_its_profile_asks_for(bill: dict[str, Any]) -> None:
    (dataset,) = elements(bill, "dataset_DatasetPackage")
    for name in ("builtTime", "releaseTime", "originatedBy", "software_downloadLocation", "dataset_datasetType"):
        assert dataset[name]
    assert dataset["software_primaryPurpose"] == "data"


def test_every_file_is_there_with_its_checksum(bill: dict[str, Any], corpus: Path) -> None:
    files = json.loads((corpus / "statistics.json").read_text("utf-8"))["files"]
    found = {entry["name"]: entry["verifiedUsing"][0]["hashValue"] for entry in elements(bill, "software_File")}
    assert found == {path: entry["sha256"] for path, entry in files.items()}


def test_sources_keep_custodian_consent_and_licence(bill: dict[str, Any], corpus: Path) -> None:
    sources = json.loads((corpus / "manifest.json").read_text("utf-8"))["sources"]
    packages = {entry["spdxId"].rsplit(":", 1)[1]: entry for entry in elements(bill, "software_Package")}
    for source in sources:
        assert source["consent"] in packages[f"source-{source['id']}"]["comment"]
    said = {entry["simplelicensing_licenseExpression"] for entry in elements(bill, "simplelicensing_LicenseExpression")}
    assert {source["licence"] for source in sources} <= said


def test_the_same_time_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "a.spdx.json", tmp_path / "b.spdx.json"]
    for output in outputs:
        arguments = ["bom", str(corpus), "--supplier", "Institute of Letters", "--output", str(output)]
        result = CliRunner().invoke(main, arguments, env={"SOURCE_DATE_EPOCH": "1700000000"})
        assert result.exit_code == 0, result.output
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert '"2023-11-14T22:13:20Z"' in outputs[0].read_text("utf-8")
