"""Masked positions, wherever they are: logits are those of transformers."""

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from trainer.attention import Way
from trainer.huggingface import from_config, from_state
from trainer.model import Bloom

ROWS = ["111111111111", "000011111111", "110011101111", "011010001101", "111111110000"]


@pytest.mark.parametrize("attention", ["plain", "sdpa", "flex"])
def test_holes_are_not_counted_as_positions(attention: Way) -> None:
    torch.manual_seed(0)
    shape = BloomConfig(vocab_size=300, hidden_size=64, n_layer=2, n_head=4, initializer_range=0.2)
    theirs = BloomForCausalLM(shape).eval()
    ours = Bloom(from_config(shape.to_dict()))
    ours.load_state_dict(dict(from_state(theirs.state_dict())))
    ours.fill_slopes()
    ours.set_attention(attention)
    mask = torch.tensor([[int(digit) for digit in row] for row in ROWS]).bool()
    ids = torch.randint(0, 300, mask.shape)
    with torch.no_grad():
        expected = theirs(ids, attention_mask=mask.long()).logits
        found = ours(ids, mask=mask)
    torch.testing.assert_close(found[mask], expected[mask], atol=2e-5, rtol=1e-4)
