"""What people write for a language (`EN`, `eng_Latn`, `pt_BR`, `zh`, `English`) brought to the codes of the project.

A declared language names folders and files of a corpus, so nothing passes that is not a code of ours or a well-formed
BCP-47 tag (RFC 5646); see `LanguageCodes.resolve`.
"""

import difflib
import functools
import re

from configs.models import Languages

UNDETERMINED = "und"
"""BCP-47 for a language that is not known."""
DECLARED_CHARACTERS_MAX = 60
"""Longer ones are no language; messages show so much of them."""

_NOT_SAID = frozenset(
    ("", "-", "?", "und", "mul", "mis", "n/a", "na-", "nan", "none", "null", "other", "undetermined", "unknown")
)
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_CODE_SET = re.compile(r"[.@].*")  # POSIX locales: en_US.UTF-8, de_DE@euro
_BIBLIOGRAPHIC = {
    "alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl", "fre": "fr",
    "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "may": "ms", "per": "fa", "rum": "ro",
    "slo": "sk", "tib": "bo", "wel": "cy",
}  # fmt: skip
"""ISO 639-2/B, where it differs from 639-2/T."""

_DEPRECATED = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro"}
"""IANA's subtag registry: Preferred-Value of deprecated languages."""

_PROGRAMMING = {
    "py": "python", "js": "javascript", "rb": "ruby", "rs": "rust", "golang": "go", "c-sharp": "csharp",
    "cxx": "cpp", "typescriptreact": "typescript",
}  # fmt: skip
"""Names that are no code of a natural language (`ts` is Tsonga, `cs` Czech)."""

_CHINESE = {"cn": "zh-Hans", "sg": "zh-Hans", "my": "zh-Hans", "tw": "zh-Hant", "hk": "zh-Hant", "mo": "zh-Hant"}
"""CLDR, likelySubtags: the script of Chinese by region; with neither it is Hans."""


class LanguageCodes:
    """Resolves declared languages to our codes."""

    def __init__(self, languages: Languages) -> None:
        self._codes = frozenset(languages.codes)
        self._scripts = {code: entry.script.lower() for code, entry in languages.natural.items()}
        self._names = _names(languages)
        self.resolve = functools.lru_cache(maxsize=4096)(self._resolve)

    def _resolve(self, said: str) -> str | None:
        """The code of a declared language: ours, else the BCP-47 language (with its script, if named) of another.

        `und` where the value says that nobody knows; None where it is no language, such as a path or a sentence.
        """
        if said in self._codes:
            return said
        if len(said) > DECLARED_CHARACTERS_MAX:
            return None
        plain = " ".join(said.replace("_", "-").casefold().split())
        if plain in _NOT_SAID:
            return UNDETERMINED
        if plain in self._names:
            return self._names[plain]
        tag = _TAG.fullmatch(_CODE_SET.sub("", plain))
        return self._of_tag(tag["language"], tag["script"] or "", tag["region"] or "") if tag else None

    def _of_tag(self, language: str, script: str, region: str) -> str:
        language = _BIBLIOGRAPHIC.get(language, _DEPRECATED.get(language, language))
        if language in ("zh", "zho", "cmn"):
            by_region = _CHINESE.get(region, "zh-Hans")
            code = {"hans": "zh-Hans", "hant": "zh-Hant"}.get(script, f"zh-{script.title()}" if script else by_region)
            return code if code in self._codes or script else self._names.get("zh", "zh")
        with_script = self._names.get(f"{language}-{script}")
        if with_script:
            return with_script
        code = self._names.get(language, language)
        if not script or self._scripts.get(code) == script:
            return code
        return f"{code}-{script.title()}"  # Hindi in Latin letters is not our Hindi

    def nearest(self, said: str) -> str | None:
        """The code of ours, by code or name, that a wrong value comes nearest to; None where none is near."""
        plain = said[:DECLARED_CHARACTERS_MAX].replace("_", "-").casefold()
        near = difflib.get_close_matches(plain, self._names, n=1)
        return self._names[near[0]] if near else None


def _names(languages: Languages) -> dict[str, str]:
    """Everything that means one language of ours and no other, case-folded, with hyphens → its code."""
    meanings: dict[str, set[str]] = {}
    for code, entry in languages.natural.items():
        for name in (entry.iso639_3, entry.name, *entry.lid_labels):
            meanings.setdefault(name.replace("_", "-").casefold(), set()).add(code)
    for code, entry_ in languages.programming.items():
        meanings.setdefault(entry_.name.casefold(), set()).add(code)
    names = {name: next(iter(codes)) for name, codes in meanings.items() if len(codes) == 1}
    # A label that models give is enough for a macrolanguage: `zho` is written Hans unless said otherwise.
    names |= {"zho": "zh-Hans", "zh": "zh-Hans"} if "zh-Hans" in languages.natural else {}
    names |= {name: code for name, code in _PROGRAMMING.items() if code in languages.programming}
    return names | {code.casefold(): code for code in languages.codes}
