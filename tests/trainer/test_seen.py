"""Which sequences hold a document, and at which steps a run saw it: compared with what the trainer itself reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import InputError
from pipeline.runtime import storage
from tests.trainer.packed import packed_text
from trainer.data import TrainingData
from trainer.seen import find_in_packed, is_run, read_run

STEPS, SIZE = 30, 4


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_text(tmp_path_factory.mktemp("packed"))


def run_of(folder: Path, packed: Path, samples: int, **changes: Any) -> str:
    """A run's folder with the manifest of one checkpoint."""
    identity = {
        "packed text": storage.read_json(str(packed / "manifest.json"))["digest"],
        "seed": 7, "data.weights": {}, "batch": [SIZE, None, 16, 0],
    }  # fmt: skip
    state = {"step": STEPS, "samples": samples, "skipped": {}}
    about = {"identity": {**identity, **changes.get("identity", {})}, "state": {**state, **changes.get("state", {})}}
    storage.write_json(str(folder / "step-00000030" / "manifest.json"), about)
    return str(folder)


def steps_by_document(data: TrainingData, batches: list[range]) -> dict[str, list[int]]:
    seen: dict[str, list[int]] = {}
    for step, batch in enumerate(batches, 1):
        for ids in data.documents(np.array(batch)):
            for identifier in ids:
                if seen.setdefault(identifier, [step])[-1] != step:
                    seen[identifier].append(step)
    return seen


def everyone(packed: Path) -> list[str]:
    arrays = [np.load(path, allow_pickle=False) for path in sorted(packed.glob("data/*/*-ids.npy"))]
    return [bytes(key).hex() for keys in arrays for key in keys]


@pytest.mark.parametrize("weights", [{}, {"sw": 3.0, "yo": 1.0}])
def test_the_steps_are_those_whose_batches_held_the_document(
    packed: Path, tmp_path: Path, weights: dict[str, float]
) -> None:
    run = read_run(run_of(tmp_path, packed, STEPS * SIZE, identity={"data.weights": weights}))
    places = find_in_packed(str(packed), everyone(packed), run)
    found = {name: [step for seen in some for step in seen.steps] for name, some in places.items()}
    data = TrainingData(str(packed), seed=7, weights=weights or None)
    expected = steps_by_document(data, [range(i * SIZE, (i + 1) * SIZE) for i in range(STEPS)])
    assert {name: steps for name, steps in found.items() if steps} == expected
    assert len(expected) > 10


def test_batches_left_out_after_a_roll_back_were_not_seen(packed: Path, tmp_path: Path) -> None:
    run = read_run(run_of(tmp_path, packed, 48, state={"skipped": {"9": 18}}))
    assert run.starts.tolist() == [0, 4, 18, 22, 26, 30, 34, 38, 42, 46]
    data = TrainingData(str(packed), seed=7)
    batches = [range(begin, begin + SIZE) for begin in run.starts.tolist()]
    places = find_in_packed(str(packed), everyone(packed), run)
    found = {name: [step for seen in some for step in seen.steps] for name, some in places.items()}
    assert {name: steps for name, steps in found.items() if steps} == steps_by_document(data, batches)


def test_each_document_names_its_sequences(packed: Path) -> None:
    data = TrainingData(str(packed))
    places = find_in_packed(str(packed), everyone(packed))
    for language in data.languages:
        where = data.first(language, 10**6)
        stream = np.load(packed / "data" / language / "train-ids.npy", allow_pickle=False)
        held: dict[str, list[int]] = {}
        for _, number in where:
            for identifier in data._stream(language).documents(number * data.sequence_length, data.sequence_length):
                held.setdefault(identifier, []).append(number)
        for key in stream:
            (seen,) = places[bytes(key).hex()]
            assert (seen.sequences and list(range(seen.sequences[0], seen.sequences[1] + 1))) == held.get(
                bytes(key).hex()
            )


def test_another_text_than_the_run_read_is_refused(packed: Path, tmp_path: Path) -> None:
    run = read_run(run_of(tmp_path, packed, 8, identity={"packed text": "0" * 32}))
    with pytest.raises(InputError, match="digests differ"):
        find_in_packed(str(packed), everyone(packed)[:1], run)


def test_a_folder_without_checkpoints_is_no_run(tmp_path: Path) -> None:
    assert not is_run(str(tmp_path))
    with pytest.raises(InputError, match="no checkpoint"):
        read_run(str(tmp_path))
