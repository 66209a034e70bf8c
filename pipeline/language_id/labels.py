"""Labels of languages: how models name them, and which names mean the same."""

import functools

from configs.models import Languages

# Codes that models still use → BCP-47's (registry of the IANA); three letters → two where a language has both.
_CURRENT = {
    "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "sh": "sr", "no": "nb", "zzp": "und", "un": "und",
    "xxx": "und", "cmn": "zh", "arb": "ar", "pes": "fa", "prs": "fa", "swh": "sw", "zlm": "ms", "zsm": "ms",
    "khk": "mn", "plt": "mg", "azj": "az", "uzn": "uz", "ydd": "yi", "ekk": "et", "lvs": "lv", "als": "sq",
    "kmr": "ku", "fat": "ak", "twi": "tw", "hau": "ha", "som": "so", "deu": "de", "jpn": "ja", "kor": "ko",
    "rus": "ru", "tur": "tr", "msa": "ms", "fas": "fa", "nld": "nl", "ita": "it", "pol": "pl", "fil": "tl",
    "nob": "nb", "nno": "nn", "npi": "ne", "ory": "or", "lah": "pnb",
}  # fmt: skip

_NEAR = {"ak": "tw", "nb": "no", "nn": "no", "hr": "hbs", "bs": "hbs", "sr": "hbs", "cnr": "hbs", "fil": "tl"}


@functools.lru_cache(maxsize=4096)
def canonical(label: str) -> str:
    """The BCP-47 language of a model's label: region, script and variant fall away, old codes become current.

    Script stays for Chinese alone (`zh-Hant`), where it makes another language of ours.
    """
    tag = label.removeprefix("__label__").replace("_", "-")
    head = tag.split("-")[0].lower()
    if head in ("zh", "zho", "cmn") and tag.lower().endswith(("hant", "tw", "hk")):
        return "zh-Hant"
    return _CURRENT.get(head, head)


def same_language(declared: str, identified: str) -> bool:
    """True where a document declared as one and identified as the other does not disagree.

    Twi is a variety of Akan, and identification answers `tw` for both; a tag with a region or script is its language
    (`pt-BR` is `pt`), save Chinese, where simplified and traditional are two.
    """
    if declared == identified:
        return True
    return _root(declared) == _root(identified)


def _root(code: str) -> str:
    root = canonical(code)
    if root == "zh":
        root = code if code.lower().endswith("hans") else "zh-Hans"
    return _NEAR.get(root, root)


class Labels:
    """Maps the labels of a model to answers: our code where the language is ours, else its BCP-47 code."""

    def __init__(self, languages: Languages, label_map: dict[str, str]) -> None:
        self._answers: dict[str, str] = {}  # labels are few, and asked for with every text
        self._map = {label: code for code, entry in languages.natural.items() for label in entry.lid_labels}
        self._map |= {code: code for code in languages.natural}
        self._map |= label_map
        if "tw" in languages.natural:
            self._map |= {label: "tw" for label in ("ak", "aka", "aka_Latn") if label not in label_map}

    @property
    def described(self) -> list[tuple[str, str]]:
        """All mappings, sorted: they are part of what answers depend on."""
        return sorted(self._map.items())

    def answer(self, label: str) -> str:
        """Our code or BCP-47 of a label, such as `__label__kor_Hang`, `ko`, `zh-Hant`."""
        if label not in self._answers:
            self._answers[label] = self._answer(label)
        return self._answers[label]

    def _answer(self, label: str) -> str:
        label = label.removeprefix("__label__")
        if label in self._map:
            return self._map[label]
        plain = canonical(label)
        return self._map.get(plain, plain)
