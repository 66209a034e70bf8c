# ruff: noqa: E501 - a phrase a line
"""How licences are named in running text: the phrases, and the SPDX id that each means.

Phrases are RE2 over the words of `governance.licence_comments`. `~` stands for what may lie between two words.
"""

import functools
import re
from dataclasses import dataclass

import re2

_GAP = r"[^a-z0-9\n]+"
_OPTIONS = re2.Options()
_OPTIONS.max_mem = 256 << 20
_OPTIONS.never_nl = False


def compiled(phrase: str) -> "re2.Regexp":
    """A phrase as RE2; `~` is what may lie between two words."""
    return re2.compile(phrase.replace("~", _GAP).encode(), _OPTIONS)


@dataclass(frozen=True)
class Name:
    """A licence's name: the phrase, and its SPDX id. `{}` in the id is the version; `bare` stands without one."""

    phrase: str
    spdx: str
    versions: tuple[str, ...] = ()
    bare: str = ""
    full: bool = False
    """The phrase is of the licence's own text, or so plain a grant that no more need be said around it."""


_CC = r"(?:cc|creative~commons)~?"
NAMES: tuple[Name, ...] = (
    # the GNU family is told apart by `_gnu` in licence_notices
    Name(r"(?:gnu~)?(?:(?:affero|lesser|library)~)?(?:gnu~)?(?:(?:affero|lesser|library)~)?general~?public~?licen[cs]e", "GNU"),
    Name(r"(?:gnu[ -/])?[al]?gpl(?:v?[1-3]|e?d\b)?", "GNU"),
    Name(r"gnu~(?:(?:affero|lesser|library)~)?(?:public~)?licen[cs]e", "GNU"),
    Name(r"server~side~public~licen[cs]e", "SSPL-1.0"),
    Name(r"business~source~licen[cs]e", "BUSL-1.1"),
    Name(r"elastic~licen[cs]e", "Elastic-2.0"),
    Name(r"apache~(?:software~)?licen[cs]e|apache[ -]?v?2(?:\.0)?|asl[ -]?2\.0|licenses/license-2\.0", "Apache-{}", ("1.0", "1.1", "2.0"), "2.0"),
    Name(r"mozilla~public~licen[cs]e|mpl(?:[ -]?v?[12](?:\.[01])?)?", "MPL-{}", ("1.0", "1.1", "2.0"), "2.0"),
    Name(r"eclipse~distribution~licen[cs]e", "BSD-3-Clause"),
    Name(r"eclipse~public~licen[cs]e|epl(?:[ -]?v?[12](?:\.0)?)?", "EPL-{}", ("1.0", "2.0"), "2.0"),
    Name(r"common~development~and~distribution~licen[cs]e|cddl", "CDDL-{}", ("1.0", "1.1"), "1.0"),
    Name(r"european~union~public~licen[cs]e|eupl", "EUPL-{}", ("1.0", "1.1", "1.2"), "1.2"),
    Name(r"cecill-b", "CECILL-B"), Name(r"cecill-c", "CECILL-C"), Name(r"cecill", "CECILL-{}", ("1.0", "2.0", "2.1"), "2.0"),
    Name(r"open~software~licen[cs]e", "OSL-{}", ("1.0", "2.0", "2.1", "3.0"), "3.0"),
    Name(r"common~public~licen[cs]e", "CPL-1.0"), Name(r"ibm~public~licen[cs]e", "IPL-1.0"),
    Name(r"netscape~public~licen[cs]e", "NPL-{}", ("1.0", "1.1"), "1.1"), Name(r"sun~public~licen[cs]e", "SPL-1.0"),
    Name(r"apple~public~source~licen[cs]e", "APSL-{}", ("1.0", "1.1", "1.2", "2.0"), "2.0"),
    Name(r"q~public~licen[cs]e", "QPL-1.0"), Name(r"reciprocal~public~licen[cs]e", "RPL-{}", ("1.1", "1.5"), "1.5"),
    Name(r"academic~free~licen[cs]e|afl", "AFL-{}", ("1.1", "1.2", "2.0", "2.1", "3.0"), "3.0"),
    Name(r"gnu~free~documentation~licen[cs]e|gfdl", "GFDL-{}", ("1.1", "1.2", "1.3"), "1.3"),
    Name(r"artistic~licen[cs]e", "Artistic-{}", ("1.0", "2.0"), "1.0"),
    Name(r"boost~software~licen[cs]e", "BSL-1.0"),
    Name(r"university~of~illinois/?~?ncsa|university~of~illinois~open~source~licen[cs]e|ncsa~(?:open~source~)?licen[cs]e", "NCSA"),
    Name(r"python~software~foundation~licen[cs]e|psf~licen[cs]e", "PSF-2.0"),
    Name(r"zope~public~licen[cs]e|zpl", "ZPL-{}", ("1.1", "2.0", "2.1"), "2.1"),
    Name(r"php~licen[cs]e", "PHP-{}", ("3.0", "3.01"), "3.01"),
    Name(r"(?:sil~)?open~font~licen[cs]e", "OFL-{}", ("1.0", "1.1"), "1.1"),
    Name(r"postgresql~licen[cs]e", "PostgreSQL"),
    Name(r"microsoft~public~licen[cs]e|ms-pl", "MS-PL"), Name(r"microsoft~reciprocal~licen[cs]e|ms-rl", "MS-RL"),
    Name(r"isc~licen[cs]e|isc-licen[cs]ed", "ISC"),
    Name(r"zlib(?:/libpng)?~licen[cs]e", "Zlib"),
    Name(r"(?:the~)?unlicen[cs]e", "Unlicense"),
    Name(r"wtfpl|do~what~the~fuck~you~want", "WTFPL"),
    Name(r"vim~licen[cs]e", "Vim"), Name(r"rubys?~licen[cs]e|licen[cs]e~(?:of|as)~ruby|terms~as~ruby", "Ruby"),
    Name(r"(?:same~(?:terms|licen[cs]e)|terms)~as~(?:the~)?perl(?:~5|~itself)?", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
    Name(r"bsd[ -]?(?:zero|0)[ -]clause|0bsd|zero[ -]clause~bsd", "0BSD"),
    Name(r"(?:2|two)[ -]clause~bsd|bsd[ -](?:2|two)(?:[ -]clause)?|simplified~bsd|freebsd~licen[cs]e|free~bsd~licen[cs]e", "BSD-2-Clause"),
    Name(r"(?:4|four)[ -]clause~bsd|bsd[ -](?:4|four)(?:[ -]clause)?|(?:original|old)~bsd", "BSD-4-Clause"),
    Name(r"(?:(?:3|three)[ -]clause~|(?:new|modified|revised)~)?bsd(?:[ -](?:3|three)(?:[ -]clause)?|[ -]style|[ -]like|[ -]type)?", "BSD-3-Clause"),
    Name(r"(?:mit|expat|x11)(?:[ -]style|[ -]like)?(?:[/ ]x11)?(?:/expat|~\(expat\))?(?:[ -]licen[cs]ed?)?", "MIT"),
    Name(_CC + r"(?:zero|0(?:~1\.0)?)|cc0", "CC0-1.0"),
    Name(_CC + r"(?:by|attribution)(?:~(?:nc|non-?commercial|sa|share-?~?alike|nd|no-?~?deriv(?:ative)?s?(?:~works)?)){0,2}", "CC"),
    Name(r"creativecommons\.org/licenses/[a-z-]+/[1-4]\.[05]|creativecommons\.org/publicdomain/zero", "CC"),
    Name(r"cc[ -]wiki", "CC-BY-SA-3.0"),  # of Stack Overflow
    Name(r"public~domain", "LicenseRef-public-domain"),
    # licences' own texts
    Name(r"permission~is~hereby~granted~free~of~charge~to~any~person~obtaining~a~copy", "MIT", full=True),
    Name(r"permission~is~hereby~granted~without~written~agreement~and~without~licen[cs]e~or~royalty", "MIT-enna", full=True),
    Name(r"redistribution~and~use~in~source~(?:and|or)~binary~forms?", "BSD", full=True),
    Name(r"permission~to~use~copy~modify~(?:and/or|and|or)~(?:distribute|sell)", "ISC", full=True),
    Name(r"permission~to~use~copy~modify~distribute~(?:and~sell|sell)", "HPND", full=True),
    Name(r"permission~is~granted~to~anyone~to~use~this~software~for~any~purpose", "Zlib", full=True),
    Name(r"altered~source~versions~must~(?:not~)?be~plainly~marked", "Zlib", full=True),
    Name(r"this~is~free~and~unencumbered~software", "Unlicense", full=True),
    Name(r"everyone~is~permitted~to~copy~and~distribute~verbatim~or~modified~copies~of~this~licen[cs]e~document~and~changing", "WTFPL", full=True),
    Name(r"copying~and~distribution~of~this~file~with~or~without~modification~are~permitted", "FSFAP", full=True),
    Name(r"permission~is~hereby~granted~free~of~charge~to~any~person~or~organization~obtaining~a~copy", "BSL-1.0", full=True),
    Name(r"may~you~do~good~and~not~evil", "blessing", full=True),
    Name(r"if~we~meet~some~day~and~you~think~this~stuff~is~worth~it", "Beerware", full=True),
    # what nobody but its owner may use
    Name(r"unauthori[sz]ed~(?:copying|use|reproduction|distribution)~(?:or~\w+~)?of~this|proprietary~and~confidential|confidential~and~proprietary|unpublished~(?:proprietary~)?source~code|trade~secrets?~of|all~rights~are~reserved~no~part|all~rights~reserved~(?:for~)?internal~use~only", "LicenseRef-proprietary", full=True),
    Name(r"(?:may|must|can)~not~be~used~(?:for~|in~(?:any~)?)commercial|(?:for~|only~for~)(?:non-?commercial|academic|personal|educational)(?:~(?:and|or)~(?:non-?commercial|academic|personal|educational|research))?~(?:use|purposes?)~only|free~for~(?:non-?commercial|academic|personal)~use|not~for~commercial~use|commercial~use~is~(?:prohibited|forbidden|not~(?:allowed|permitted))|commercial~use~(?:of~this~\w+~)?requires~a", "LicenseRef-noncommercial", full=True),
)  # fmt: skip
"""Longer ones first: of two that begin at one place the first of the table is taken."""


@functools.cache
def any_name() -> "re2.Regexp":
    """All names as one expression: group N+1 is NAMES[N], the last one a GNU licence in another language."""
    from governance.licence_languages import GNU  # compiles its own patterns by what stands here

    return compiled(r"(?:\b(?:" + "|".join(f"({name.phrase})" for name in NAMES) + f")|({GNU}))")


_TRIGGERS = (
    "licen", "gpl", "internal use", r"\b[em]pl\b", "cddl", "eupl", "cecill", "sspl", "general public", "public[ |]domain",
    "redistribut", "permission", "spdx", "permitted", "commons", "proprietary", "gnu", "confidential", "unauthori",
    "commercial", "trade secret", "unpublished", "lizen", "lisans", "lisensi", "лиценз", "ліценз", "ライセンス", "許諾",
    "许可", "許可", "协议", "協議", "授权", "授權", "라이선스", "라이센스", "허가",
)  # fmt: skip
TRIGGER = compiled("|".join(_TRIGGERS))
"""What every notice has a word of: comments without one are done with."""

_LEFT_OUT = r"(?:['\"‘’]|['\"][ \t\f]+['\"])*"
"""What may stand between two letters of a source file that are one word among those of its comments."""


def _in_source(trigger: str) -> str:
    """A trigger as it may stand in a file: words lie apart by whatever is no letter or digit."""
    if not trigger.isascii():
        return trigger
    words = trigger.replace(r"\b", "").replace("[ |]", " ").split(" ")
    spread = "[^a-z0-9]+".join(_LEFT_OUT.join(re.findall(r"\[.*?\]|.", word)) for word in words)
    return f"(?:^|[^a-z0-9]){spread}(?:[^a-z0-9]|$)" if trigger.startswith(r"\b") else spread


SOURCE_TRIGGER = compiled("(?i)" + "|".join(map(_in_source, _TRIGGERS)))
"""The same in a file as it stands: where this finds nothing, its comments have no word of `TRIGGER`."""
