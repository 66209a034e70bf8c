"""How much work a token is, and how much a device can do."""

from trainer.config import ModelConfig
from trainer.devices import DEVICES


def flops_per_token(model: ModelConfig, sequence_length: int, *, recompute: bool = False) -> float:
    """Floating-point operations of a token's forward and backward pass (Narayanan et al. 2021, section 5.1).

    72 l h² (1 + s / 6h + V / 12 l h); with full activation checkpointing the layers' forward pass is done twice, which
    makes it 96 l h² (1 + s / 6h + V / 16 l h).
    """
    layers, h = model.layers, model.hidden
    factor = 96.0 if recompute else 72.0
    head = model.vocabulary_size / ((16.0 if recompute else 12.0) * layers * h)
    return factor * layers * h * h * (1.0 + sequence_length / (6.0 * h) + head)


def peak_tflops(device_name: str) -> float | None:
    """Dense 16-bit TFLOP/s of a device by its name; None where it is not known."""
    return next((one.peak_tflops for one in DEVICES.values() if one.name.rstrip("X") in device_name), None)
