"""A labelled set of personal data, made by code: positives and hard negatives by kind, language and split.

All values are invented (random digits that pass the checks of their kind). Sentences of the half `measure` are others
than those of `tune`, so that a rule fitted to the words of one half is seen in the other.
"""

import random
import string
import tomllib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 20_240_917
SENTENCES = tomllib.loads((Path(__file__).parent / "personal_data.toml").read_text())


@dataclass(frozen=True)
class Case:
    """A text; `value` is the personal data in it, None in a hard negative."""

    kind: str
    language: str
    split: str
    text: str
    value: str | None


NATIVE_DIGITS = {"ar": 0x660, "ur": 0x6F0, "hi": 0x966, "mr": 0x966, "ne": 0x966, "bn": 0x9E6, "as": 0x9E6, "pa": 0xA66,
                 "gu": 0xAE6, "or": 0xB66, "ta": 0xBE6, "te": 0xC66, "kn": 0xCE6, "ml": 0xD66}  # fmt: skip


FIRST = [
    "amina",
    "kofi",
    "fatou",
    "jane",
    "thabo",
    "wei",
    "priya",
    "nguyen",
    "lucia",
    "joao",
    "sipho",
    "chidi",
    "maria",
    "ahmed",
    "lea",
    "omar",
    "rosa",
    "yusuf",
    "zanele",
]
LAST = [
    "mensah",
    "diallo",
    "okafor",
    "sharma",
    "smith",
    "dlamini",
    "garcia",
    "silva",
    "traore",
    "chen",
    "kimani",
    "patel",
    "nkosi",
    "lopez",
    "dupont",
    "adeyemi",
]
HOSTS = [
    "gmail.com",
    "yahoo.fr",
    "acme-corp.com",
    "uni-dakar.sn",
    "mail.co.za",
    "posta.co.ke",
    "empresa.com.br",
    "techhub.ng",
    "rediffmail.com",
]
CARD_PREFIXES = (
    "4",
    "51",
    "55",
    "2223",
    "2720",
    "34",
    "37",
    "6011",
    "65",
    "62",
    "506100",
    "5078700",
    "6521",
    "3530",
    "36",
)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _token(rng: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choices(alphabet, k=count))


def email(rng: random.Random) -> str:
    """An address of mail."""
    name = rng.choice(FIRST) + rng.choice([".", "_", ""]) + rng.choice(LAST) + rng.choice(["", "7", "88"])
    return f"{name}@{rng.choice(HOSTS)}"


def ip_address(rng: random.Random) -> str:
    """A public address, version 4 or 6."""
    first = rng.choice([41, 62, 81, 102, 154, 187, 196, 203, 212])
    four = f"{first}.{rng.randint(41, 254)}.{rng.randint(1, 254)}.{rng.randint(1, 254)}"
    groups = [f"{rng.randint(1, 65_535):x}" for _ in range(3)]
    six = f"2a{rng.randint(16, 255):x}:{groups[0]}:{groups[1]}::{groups[2]}"
    return rng.choice([four, four, four, six, f"::ffff:{four}", f"{six}%eth0"])


def iban(rng: random.Random) -> str:
    """An account with right check digits, in one piece, in groups, or in small letters."""
    from pipeline.pii.issuers import BBAN

    country = rng.choice(("DE", "FR", "ES", "GB", "PT", "NL", "BR", "SA", "TN", "SN", "CI", "AE", "IT", "EG", "MU"))
    body = "".join(
        _token(rng, length, {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits}[kind])
        for length, kind in BBAN[country]
    )
    number = int("".join(str(int(character, 36)) for character in f"{body}{country}00"))
    account = f"{country}{98 - number % 97:02d}{body}"
    grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
    return rng.choice([account, grouped, grouped.replace(" ", "\u00a0"), account.lower(), grouped.replace(" ", "-")])


def card(rng: random.Random) -> str:
    """A card number with a right check digit, in one piece or in the usual groups."""
    from pipeline.pii.numbers import has_check_digit

    prefix = rng.choice(CARD_PREFIXES)
    length = {"34": 15, "37": 15, "36": 14, "506100": rng.choice([16, 19]), "62": rng.choice([16, 19])}.get(prefix, 16)
    stem = prefix + _digits(rng, length - len(prefix) - 1)
    number = next(stem + digit for digit in string.digits if has_check_digit(stem + digit))
    sizes = {15: (4, 6, 5), 14: (4, 6, 4), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}[length]
    groups, position = [], 0
    for size in sizes:
        groups.append(number[position : position + size])
        position += size
    return rng.choice([number, " ".join(groups), "-".join(groups), "\u00a0".join(groups)])


