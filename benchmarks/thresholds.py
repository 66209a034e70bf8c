"""Measure the thresholds that come with OpenRoots: `python -m benchmarks.thresholds --work DIR`.

Writes those of `FOUND` into `configs/languages.toml`, the evidence into `benchmarks/thresholds.json`. Good text is the
part `tune` of `benchmarks.filters_text`; of languages with little text all of `train` and `tune`, each quarter measured
by a letter model of the other three. Good Chinese is literary too.
"""

import argparse
import dataclasses
import json
import random
import re
from pathlib import Path

from benchmarks import ROOT
from benchmarks.filters_text import made
from benchmarks.literary import learnt
from configs import CONFIGS
from configs.load import load_languages, read_toml
from configs.models import Quality
from pipeline.quality.calibration import Evidence, calibrate, good_texts, learnt_and_measured, measured
from pipeline.quality.junk import make_junk

FOUND = ("special_characters_max", "letter_order_min", "closed_class_words_min")
"""Those whose distribution is the language's own; the others have one default for all."""
SENTENCES_MAX, LITTLE = 1500, 150


def evidence(folder: Path) -> dict[str, list[Evidence]]:
    """Language → evidence of each threshold."""
    languages, quality, text = load_languages(), Quality(), made(folder)
    lists = read_toml(str(CONFIGS / "words" / "sources.toml"))["closed_class"]
    derived = {code for code, entry in lists.items() if "declarations" in entry or "messages" in entry}
    found: dict[str, list[Evidence]] = {}
    for code in languages.natural:
        sentences = sorted(text["tune"].get(code, []))
        unspaced = languages.natural[code].quality.segment_words_with_sentencepiece
        if len(sentences) < LITTLE:
            sentences = sorted(sentences + text["train"].get(code, []))
            random.Random(code).shuffle(sentences)
            _, good, junk = learnt_and_measured(sentences, code, languages, quality)
        else:
            random.Random(code).shuffle(sentences)
            sentences = sentences[:SENTENCES_MAX]
            texts = good_texts(sentences, unspaced)
            if code.startswith("zh"):
                texts += learnt(folder, code == "zh-Hant")["tune"]
            good = measured(texts, code, languages, quality)
            junk = {
                kind: measured(made_of_them, code, languages, quality)
                for kind, made_of_them in make_junk(sentences, unspaced).items()
            }
        found[code] = [_independent(each, code, derived) for each in calibrate(good, junk)]
    return found


def _independent(each: Evidence, code: str, derived: set[str]) -> Evidence:
    """Text that a list of words was made from is no evidence for the list."""
    if each.threshold != "closed_class_words_min" or code not in derived:
        return each
    return dataclasses.replace(each, value=None, lost=0.0, caught={}, why="its list was made from this text")


def write_thresholds(path: Path, found: dict[str, list[Evidence]]) -> None:
    """Put the thresholds of FOUND into `languages.toml`, each under its language; what is not applied is taken out."""
    head, *parts = re.split(r"(?m)^(?=\[natural\.[^.\]]+\]$|\[programming\.)", path.read_text(encoding="utf-8"))
    written = [head]
    for part in parts:
        named = re.match(r"\[natural\.([^\]]+)\]", part)
        if named:
            part = re.sub(rf"(?m)^(?:{'|'.join(FOUND)}) = .*\n", "", part).rstrip("\n")
            values = {each.threshold: each.value for each in found[named[1]] if each.value is not None}
            lines = [f"{name} = {values[name]}" for name in FOUND if name in values]
            table = f"[natural.{named[1]}.quality]"
            if lines and table not in part:
                part += f"\n{table}"
            part = "\n".join([part, *lines]).removesuffix(f"\n{table}") + "\n\n"
        written.append(part)
    path.write_text("".join(written), encoding="utf-8")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=str(ROOT / "build" / "filters"), help="folder for packages")
    found = evidence(Path(parser.parse_args().work))
    write_thresholds(CONFIGS / "languages.toml", found)
    rows = {code: [dataclasses.asdict(each) for each in row] for code, row in found.items()}
    path = ROOT / "benchmarks" / "thresholds.json"
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
