"""Readers: every format in, batches of documents (`pipeline.text.schema.RAW`) out."""

from pipeline.readers.reading import read_files, read_unit
from pipeline.readers.units import Unit, list_units

__all__ = ["Unit", "list_units", "read_files", "read_unit"]
