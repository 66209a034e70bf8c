"""What decides on a tokenizer; light to import, since the command line shows these defaults in its help."""

from dataclasses import dataclass
from typing import Literal

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<pad>")
"""BLOOM's, in its order: ids 0 to 3."""
VOCABULARY_SIZE = 250_680
"""BLOOM's (Scao et al. 2022, section 3.1.2)."""
LARGEST_VOCABULARY = 1 << 24
"""More than any tokenizer has; learning reserves some 100 bytes an entry."""
Documents = Literal["line", "file"]
DOCUMENTS: tuple[Documents, ...] = ("line", "file")
"""What of plain text is one document."""
MODELS = ("bpe", "sentencepiece-bpe", "sentencepiece-unigram")


@dataclass(frozen=True)
class Training:
    """Settings of a training, defaults BLOOM's where its paper says them.

    model              one of `MODELS`
    vocab_size         entries in all, special tokens included
    alpha              flattens the languages of a corpus, share p → p^alpha (see `count.language_weights`)
    pattern            pre-tokenizer: a name of `pretokenize.PATTERNS` or a regular expression
    special_tokens     they have the first ids
    unique_lines       a line of text counts once in its language, as in the sample ROOTS' tokenizer was trained on
    count_min          words rarer than this in their language are left out
    pad_with_reserved  fill up with reserved entries where the text yields too few entries
    licence            SPDX, of the tokenizer, for its card
    documents          what of plain text is one: of a file, line ends are learnt as well; of lines they are not
    """

    model: str = "bpe"
    vocab_size: int = VOCABULARY_SIZE
    alpha: float = 0.3
    pattern: str = "bloom"
    special_tokens: tuple[str, ...] = SPECIAL_TOKENS
    unique_lines: bool = True
    count_min: int = 1
    pad_with_reserved: bool = False
    licence: str = "Apache-2.0"
    documents: Documents = "file"
