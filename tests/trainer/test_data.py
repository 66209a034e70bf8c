"""Reading ahead gives what reading gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.errors import InputError
from tests.trainer.packed import packed_text
from trainer.data import Prefetch, TrainingData


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_text(tmp_path_factory.mktemp("packed"))


def test_what_was_expected_or_not_is_what_was_asked_for(packed: Path) -> None:
    data = TrainingData(str(packed), seed=3)
    prefetch = Prefetch(data, torch.device("cpu"))
    for taken, expected in ((0, 4), (4, 8), (40, 44), (44, 48)):  # the third was not expected
        batch, alone = prefetch.take(np.arange(taken, taken + 4)), data.read(np.arange(taken, taken + 4))
        assert torch.equal(batch.input_ids, alone.input_ids)
        assert torch.equal(batch.labels, alone.labels)
        assert torch.equal(batch.documents, alone.documents)
        prefetch.expect(np.arange(expected, expected + 4))
    prefetch.close()


def test_an_error_in_the_thread_is_of_the_batch_that_is_taken(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = TrainingData(str(packed))
    prefetch, read = Prefetch(data, torch.device("cpu")), data.read

    def failing(positions: np.ndarray) -> object:
        if positions[0] == 4:
            raise InputError("train-tokens.npy", "cannot be read", "pack again")
        return read(positions)

    monkeypatch.setattr(data, "read", failing)
    prefetch.expect(np.arange(4, 8))
    prefetch.take(np.arange(8, 12))
    prefetch.expect(np.arange(4, 8))
    with pytest.raises(InputError, match="cannot be read"):
        prefetch.take(np.arange(4, 8))
    prefetch.close()


def test_an_id_that_the_tokenizer_does_not_have_is_told_with_its_place(packed: Path, tmp_path: Path) -> None:
    """Bytes that went bad since the text was packed: on a GPU an embedding would fail without a word."""
    folder = shutil.copytree(packed, tmp_path / "packed")
    file = folder / "data" / "sw" / "train-tokens.npy"
    tokens = np.load(file)
    tokens[40] |= 1 << 31
    np.save(file, tokens)
    data = TrainingData(str(folder))
    data.sequences([("sw", 0)])
    with pytest.raises(InputError, match=r"sw/train-tokens.npy: sequence 1 holds the id 2,147,[0-9,]+, the tokenizer"):
        data.sequences([("sw", 0), ("sw", 1)])
