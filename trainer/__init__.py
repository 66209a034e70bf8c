"""The BLOOM trainer: packed tokens → model, on one process or many; then export and generation."""
