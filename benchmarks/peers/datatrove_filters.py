"""datatrove's filters on the text of the filters' benchmark: runs in the environment of the peers, prints JSON.

    python datatrove_filters.py TEXTS.jsonl

Gopher's repetition and quality filters and FineWeb's, with their default thresholds but no stop words of English. Each
language has the word tokenizer that datatrove assigns to it; where that needs a download, its fallback.
"""

import json
import sys
from collections import defaultdict

from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove_chain import FALLBACK, tokenizer


def dropped(texts: list[str], language: str) -> float:
    """The share of texts in a language, such as `hin_Deva`, that a filter drops."""
    words = tokenizer(language)
    filters = [
        GopherRepetitionFilter(language=words),
        GopherQualityFilter(min_stop_words=None, language=words),
        FineWebQualityFilter(language=words),
    ]
    documents = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
    return sum(any(each.filter(document) is not True for each in filters) for document in documents) / len(texts)


def main() -> None:
    """Judge every line: a kind of text in a language."""
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    fallback = set()
    with open(sys.argv[1], encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            shares[row["kind"]][row["code"]] = dropped(row["texts"], row["language"])
            if tokenizer(row["language"]) is FALLBACK:
                fallback.add(row["code"])
    json.dump({"shares": shares, "fallback": sorted(fallback)}, sys.stdout)


if __name__ == "__main__":
    main()