def user(rng: random.Random) -> str:
    """A handle."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    return "@" + rng.choice(
        [first + last, f"{first}_{last}", f"{first}.{last}", f"{first}-{last}", f"{first}{rng.randint(1, 99)}"]
    )


def key(rng: random.Random) -> str:
    """A credential in the form of an issuer, and where a name is needed, behind one."""
    hexadecimal, upper = "0123456789abcdef", string.ascii_uppercase + "234567"
    makers: list[Callable[[], str]] = [
        lambda: "AKIA" + _token(rng, 16, upper),
        lambda: "ASIA" + _token(rng, 16, upper),
        lambda: "hf_" + _token(rng, 34, string.ascii_letters),
        lambda: "ghp_" + _token(rng, 36),
        lambda: "github_pat_" + _token(rng, 22) + "_" + _token(rng, 59),
        lambda: "glpat-" + _token(rng, 20),
        lambda: f"xoxb-{_digits(rng, 12)}-{_digits(rng, 12)}-{_token(rng, 24)}",
        lambda: f"https://hooks.slack.com/services/T{_token(rng, 8, upper)}/B{_token(rng, 8, upper)}/{_token(rng, 24)}",
        lambda: f"SG.{_token(rng, 22)}.{_token(rng, 43)}",
        lambda: f"{_digits(rng, 10)}:AAF{_token(rng, 32)}",
        lambda: f"M{_token(rng, 23)}.{_token(rng, 6)}.{_token(rng, 27)}",
        lambda: f"https://discord.com/api/webhooks/{_digits(rng, 18)}/{_token(rng, 68)}",
        lambda: "SK" + _token(rng, 32, hexadecimal),
        lambda: "sk_live_" + _token(rng, 24),
        lambda: "AIza" + _token(rng, 35),
        lambda: "sk-proj-" + _token(rng, 48),
        lambda: "sk-ant-api03-" + _token(rng, 93) + "AA",
        lambda: "npm_" + _token(rng, 36),
        lambda: "pypi-AgEIcHlwaS5vcmc" + _token(rng, 60),
        lambda: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_token(rng, 30)}.{_token(rng, 43)}",
        lambda: "dop_v1_" + _token(rng, 64, hexadecimal),
        lambda: "shpat_" + _token(rng, 32, hexadecimal),
    ]
    return rng.choice(makers)()


WORDS = [
    "cached_property",
    "list",
    "injectable",
    "fixture",
    "Component",
    "lines",
    "render",
    "values",
    "nullable",
    "validate",
    "mixin",
    "State",
    "total",
]


def _negative(rng: random.Random, template: str) -> str:
    hexadecimal = "0123456789abcdef"
    word = rng.choice(WORDS)
    text = template
    while "{s}" in text or "{m}" in text:
        text = (
            text.replace("{s}", str(rng.randint(1, 19)), 1)
            if "{s}" in text
            else text.replace("{m}", str(rng.randint(40, 99)), 1)
        )
    values = {
        "{h64}": _token(rng, 64, hexadecimal),
        "{h40}": _token(rng, 40, hexadecimal),
        "{h32}": _token(rng, 32, hexadecimal),
        "{uuid}": str(uuid.UUID(int=rng.getrandbits(128))),
        "{b40}": _token(rng, 40),
        "{b}": _token(rng, 60),
        "{w}": word,
        "{W}": word.title().replace("_", ""),
        "{{": "{",
        "}}": "}",
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _phone_values(rng: random.Random, language: str, regions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A number of the language's regions in national and in international form, with digits of its script."""
    import phonenumbers as library

    region = rng.choice(regions)
    example = library.example_number_for_type(
        region, rng.choice([library.PhoneNumberType.MOBILE, library.PhoneNumberType.FIXED_LINE])
    )
    number = example
    for _ in range(50):
        digits = str(example.national_number)
        changed = digits[:-4] + _digits(rng, 4)
        candidate = library.PhoneNumber(country_code=example.country_code, national_number=int(changed))
        if len(str(int(changed))) == len(digits) and library.is_valid_number(candidate):
            number = candidate
            break
    national = library.format_number(number, library.PhoneNumberFormat.NATIONAL)
    international = library.format_number(number, library.PhoneNumberFormat.INTERNATIONAL)
    tight = "".join(character for character in national if character.isdigit())
    written = rng.choice([national, national, tight, international, international.replace(" ", "-")])
    if language in NATIVE_DIGITS and rng.random() < 0.4:
        zero = NATIVE_DIGITS[language]
        written = "".join(chr(zero + int(c)) if c.isascii() and c.isdigit() else c for c in written)
    yield ("national" if "+" not in written else "international"), written


def cases(regions: dict[str, tuple[str, ...]], repeats: int = 3) -> list[Case]:
    """The whole set; the same for the same `regions` and `repeats`."""
    rng = random.Random(SEED)
    made: list[Case] = []
    splits = ("tune", "measure")
    simple = {"EMAIL": email, "IP_ADDRESS": ip_address, "IBAN": iban, "CREDIT_CARD": card}
    for kind, make in simple.items():
        for language, sentences in SENTENCES["any"].items():
            if kind == "CREDIT_CARD" and language == "python":
                continue
            for split, sentence in zip(splits, sentences, strict=True):
                for _ in range(2 * repeats):
                    value = make(rng)
                    made.append(Case(kind, language, split, sentence.replace("{}", value), value))
    for language, sentences in SENTENCES["user"].items():
        for split, sentence in zip(splits, sentences, strict=True):
            for _ in range(2 * repeats):
                value = user(rng)
                made.append(Case("USER", language, split, sentence.replace("{}", value), value))
    for language, sentences in SENTENCES["phone"].items():
        bare = [SENTENCES["phone_bare"][language]] if language in SENTENCES["phone_bare"] else []
        for split, sentence in zip(splits, sentences, strict=True):
            for template in (sentence, *bare):
                for _ in range(repeats):
                    for _, value in _phone_values(rng, language, regions[language]):
                        made.append(Case("PHONE", language, split, template.replace("{}", value), value))
    for round_ in range(30 * repeats):
        split = splits[round_ % 2]
        value = key(rng)
        made.append(Case("KEY", "code", split, rng.choice(SENTENCES["key"]["contexts"]).replace("{}", value), value))
        secret = _token(rng, rng.choice([24, 32, 40]))
        made.append(Case("KEY", "code", split, rng.choice(SENTENCES["key"]["named"]).replace("{}", secret), secret))
        password = _token(rng, 12) + "9aQ"
        made.append(
            Case("KEY", "code", split, rng.choice(SENTENCES["key"]["placed"]).replace("{}", password), password)
        )
    for kind, templates in SENTENCES["negatives"].items():
        for number, template in enumerate(templates):
            for _ in range(2 * repeats):
                made.append(Case(kind, "en", splits[number % 2], _negative(rng, template), None))
    return made
