"""From a checkpoint to a folder that `transformers` opens: safetensors, configuration, tokenizer, card.

Tensors are read a group at a time, so that no more than one file's worth is in memory, whatever the model's size.
"""

import fcntl
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from configs.errors import OutputError
from configs.places import on_disk
from trainer.card import model_card
from trainer.checkpoint import SafeReader, locate, read_checkpoint
from trainer.config import TrainingConfig
from trainer.huggingface import to_config, to_name
from trainer.parallel.data import DTYPES

SHARD_BYTES = 5_000_000_000
"""Of a file, at most, unless a single tensor is larger; the libraries' own default."""
UNFINISHED = ".unfinished"
"""A file that stands in the folder of a model until all others are whole."""


def export(
    checkpoint: str,
    output: str,
    *,
    dtype: str = "bf16",
    shard_bytes: int = SHARD_BYTES,
    licence: str | None = None,
    gguf: bool = False,
) -> list[str]:
    """Write the model of a checkpoint as `BloomForCausalLM` into the folder `output`; returns the files' names.

    `checkpoint` is a folder RUN/step-…, or RUN itself, whose newest is taken; `licence` an SPDX expression; `gguf`:
    write `model.gguf` as well. Raises InputError where the checkpoint is damaged, OutputError where the folder is not
    empty or cannot be written, ConfigurationError where there can be no GGUF file.
    """
    source = read_checkpoint(locate(on_disk(checkpoint)))
    target = on_disk(output)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{output} is a file; choose another --output")
    if target.exists() and any(target.iterdir()) and not (target / UNFINISHED).is_file():
        raise OutputError(f"{output} is not empty; choose another --output, or remove it")
    config = TrainingConfig.model_validate(source.manifest["config"])
    kind = DTYPES[dtype]
    if gguf:
        from trainer.gguf_file import GGUF_FILE, check_gguf, write_gguf

        check_gguf(source.folder / "tokenizer")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _unfinished(target, output, source.folder / "tokenizer"):
            names = _write_weights(source.folder, target, kind, shard_bytes)
            _write_tokenizer(source.folder / "tokenizer", target)
            roles = _roles(target)
            described = to_config(config.model, dtype=kind, sequence_length=config.sequence_length, **roles)
            _write_json(target / "config.json", described)
            _write_json(target / "generation_config.json", _generation(roles))
            _complete_tokenizer(target / "tokenizer_config.json", config.sequence_length)
            (target / "README.md").write_text(model_card(source, config, licence))
            if gguf:
                reader = SafeReader(str(source.folder))
                shapes = _shapes(reader)
                write_gguf(
                    target / GGUF_FILE,
                    config.model,
                    target,
                    {name: shapes[name] for name in sorted(shapes, key=_place)},
                    lambda name: next(_read_tensors(reader, [name], shapes))[1],
                    dtype=kind,
                    sequence_length=config.sequence_length,
                )
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{output} cannot be written: {error}; free some room and export again, or choose another --output"
        ) from error
    return names


@contextmanager
def _unfinished(target: Path, output: str, tokenizer: Path) -> Iterator[None]:
    """Hold a folder for one export, marked until it is whole; what a killed one left of its files is removed first.

    Raises OutputError where another export is at work in it, or other files are there.
    """
    names = ["model*.safetensors*", "model.gguf*", "config.json", "generation_config.json", "README.md"]
    ours = {path for name in names for path in target.glob(name)}
    ours |= {target / path.relative_to(tokenizer) for path in tokenizer.rglob("*") if path.is_file()}
    with (target / UNFINISHED).open("a") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "wait for it, or choose another --output"
            raise OutputError(f"{output}: another export is writing there; {remedy}") from None
        except OSError:  # a file system without locks
            pass
        for path in ours:
            path.unlink(missing_ok=True)
        if any(path.is_file() for path in target.rglob("*") if path.name != UNFINISHED):
            raise OutputError(f"{output} is not empty; choose another --output, or remove it")
        mark.write("An export of OpenRoots is at work here, or was stopped: the same command writes it anew.\n")
        mark.flush()
        yield
        (target / UNFINISHED).unlink()


