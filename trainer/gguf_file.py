"""From a checkpoint to a GGUF file that llama.cpp runs: shapes, vocabulary, tensors, one tensor in memory at a time.

Names are those of the `gguf` package. llama.cpp wants queries, keys and values one after the other where BLOOM has them
head by head, and vectors in fp32 (as in its `convert_hf_to_gguf.py`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from configs.errors import ConfigurationError
from configs.extras import need
from tokenizer.export import known_pattern
from tokenizer.gguf_vocabulary import NO_PATTERN, PRE_TOKENIZERS, add_architecture, add_vocabulary, cannot
from tokenizer.load import Tokenizer
from trainer.config import ModelConfig
from trainer.huggingface import to_name

GGUF_FILE = "model.gguf"


def check_gguf(tokenizer: Path) -> None:
    """Refuse, before anything is written, what cannot be a GGUF file. Raises ConfigurationError."""
    need("gguf", "gguf")
    if not (tokenizer / "tokenizer.json").exists():
        raise ConfigurationError("a GGUF file holds its tokenizer, and this checkpoint has none")
    if known_pattern(Tokenizer.load(str(tokenizer), "tokenizers"), "gguf") not in PRE_TOKENIZERS:
        raise cannot(NO_PATTERN)


def write_gguf(
    path: Path,
    config: ModelConfig,
    folder: Path,
    shapes: dict[str, torch.Size],
    read: Callable[[str], Tensor],
    *,
    dtype: torch.dtype,
    sequence_length: int,
) -> None:
    """Write the model as a GGUF file.

    folder   holds the tokenizer
    shapes   of the parameters, by our names, in their order in the file
    read     gives a parameter, fp32
    dtype    of matrices
    Raises ConfigurationError where llama.cpp cannot give the tokenizer's ids.
    """
    from gguf import GGUFWriter, LlamaFileType

    tokenizer = Tokenizer.load(str(folder), "tokenizers")
    writer = GGUFWriter(path, "bloom")
    writer.add_name(config.name)
    add_architecture(
        writer,
        hidden=config.hidden,
        heads=config.heads,
        layers=config.layers,
        context=sequence_length,
        epsilon=config.epsilon,
    )
    kinds = {
        torch.float32: LlamaFileType.ALL_F32,
        torch.float16: LlamaFileType.MOSTLY_F16,
        torch.bfloat16: LlamaFileType.MOSTLY_BF16,
    }
    writer.add_file_type(kinds[dtype])
    add_vocabulary(writer, tokenizer, known_pattern(tokenizer, "gguf"), config.vocabulary_size)
    names = _names(config.layers)
    for name, shape in shapes.items():
        kind = dtype if len(shape) > 1 else torch.float32
        if kind == torch.bfloat16:
            _add_bf16(writer, names(name), shape)
        else:
            numbers = np.dtype(np.float16 if kind == torch.float16 else np.float32)
            writer.add_tensor_info(names(name), list(shape), numbers, shape.numel() * numbers.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, shape in shapes.items():
        tensor = read(name)
        if ".query_key_value." in name:
            tensor = _apart(tensor, config.heads)
        kind = dtype if len(shape) > 1 else torch.float32
        tensor = tensor.to(kind)
        writer.write_tensor_data(tensor.view(torch.uint8).numpy() if kind == torch.bfloat16 else tensor.numpy())
    writer.close()


def _names(layers: int) -> Callable[[str], str]:
    """Our name of a parameter → GGUF's."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH.BLOOM, layers)

    def name_of(name: str) -> str:
        found = table.get_name(to_name(name).removeprefix("transformer."), try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ConfigurationError(f"GGUF has no name for {name}")
        return str(found)

    return name_of


def _add_bf16(writer: Any, name: str, shape: torch.Size) -> None:
    from gguf import GGMLQuantizationType

    as_bytes = [*shape[:-1], 2 * shape[-1]]
    writer.add_tensor_info(name, as_bytes, np.dtype(np.uint8), 2 * shape.numel(), GGMLQuantizationType.BF16)


def _apart(tensor: Tensor, heads: int) -> Tensor:
    """[heads, (q, k, v), rows, …] → [(q, k, v), heads, rows, …], flattened again to the shape it came in."""
    apart = tensor.unflatten(0, (heads, 3, tensor.shape[0] // (3 * heads)))
    return apart.transpose(0, 1).reshape(tensor.shape).contiguous()
