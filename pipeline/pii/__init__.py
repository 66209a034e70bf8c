"""Personal data: found by shape over whole batches, judged by Presidio's recognisers, replaced by `PI:KIND`."""

from pipeline.pii.redactor import Redactor

__all__ = ["Redactor"]
