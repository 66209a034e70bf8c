"""GPUs that a run may be planned on: what they can do by their data sheets, and what runs have had of it.

`efficiency` is the share of the peak that a device reaches while it computes. Messages, and waiting for a pipeline to
fill, come on top (`trainer.timing`), so it is above what papers give for whole runs.
"""

from dataclasses import dataclass

from configs.errors import ConfigurationError

LINKS = 0.8
"""Share of a link's rate that large messages reach; an assumption, near what NCCL's own tests show."""
GB = 10**9


@dataclass(frozen=True)
class Device:
    """A GPU. Rates are one way, of one GPU."""

    name: str
    peak_tflops: float
    """Dense, 16 bits."""
    memory: int
    """Bytes."""
    together: int
    """GPUs within reach of the fast links."""
    fast: float
    """Bytes a second over these."""
    network: float
    """Bytes a second to elsewhere."""
    watts: float
    efficiency: float
    source: str
    """Of the efficiency."""


_NONE = "assumed: no comparable run is published"

DEVICES = {
    device.name: device
    for device in (
        Device(
            "A100",
            312.0,
            80 * GB,
            8,
            300e9,
            25e9,
            400.0,
            0.54,
            "BLOOM-176B's 150 TFLOP/s (Scao et al. 2022), 48%, less communication and the pipeline bubble",
        ),
        Device(
            "H100",
            989.0,
            80 * GB,
            8,
            450e9,
            50e9,
            700.0,
            0.45,
            "Llama 3 405B's 38 to 43% (Dubey et al. 2024, table 4), less communication: assumed",
        ),
        Device("H200", 989.0, 141 * GB, 8, 450e9, 50e9, 700.0, 0.50, "50% with 1b1 and 55% with 1b7, measured on one"),
        Device("GB200", 2500.0, 186 * GB, 72, 900e9, 50e9, 1200.0, 0.40, _NONE),
        Device("B200", 2250.0, 180 * GB, 8, 900e9, 50e9, 1000.0, 0.40, _NONE),
        Device("MI300X", 1307.0, 192 * GB, 8, 448e9, 50e9, 750.0, 0.33, _NONE),
        Device("L40S", 362.0, 48 * GB, 8, 32e9, 12.5e9, 350.0, 0.40, _NONE),
    )
}
"""By name; one whose name holds another's stands before it."""


def find_device(name: str) -> Device:
    """A device by its name, in any case. Raises ConfigurationError."""
    for known, device in DEVICES.items():
        if name.upper() in (known, known.rstrip("X")):
            return device
    raise ConfigurationError(f"no figures of `{name}`; known: {', '.join(DEVICES)}")