def _write_weights(source: Path, target: Path, dtype: torch.dtype, shard_bytes: int) -> list[str]:
    reader = SafeReader(str(source))
    shapes = _shapes(reader)
    groups = list(_groups(shapes, dtype.itemsize, shard_bytes))
    names: list[str] = []
    index: dict[str, str] = {}
    for number, group in enumerate(groups, 1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors" if len(groups) > 1 else "model.safetensors"
        tensors = {to_name(key): tensor.to(dtype) for key, tensor in _read_tensors(reader, group, shapes)}
        save_file(tensors, str(target / name), metadata={"format": "pt"})
        (target / name).chmod(_mode())  # the library makes files that nobody else may read
        index |= dict.fromkeys(tensors, name)
        names.append(name)
        del tensors
    if len(groups) > 1:
        total = sum(torch.Size(shape).numel() for shape in shapes.values()) * dtype.itemsize
        _write_json(target / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": index})
    return names


def _shapes(reader: SafeReader) -> dict[str, torch.Size]:
    """Shapes of a checkpoint's parameters by our names."""
    return {
        name.removeprefix("model."): about.size
        for name, about in reader.read_metadata().state_dict_metadata.items()
        if name.startswith("model.") and hasattr(about, "size")
    }


def _groups(shapes: dict[str, torch.Size], itemsize: int, shard_bytes: int) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for name in sorted(shapes, key=_place):
        tensor_bytes = shapes[name].numel() * itemsize
        if group and size + tensor_bytes > shard_bytes:
            yield group
            group, size = [], 0
        group.append(name)
        size += tensor_bytes
    yield group


def _place(name: str) -> tuple[int, int, str]:
    """Order in the model: embedding, layers by number, what comes last."""
    parts = name.split(".")
    return (1, int(parts[1]), name) if parts[0] == "layers" else (2 if parts[0] == "final_norm" else 0, 0, name)


def _read_tensors(reader: SafeReader, names: list[str], shapes: dict[str, torch.Size]) -> Iterator[tuple[str, Tensor]]:
    """(name, fp32 tensor) of parameters in a checkpoint, read one by one."""
    for name in names:
        tensor = torch.empty(shapes[name])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as it should be here
            dcp.load({"model": {name: tensor}}, storage_reader=reader, no_dist=True)
        yield name, tensor


def _write_tokenizer(source: Path, target: Path) -> None:
    if source.exists():
        own_card = shutil.ignore_patterns("README.md")
        shutil.copytree(source, target, ignore=own_card, copy_function=shutil.copyfile, dirs_exist_ok=True)


def _complete_tokenizer(path: Path, sequence_length: int) -> None:
    """Say what a model takes of its tokenizer, and how much it was trained on at once; nothing without a tokenizer."""
    if path.exists():
        configuration = json.loads(path.read_text())
        configuration |= {"model_input_names": ["input_ids", "attention_mask"], "model_max_length": sequence_length}
        _write_json(path, configuration)


def _mode() -> int:
    """The mode that the user's umask gives to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _generation(roles: dict[str, int | None]) -> dict[str, Any]:
    """What `generate` needs to know; a model without a token that fills texts up is given the one that ends them."""
    known = {**roles, "pad_id": roles["eos_id"] if roles["pad_id"] is None else roles["pad_id"]}
    ids = {f"{name.removesuffix('_id')}_token_id": number for name, number in known.items() if number is not None}
    return {"use_cache": True, **ids}


def _roles(folder: Path) -> dict[str, int | None]:
    """Ids of the tokens that begin and end a text and fill it up."""
    roles: dict[str, int | None] = {"bos_id": None, "eos_id": None, "pad_id": None}
    if (folder / "tokenizer.json").exists():
        from tokenizer.load import Tokenizer

        tokenizer = Tokenizer.load(str(folder), "tokenizers")
        roles = {"bos_id": tokenizer.role("bos_token"), "eos_id": tokenizer.eos_id, "pad_id": tokenizer.pad_id}
    return roles


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
