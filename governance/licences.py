"""The licence gate: which documents may enter a corpus, by the SPDX expression that each one carries.

An expression passes if one way to satisfy it is allowed: `MIT OR GPL-3.0-only` passes a gate that denies `GPL-*`,
`MIT AND GPL-3.0-only` does not. ROOTS meant to drop copyleft code and, by an inverted test, kept only that
(BLOOM preparation, code part); here each refusal names the licence and the pattern, so that anybody can check.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
from license_expression import ExpressionError, LicenseWithExceptionSymbol, Licensing

from configs.models import LicencePolicy
from governance.licence_names import spdx_of

EXPRESSION_CHARACTERS_MAX = 1000
"""Longer ones are refused unread: they come from files, and the parser holds a tree of them in memory."""

VERDICTS_MAX = 10_000
"""Verdicts remembered: a hostile file may give every document a licence of its own."""

_LICENSING = Licensing()


class LicenceSyntaxError(ValueError):
    """A string is not an SPDX licence expression."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one expression; `detail` tells why not, and is empty where it is admitted."""

    admitted: bool
    detail: str = ""


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
    """

    policy: LicencePolicy
    code_languages: frozenset[str]
    trusted: frozenset[str] = frozenset()
    """Expressions that the recipe was checked for already: the SPDX list, slow to load, is not asked about them."""
    _verdicts: dict[tuple[str | None, bool], Verdict] = field(default_factory=dict, repr=False)

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
            return Verdict(False, "no licence is given")
        try:
            reasons = self._refusals(self._tree(expression), code)
        except LicenceSyntaxError as error:
            return Verdict(False, str(error))
        return Verdict(not reasons, "; ".join(dict.fromkeys(reasons)))

    def _tree(self, expression: str) -> object:
        """The tree of an expression, with known spellings of licences as SPDX ids; raises LicenceSyntaxError."""
        if expression in self.trusted:
            return parse_expression(expression)
        if len(expression) > EXPRESSION_CHARACTERS_MAX:
            raise LicenceSyntaxError(f"`{expression[:40]}…` is too long for an SPDX expression")
        spdx = spdx_of(expression)
        if spdx is None:
            raise LicenceSyntaxError(
                f"`{_shown(expression)}` is not a licence of the SPDX list, nor an expression of such"
            )
        return parse_expression(spdx)

    def _refusals(self, tree: object, code: bool) -> list[str]:
        """Why a tree does not pass; empty if it does."""
        arguments = getattr(tree, "args", ())
        if not arguments:
            return self._refusals_of_licence(tree, code)
        parts = [self._refusals(argument, code) for argument in arguments]
        if getattr(tree, "operator", "").strip().upper() == "OR" and not all(parts):
            return []
        return [reason for part in parts for reason in part]

    def _refusals_of_licence(self, tree: object, code: bool) -> list[str]:
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
            return [f"{whole} denied by {pattern}"]
        if code and (pattern := _match(names, self.policy.deny_code)):
            return [f"{whole} denied for code by {pattern}"]
        if self.policy.allow and not _match(names, self.policy.allow):
            return [f"{whole} is not among the allowed licences"]
        return []

    def admit(self, licences: pa.DictionaryArray, languages: pa.DictionaryArray) -> tuple[pa.BooleanArray, pa.Array]:
        """Judge a column of documents; the work is one verdict for each distinct licence, not for each row.

        `licences` and `languages` are dictionary<string> of the same length; a null licence is refused. Returns
        (admitted: bool, detail: string), each of that length; detail is null where the document is admitted.
        """
        expressions = [*licences.dictionary.to_pylist(), None]
        is_code = np.array([code in self.code_languages for code in languages.dictionary.to_pylist()] + [False])
        verdicts = [self.judge(expression, code) for expression in expressions for code in (False, True)]
        rows = 2 * _indices(licences, len(expressions) - 1) + is_code[_indices(languages, len(is_code) - 1)]
        admitted = np.array([verdict.admitted for verdict in verdicts])
        details = pa.array([verdict.detail or None for verdict in verdicts], pa.string())
        return pa.array(admitted[rows]), details.take(pa.array(rows))


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


def _indices(column: pa.DictionaryArray, null: int) -> np.ndarray:
    """Dictionary indices of a column as int64, with `null` where it is null."""
    return column.indices.cast(pa.int64()).fill_null(null).to_numpy(zero_copy_only=False)
