"""Bills of materials: read by the model of the SPDX project where that is installed, and consistent everywhere."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from governance.bill_of_materials import Published, bill_of_materials
from openroots.cli import main
from pipeline.corpus.bill import bill_of


@pytest.fixture(scope="module")
def bill(whole: Path) -> dict[str, Any]:
    return bill_of(str(whole), "Institute of Letters", "https://example.org/corpus")


def elements(bill: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [element for element in bill["@graph"] if element["type"] == kind]


def test_the_model_of_spdx_reads_it(bill: dict[str, Any], tmp_path: Path) -> None:
    model = pytest.importorskip("spdx_python_model", reason="pip install spdx-python-model").v3_0_1
    (tmp_path / "bom.spdx.json").write_text(json.dumps(bill), "utf-8")
    objects = model.SHACLObjectSet()
    with (tmp_path / "bom.spdx.json").open("rb") as stream:
        model.JSONLDDeserializer().read(stream, objects)
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


def test_every_file_is_there_with_its_checksum(bill: dict[str, Any], whole: Path) -> None:
    files = json.loads((whole / "statistics.json").read_text("utf-8"))["files"]
    found = {entry["name"]: entry["verifiedUsing"][0]["hashValue"] for entry in elements(bill, "software_File")}
    assert found == {path: entry["sha256"] for path, entry in files.items()}


def test_sources_keep_custodian_consent_and_licence(bill: dict[str, Any], whole: Path) -> None:
    sources = json.loads((whole / "manifest.json").read_text("utf-8"))["sources"]
    packages = {entry["spdxId"].rsplit(":", 1)[1]: entry for entry in elements(bill, "software_Package")}
    for source in sources:
        assert source["consent"] in packages[f"source-{source['id']}"]["comment"]
    said = {entry["simplelicensing_licenseExpression"] for entry in elements(bill, "simplelicensing_LicenseExpression")}
    assert {source["licence"] for source in sources} <= said


def test_the_same_time_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "a.spdx.json", tmp_path / "b.spdx.json"]
    for output in outputs:
        arguments = ["bom", str(whole), "--supplier", "Institute of Letters", "--output", str(output)]
        result = CliRunner().invoke(main, arguments, env={"SOURCE_DATE_EPOCH": "1700000000"})
        assert result.exit_code == 0, result.output
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert '"2023-11-14T22:13:20Z"' in outputs[0].read_text("utf-8")


def test_fetched_packages_are_there_with_version_and_checksum(whole: Path) -> None:
    statistics, manifest = (
        json.loads((whole / name).read_text("utf-8")) for name in ("statistics.json", "manifest.json")
    )
    fetched = {
        "client": "npm",
        "package": "left-pad",
        "file": "x.tgz",
        "version": "1.3.0",
        "sha256": "a" * 64,
        "size": 1,
    }
    manifest["packages"] = [{"source": manifest["sources"][0]["id"], **fetched}]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    bill = bill_of_materials(statistics, manifest, Published("Institute of Letters", moment, moment))
    (package,) = (entry for entry in elements(bill, "software_Package") if entry["name"] == "left-pad")
    assert (package["software_packageVersion"], package["verifiedUsing"][0]["hashValue"]) == ("1.3.0", "a" * 64)
