"""Personal data: a sieve finds its shapes over whole batches, a judge a kind decides, `PI:KIND` replaces it.

Judges are our own (check digits, suffix lists, numbering plans, issuers' forms), Presidio's for national ids.
"""

from pipeline.pii.redactor import Redactor

__all__ = ["Redactor"]
