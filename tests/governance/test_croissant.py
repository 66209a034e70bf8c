"""`croissant.json`: validates with `mlcroissant` where that is installed, and keeps its structural rules everywhere."""

import hashlib
import json
from typing import Any

import pytest

from configs.load import load_recipe
from governance.croissant import CONTEXT
from governance.croissant_responsible import provenance, responsible, terms_of_use
from tests.pipeline.small_corpus import SmallCorpus, plausible

DATA_TYPES = {"sc:Text", "sc:Integer", "sc:Float"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallCorpus, dict[str, Any]]:
    corpus = plausible(tmp_path_factory.mktemp("corpus"))
    corpus.report()
    return corpus, json.loads((corpus.folder / "croissant.json").read_text("utf-8"))


def _of_type(described: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [entry for entry in described["distribution"] if entry["@type"] == name]


def test_mlcroissant_validates_it(described):
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(str(described[0].folder / "croissant.json"))
    assert dataset.metadata.ctx.issues.errors == set()


def test_required_properties_are_there(described):
    data = described[1]
    assert data["@type"] == "sc:Dataset"
    assert data["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert all(data[name] for name in ("name", "description", "license", "version", "creator", "distribution"))
    assert data["@context"] == CONTEXT


def test_every_file_is_listed_with_its_checksum(described):
    corpus, data = described
    files = {entry["contentUrl"]: entry for entry in _of_type(data, "cr:FileObject")}
    there = [*corpus.folder.glob("data/*/*.arrow"), *corpus.folder.glob("ledger/*.parquet")]
    assert set(files) == {str(path.relative_to(corpus.folder)) for path in there}
    for path in there:
        entry = files[str(path.relative_to(corpus.folder))]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entry["contentSize"] == f"{path.stat().st_size} B"


def test_every_file_set_matches_files(described):
    corpus, data = described
    for entry in _of_type(data, "cr:FileSet"):
        assert list(corpus.folder.glob(entry["includes"]))


def test_fields_refer_to_file_sets_that_exist(described):
    data = described[1]
    sets = {entry["@id"] for entry in _of_type(data, "cr:FileSet")}
    for records in data["recordSet"]:
        for field in records["field"]:
            assert field["source"]["fileSet"]["@id"] in sets
            assert field["dataType"] in DATA_TYPES
            assert field["@id"] == f"{records['@id']}/{field['name']}"


def test_ids_are_unique(described):
    data = described[1]
    ids = [entry["@id"] for entry in (*data["distribution"], *data["recordSet"])]
    ids += [field["@id"] for records in data["recordSet"] for field in records["field"]]
    assert len(ids) == len(set(ids))


def test_fields_are_columns_of_the_shards(described):
    import pyarrow as pa

    corpus, data = described
    records = next(entry for entry in data["recordSet"] if entry["@id"] == "documents-sw")
    path = next(corpus.folder.glob("data/sw/*.arrow"))
    with pa.OSFile(str(path)) as stream, pa.ipc.open_file(stream) as reader:
        assert {field["name"] for field in records["field"]} <= set(reader.schema.names)


def test_licences_are_pages_of_the_spdx_list(described):
    assert described[1]["license"] == ["https://spdx.org/licenses/MIT.html"]


def test_it_says_what_it_was_made_of_and_by_what(described):
    data = described[1]
    statistics = json.loads((described[0].folder / "statistics.json").read_text("utf-8"))
    sources = {entry["@id"].rsplit(":", 1)[1] for entry in data["prov:wasDerivedFrom"]}
    assert sources and sources <= set(statistics["sources"])
    stages = [stage["@id"].rsplit(":", 1)[1] for stage in data["prov:wasGeneratedBy"]["prov:wasInformedBy"]]
    assert stages == [stage["stage"] for stage in statistics["stages"]]
    assert len(data["rai:dataPreprocessingProtocol"]) == len(stages)
    assert "Secondary Data Analysis" in data["rai:dataCollectionType"]
    assert any("Largest shares" in line for line in data["rai:dataBiases"])


def test_terms_of_use_are_those_of_the_documents(described):
    corpus, data = described
    statistics = json.loads((corpus.folder / "statistics.json").read_text("utf-8"))
    [offer] = data["usageInfo"]
    assert offer["name"].startswith(f"MIT: {statistics['documents']:,} documents")
    assert offer["odrl:permission"]["odrl:duty"]["odrl:action"] == {"@id": "odrl:attribute"}


def test_nothing_is_said_of_what_is_not_known():
    statistics = {
        "digest": "0" * 32, "sources": {}, "stages": [], "languages": {}, "personal_data": {},
        "fairness": {"flagged": []},
    }  # fmt: skip
    plan = load_recipe("tiny")
    said = responsible(statistics, plan)
    assert not {"rai:dataBiases", "rai:personalSensitiveInformation", "rai:dataPreprocessingProtocol"} & set(said)
    assert provenance(statistics, plan, "1")["prov:wasDerivedFrom"] == []
    offers = terms_of_use({"CC0-1.0": {"documents": 1, "bytes": 5}}, {"CC0-1.0": "https://spdx.org/licenses/CC0-1.0"})
    assert "odrl:duty" not in offers[0]["odrl:permission"]
