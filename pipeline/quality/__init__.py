"""Quality: measures of documents as columns, and the decisions that thresholds make of them."""

from pipeline.quality.decision import QualityRules
from pipeline.quality.measures import Measures

__all__ = ["Measures", "QualityRules"]
