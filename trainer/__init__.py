"""The BLOOM trainer: packed tokens → model, on one process or many; then export and generation."""

import os

# Torch asks for huge pages where it takes much memory on a CPU: a step of a small model has a twentieth of the page
# faults. Read when torch first allocates.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
