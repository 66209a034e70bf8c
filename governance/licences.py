"""The licence gate: which documents may enter a corpus, by the SPDX expression that each one carries.

An expression passes if one way to satisfy it is allowed: `MIT OR GPL-3.0-only` passes a gate that denies `GPL-*`,
`MIT AND GPL-3.0-only` does not. ROOTS meant to drop copyleft code and, by an inverted test, kept only that
(BLOOM preparation, code part); here each refusal names the licence and the pattern, so that anybody can check.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from license_expression import ExpressionError, LicenseWithExceptionSymbol, Licensing

from configs.models import LicencePolicy
from governance.licence_rows import row_licence

EXPRESSION_CHARACTERS_MAX = 1000
"""Longer ones are refused unread: they come from files, and the parser holds a tree of them in memory."""

VERDICTS_MAX = 10_000
"""Verdicts remembered: a hostile file may give every document a licence of its own."""

DENIED, UNKNOWN, REVIEW, CONFLICT = "licence_denied", "licence_unknown", "licence_review", "licence_conflict"
"""Reasons of the ledger: the policy denies it; nobody can tell what it is; that, and the recipe wants it looked at;
what is declared would pass, but what the file or its surroundings say does not."""

PUBLIC_DOMAIN = "LicenseRef-public-domain"
"""What detection says of a dedication to the public domain, for which SPDX has no general id: known, and admitted."""

_LICENSING = Licensing()


class LicenceSyntaxError(ValueError):
    """A string is not an SPDX licence expression."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one expression; `detail` tells why not, and is empty where it is admitted.

    `reason` is that of the ledger: licence_denied, licence_unknown, licence_review.
    """

    admitted: bool
    detail: str = ""
    reason: str = DENIED


def parse_expression(expression: str) -> object:
    """The syntax tree of an SPDX expression (Annex D of the SPDX specification 2.3): AND, OR, WITH, parentheses.

    Identifiers need not be on the SPDX list (`LicenseRef-x`, `NOASSERTION`), but may hold no spaces.
    Raises LicenceSyntaxError.
    """
    if len(expression) > EXPRESSION_CHARACTERS_MAX:
        raise LicenceSyntaxError(f"`{expression[:40]}…` is too long for an SPDX expression")
    try:
        tree = _LICENSING.parse(expression)
    except (ExpressionError, IndexError, RecursionError):
        tree = None
    if tree is None or any(" " in name for name in _names(tree)):
        raise LicenceSyntaxError(f"`{_shown(expression)}` is not an SPDX expression")
    return tree


def _shown(expression: str) -> str:
    return expression if len(expression) <= 100 else f"{expression[:100]}…"


def _names(tree: object) -> list[str]:
    arguments = getattr(tree, "args", ())
    if arguments:
        return [name for argument in arguments for name in _names(argument)]
    if isinstance(tree, LicenseWithExceptionSymbol):
        return [tree.license_symbol.key, tree.exception_symbol.key]
    return [tree.key]  # type: ignore[attr-defined]


@dataclass
class LicenceGate:
    """Applies a policy to columns of licences.

    Patterns are fnmatch over SPDX ids, blind to case as SPDX ids are. A licence with an exception is compared both
    without it and as a whole (`GPL-2.0-only WITH Classpath-exception-2.0`), so that a recipe may allow the whole; a
    pattern in `deny` that fits either denies it. What is no SPDX expression is refused: nobody can tell what it says.
    So is an id that SPDX does not list (`other`, `unknown`), unless it is a spelling of one that it does (`GPLv3`).
    `NOASSERTION` and licences of somebody's own (`LicenseRef-…`) are unknown, unless the recipe names them.
    """

    policy: LicencePolicy
    code_languages: frozenset[str]
    trusted: frozenset[str] = frozenset()
    """Expressions that the recipe was checked for already: the SPDX list, slow to load, is not asked about them."""
    _verdicts: dict[tuple[str | None, bool], Verdict] = field(default_factory=dict, repr=False)
    _named: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = (name for expression in self.trusted for name in _names(parse_expression(expression)))
        self._named = frozenset((*names, PUBLIC_DOMAIN)) - {"NOASSERTION"}

    def judge(self, expression: str | None, code: bool) -> Verdict:
        """The verdict on one expression; `code` tells whether the document is in a programming language."""
        key = (expression, code)
        if key not in self._verdicts:
            if len(self._verdicts) >= VERDICTS_MAX:
                self._verdicts.clear()
            self._verdicts[key] = self._judge(expression, code)
        return self._verdicts[key]

    def _judge(self, expression: str | None, code: bool) -> Verdict:
        if not expression or not expression.strip():
            return Verdict(False, "no licence is given", UNKNOWN)
        try:
            refusals = dict.fromkeys(self._refusals(self._tree(expression), code))
        except LicenceSyntaxError as error:
            return Verdict(False, str(error), UNKNOWN)
        denied = [why for why, reason in refusals if reason == DENIED]
        unknown = [why for why, reason in refusals if reason != DENIED]
        reason = REVIEW if self.policy.unknown == "review" else UNKNOWN
        return Verdict(not refusals, "; ".join(denied or unknown), DENIED if denied or not unknown else reason)

    def _tree(self, expression: str) -> object:
        """The tree of an expression, with known spellings of licences as SPDX ids; raises LicenceSyntaxError."""
        if expression in self.trusted:
            return parse_expression(expression)
        if len(expression) > EXPRESSION_CHARACTERS_MAX:
            raise LicenceSyntaxError(f"`{expression[:40]}…` is too long for an SPDX expression")
        spdx = row_licence(expression)
        if spdx is None:
            raise LicenceSyntaxError(
                f"`{_shown(expression)}` is not a licence of the SPDX list, nor an expression of such"
            )
        return parse_expression(spdx)

    def _refusals(self, tree: object, code: bool) -> list[tuple[str, str]]:
        """Why a tree does not pass, in words and as a reason; empty if it does."""
        arguments = getattr(tree, "args", ())
        if not arguments:
            return self._refusals_of_licence(tree, code)
        parts = [self._refusals(argument, code) for argument in arguments]
        if getattr(tree, "operator", "").strip().upper() == "OR" and not all(parts):
            return []
        return [reason for part in parts for reason in part]

    def _refusals_of_licence(self, tree: object, code: bool) -> list[tuple[str, str]]:
        if isinstance(tree, LicenseWithExceptionSymbol):
            names: tuple[str, ...] = (
                tree.license_symbol.key,
                f"{tree.license_symbol.key} WITH {tree.exception_symbol.key}",
            )
        else:
            names = (tree.key,)  # type: ignore[attr-defined]
        whole = names[-1]
        names = (*names, *(old for name in names if (old := _former_id(name))))
        if pattern := _match(names, self.policy.deny):
            return [(f"{whole} denied by {pattern}", DENIED)]
        if code and (pattern := _match(names, self.policy.deny_code)):
            return [(f"{whole} denied for code by {pattern}", DENIED)]
        if self.policy.allow:
            allowed = _match(names, self.policy.allow)
            return [] if allowed else [(f"{whole} is not among the allowed licences", DENIED)]
        own = whole == "NOASSERTION" or whole.startswith(("LicenseRef-", "DocumentRef-"))
        if own and whole not in self._named and self.policy.unknown != "keep":
            return [(f"{whole} is not known", UNKNOWN)]
        return []


def _former_id(name: str) -> str:
    """The id that SPDX had for a licence of the GNU family before it said `-only` and `-or-later`; "" for others."""
    if name.endswith("-or-later"):
        return name.removesuffix("-or-later") + "+"
    return name.removesuffix("-only") if name.endswith("-only") else ""


def _match(names: tuple[str, ...], patterns: tuple[str, ...]) -> str | None:
    """The first pattern that fits one of the names."""
    return next(
        (pattern for pattern in patterns for name in names if fnmatchcase(name.lower(), pattern.lower())),
        None,
    )
