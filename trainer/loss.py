"""Cross-entropy over a large vocabulary."""

from torch import Tensor
from torch.nn import functional


def cross_entropy_sum(hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
    """Sum of the cross-entropies (fp32 scalar, nats) of logits `hidden @ weight.T`.

    hidden (…, h), weight (vocabulary, h), labels int64 (…), -100 counts for nothing; `chunk` positions at a time.
    """
    logits = functional.linear(hidden.flatten(0, -2), weight)
    return functional.cross_entropy(logits.float(), labels.flatten(), reduction="sum", ignore_index=-100)
