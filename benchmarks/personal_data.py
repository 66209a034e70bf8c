"""Precision and recall of personal data by kind and language, beside Presidio's recognisers as they come.

    python -m benchmarks.personal_data [--split measure|tune] [--misses KIND]

The set is made by code (`benchmarks.personal_data_text`): what it holds are invented values in sentences of 46
languages, and numbers, versions, annotations and hashes that look like them.
"""

import argparse
from collections.abc import Callable, Iterable

from benchmarks.personal_data_text import Case, cases

Finder = Callable[[str, str, str], list[str]]
"""Kind, language and text → what is found of that kind."""


def ours() -> Finder:
    """OpenRoots with all kinds on; for each finding, the text that `PI:KIND` stands for is told by what is gone."""
    from configs.load import load_languages
    from configs.models import PII_KINDS
    from pipeline.pii import Redactor

    regions = load_languages().phone_regions
    redactor = Redactor(PII_KINDS, regions)

    def find(kind: str, language: str, text: str) -> list[str]:
        return [text[start:end] for start, end, name in redactor.find(text, language) if name == kind]

    return find


def presidio() -> Finder:
    """Presidio's pattern recognisers of the same kinds, without context words; it has none for keys and handles."""
    from presidio_analyzer import predefined_recognizers as recognizers

    found = {
        "EMAIL": (recognizers.EmailRecognizer(), "EMAIL_ADDRESS"),
        "IP_ADDRESS": (recognizers.IpRecognizer(), "IP_ADDRESS"),
        "PHONE": (recognizers.PhoneRecognizer(), "PHONE_NUMBER"),
        "IBAN": (recognizers.IbanRecognizer(), "IBAN_CODE"),
        "CREDIT_CARD": (recognizers.CreditCardRecognizer(), "CREDIT_CARD"),
    }

    def find(kind: str, language: str, text: str) -> list[str]:
        if kind not in found:
            return []
        recognizer, entity = found[kind]
        return [text[result.start : result.end] for result in recognizer.analyze(text, [entity], None)]

    return find


def score(find: Finder, of: Iterable[Case]) -> tuple[float, float, list[Case], list[tuple[Case, str]]]:
    """Precision, recall, missed positives, false findings. A finding is right if it shares text with the value."""
    right, missed, false, positives = 0, [], [], 0
    for case in of:
        found = find(case.kind, case.language, case.text)
        hits = [piece for piece in found if case.value is not None and _covers(piece, case.value)]
        positives += case.value is not None
        if case.value is not None and not hits:
            missed.append(case)
        right += bool(hits)
        false += [(case, piece) for piece in found if case.value is None or not _covers(piece, case.value)]
    precision = right / (right + len(false)) if right or false else 1.0
    return precision, right / positives if positives else 1.0, missed, false


def _covers(piece: str, value: str) -> bool:
    """Whether at least half of the value is gone, and little else."""
    return (piece in value and 2 * len(piece) >= len(value)) or (value in piece and len(piece) <= len(value) + 8)


def main() -> None:
    """Print a table by kind, then recall by language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("tune", "measure"), default="measure")
    parser.add_argument("--misses", metavar="KIND", help="print what is missed and what is found falsely")
    parser.add_argument("--without-presidio", action="store_true")
    options = parser.parse_args()
    from configs.load import load_languages

    regions = load_languages().phone_regions
    chosen = [case for case in cases(regions) if case.split == options.split]
    finders = {"OpenRoots": ours()} | ({} if options.without_presidio else {"Presidio": presidio()})
    print("| kind | positives | negatives | " + " | ".join(f"{name}: precision · recall" for name in finders) + " |")
    print("|---|--:|--:|" + "--:|" * len(finders))
    for kind in dict.fromkeys(case.kind for case in chosen):
        mine = [case for case in chosen if case.kind == kind]
        row = [kind, str(sum(case.value is not None for case in mine)), str(sum(case.value is None for case in mine))]
        for name, find in finders.items():
            precision, recall, missed, false = score(find, mine)
            row.append("–" if name == "Presidio" and kind in ("KEY", "USER") else f"{precision:.2f} · {recall:.2f}")
            if name == "OpenRoots" and options.misses in (kind, "all"):
                for case in missed:
                    print(f"  missed ({case.language}): {case.text}")
                for case, piece in false:
                    print(f"  false ({case.language}): {piece!r} in {case.text}")
        print("| " + " | ".join(row) + " |")
    print("\nRecall of OpenRoots by language, all kinds:")
    languages = dict.fromkeys(case.language for case in chosen if case.value is not None)
    for language in languages:
        _, recall, _, _ = score(finders["OpenRoots"], [c for c in chosen if c.language == language and c.value])
        print(f"  {language}: {recall:.2f}", end="")
    print()


if __name__ == "__main__":
    main()
