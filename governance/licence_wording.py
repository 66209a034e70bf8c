# ruff: noqa: E501 - a pattern a line
"""What stands around the name of a licence and makes it a declaration, a choice, a version, or mere talk.

RE2 over the words of `governance.licence_comments`; `~` is what may lie between two words.
"""

from governance.licence_phrases import NAMES, compiled

SPDX = compiled(r"spdx-license-identifier[: ][ |]?([^|\n]{1,300})")
IGNORED = compiled(r"(?s)reuse-ignorestart.*?(?:reuse-ignoreend|$)")
SNIPPET_OR_FILE = compiled(r"^[\w./-]+\.\w{1,5}[ :]*$|copyright|\(c\)|^[*# ]*$|@licen[cs]e[ :]*$")
LEAD = compiled(
    r"(?:under|subject~to|licen[cs]ed?(?:~(?:as|by|with|using|is|type|name|information))?[ |]?:?|@licen[cs]e[: ]?|licen[cs]e~(?:is|for"
    r"~this~\w+~is|text~is)|governed~by|covered~by|protected~by|released~(?:to|into|in)|(?:placed|put)~(?:in|into|under)|(?:is|are)~(?:in|now)"
    r"|dedicated~to|donated~to|according~to|accordance~with|compliance~with|pursuant~to|per|via|terms~of|conditions~of|(?:is|are)"
    r"|available~(?:as|in)|choose(?:~(?:either|between|from))?(?:~the)?|dual[ -]licen[cs]ed?|redistribute~(?:it|them)|received~a~copy~of|(?:requirements|obligations)~of|copying~(?:policy|conditions)[: ]|released~as)[ |\"(:]{0,4}$"
)
GLUE = compiled(
    r"(?:\b(?:the|an?|gnu|of|version|versions|either|both|all|and|or|and/or|terms|conditions|new|same|following|any|open~source|free"
    r"|permissive|standard|software|licen[cs]es?|licen[cs]ed|to|in|under|by|at~your~option|your~choice~of|one~of|two|three|these|this"
    r"|liberal|so-called|simple|well-known|later|only|dual|if|you~prefer|as~well~as|alternatively|clause|https?://\S+|www\.\S+"
    r"|[al]?gpl\S*|mit|bsd|apache|mozilla|public|mpl\S*|lesser|library|affero|general|v?\d(?:\.\d+)*\+?|x11|artistic|isc)"
    r"|[^a-z0-9\n\x{80}-\x{10ffff}])$"
)
NOT = compiled(
    r"\b(?:not|never|longer|isnt|arent|wasnt|cannot|unlike|without|formerly|previously|originally|if|whether|when|whenever|unless"
    r"|instead|rather|dependenc\w+|detect\w*|check(?:s|ing|ed)?|find(?:s|ing)?|test(?:s|ing)?|pars(?:e[sr]?|ing)|e\.g|example|such"
    r"|about|compatible|incompatible|compatibility|because|since|why|how|many|most|some|others?|another|returns?|raises?|looks?|matches"
    r"|classif\w+|recogni[sz]\w*|identif(?:y|ies)|determines?|chooser|selects?|generat(?:e|es|or|ing)|insert\w*|string|picks?|chooses|wants?|asks?|decid\w*"
    r"|works~with|with~software|knows?|handles?|skips?|scans?|reports?|warns?|ignores?|excludes?|reads?|lists?"
    r"|was|were|until|prior|switch\w*|relicens\w*|instance|similar|compare\w*|versus|vs|rest|denied|deny|denies|forbid\w*|reject\w*)\b"
)
INDEFINITE = compiled(
    r"^[^a-z]*(?:(?:an?|any|every|each|some|most|many|no|all~other|code|software|files|packages|projects|programs|libraries|works|things"
    r"|anything|everything|someone|people|users|authors|developers|companies|also|see|note|todo|fixme)\b)"
)
TITLE_ONLY = compiled(r"^[^a-z0-9\x{80}-\x{10ffff}]*(?:the[ -])?[^a-z0-9\x{80}-\x{10ffff}]*$")
BANNER = compiled(r"^[^|\n]{2,80}\b(?:v\d|\d+\.\d)[^|\n]*\|")
TAGGED = compiled(r"@licen[cs]e\b[^|\n]*$")
ASIDE = compiled(
    r"\b(?:therefore|hence|thus|so|our~(?:code|own)|no~code|we~(?:only|do|dont|never|cannot|cant|use|call|run|just|avoid|link|ship"
    r"|depend|must|need|copy|wont|have)|but~(?:not|we|our|this|it~is))\b"
)
COPYRIGHT = compiled(r"(?:copyright|\(c\)|©)[^\n]{0,160}$")
COPYRIGHT_LINE = compiled(r"^[^a-z0-9]*(?:copyright|\(c\))[^|]*\b(?:19|20)\d\d\b[^|]*$")
STATEMENT = compiled(r"^[^a-z0-9]*(?:[\w.-]+[ |]){1,3}(?:is|are)[ |\"(:]*(?:the )?$")
"""`Frob is GPL.`: all that stands before the name, where a comment begins with it."""
HEADLINE = compiled(
    r"^[^a-z]*(?:code|software|files|packages|libraries|programs|works)~(?:(?:is|are)~)?(?:licen[cs]ed|released|distributed|available|published)"
    r"~under~(?:(?:the|an?)~)?$"
)
LICENSED_BEHIND = compiled(r"^(?:[ -]?v?\d[\d.]*\+?)?[ -]licen[cs]ed?\b[^a-z0-9|\n]*(?:[|\n]|$)")
"""`Part two - LGPL-3.0 licensed`"""
COPULA = compiled(r"(?:is|are)[ |\"(:]{0,4}$")
NAMED = compiled(r"(?:mit|bsd|apache|public|isc|zlib|mozilla|boost|eclipse|artistic)~licen[cs]e[ |]*$")
LICENCE_LINE = compiled(
    r"[^a-z0-9]*(?:(?:the~)?licen[cs]e[sd]?(?:~(?:uri|url|type|name))?[ ]?:|@licen[cs]e|spdx|copyright|\(c\)|this~(?:file|program|software"
    r"|library|code|module|script|work|package|plugin|class|source)~is|\w+~is~free~software|(?:dual[ -])?licen[cs]ed~under"
    r"|(?:re)?distributed~under|released~under|available~under|gnu~\w+~general|gnu~general)"
)
GOES_ON = compiled(
    r"\b(?:is|are|be|was|were|been|being|code|files?|software|and|or|not|packages?|under|librar(?:y|ies)|works?|things?|it|that|which|whether"
    r"|if|the|an?|of|programs?|projects?|modules?|something|anything|by|as|to|with|for|from|when|all|any|every|each|terms|in|this)[^a-z0-9]*$"
)
OTHER_PARTS = compiled(r"\bother~(?:parts|portions|sections|functions|pieces)\b")
REST_OF_TITLE = compiled(
    r"^[ \"():+-]*(?:v(?:er(?:sion)?)?[ .]*)?(?:[0-9][0-9.]*\+?)?(?:[ -]only|[ -]or[ -](?:any[ -])?later)?[ \"():.-]*"
    r"(?:licen[cs]ed?|notice|terms|expat|mit|x11|\d{4})?[ \"():.-]*(?:[|\n]|$|;? \(?see )"
)
CHOICE = compiled(
    r"alternatively|dual[ -]licen[cs]|dually[ -]licen[cs]|tri[ -]licen[cs]|tri[ -]?licen|multi[ -]licen[cs]|double[ -]licen[cs]"
    r"|(?:your|its|their|users?)~(?:choice|option|discretion|election)(?:~of|~either)?[^a-z]|choose|either~(?:the~)?(?:terms|licen[cs]e"
    r"|apache|mit|bsd|gpl|lgpl|gnu|of|under|a\b|artistic|mozilla)|one~of~the~(?:following|two)|whichever|disjunction|either~of"
    r"|licen[cs]es?~(?:of~)?your~choi|take~your~pick|pick~(?:one|either|any|whichever)"
)
OPTION_LATER = compiled(r"at~(?:your|its)~option[^a-z0-9]*(?:any|or)?~?(?:later|newer|greater)")
BETWEEN_OR = compiled(
    r"^[^a-z0-9]*(?:licen[cs]es?|licensed|version|v?\d[\d.]*\+?)?[^a-z0-9]*(?:or|/)[^a-z0-9]*(?:\bthe\b|under|terms|of|an?|gnu|[^a-z0-9])*$"
)
LATER = compiled(
    r"or~(?:\(?at~your~option\)?~)?(?:any~)?(?:later|newer|higher|greater|above)|any~later~version|or-later|(?:or|and)~(?:up|upwards)\b"
    r"|or~\(at~your~option\)"
    r"|\bsp..?teren?~version|\bou~ult..?rieure|version~ult..?rieure|(?:versi..?n|vers..?o|versi..?)~posterior|\bo~posterior|\bo~successiva|versione~successiva|\blatere~versie"
    r"|p..?..?niejsz\w+~wersj|senare~version|senere~vers|более~поздн|пізніш|sonraki~(?:bir~)?s..?r..?m|それ以降|以降のバージョン|更新版本|更高版本|(?:以后|之后|后续)的?版本|이후~?버전"
)
VERSION = compiled(r"(?:^|[^a-z0-9.])(?:v|ver|version|versions|revision)?[ .|]*([1-4](?:\.[0-9]{1,2})?)\b(\+)?")
VERSION_FAR = compiled(
    r"\bv(?:er|ersion|ersions)?[ .|]*([1-4](?:\.[0-9]{1,2})?)\b(\+)?|(?:licenses|documents)/[a-z-]*?(?:license-)?([1-3](?:\.[0-9])?)\b"
)
STRONG = compiled(
    r"free~software|redistribute~(?:it|them|this)|this~(?:file|program|software|library|code|module|source|source~code|script|work|package|project|header|class)"
    r"|@licen[cs]e|the~contents~of~this|^[^a-z]*(?:dual[ -])?(?:licen[cs]ed|released|distributed)"
)
EXCEPTION = (
    (compiled(r"classpath~exception|linking~this~library~statically~or~dynamically~with~other~modules"), "Classpath-exception-2.0"),
    (compiled(r"gcc~runtime~library~exception"), "GCC-exception-3.1"),
    (compiled(r"llvm~exceptions?"), "LLVM-exception"),
    (compiled(r"font~exception"), "Font-exception-2.0"),
    (compiled(r"contain~part~or~all~of~the~bison~parser~skeleton"), "Bison-exception-2.2"),
    (compiled(r"configuration~script~generated~by~autoconf"), "Autoconf-exception-generic"),
    (compiled(r"linux-syscall-note"), "Linux-syscall-note"),
)  # fmt: skip
RIDERS = (
    (compiled(r"commons~clause|does~not~grant~to~you~the~right~to~sell"), "LicenseRef-Commons-Clause"),
    *((compiled(name.phrase), name.spdx) for name in NAMES if name.spdx == "LicenseRef-noncommercial"),
    (
        compiled(
            r"(?:may|must|shall|can|will)~?not~be~used~(?:[a-z-]+~){1,12}(?:military|weapons?|surveillance|human~rights|(?:train|training)~(?:[a-z-]+~){0,6}(?:models?|ai|intelligence|networks?|learning))"
            r"|anti~996|hippocratic~licen[cs]e"
        ),
        "LicenseRef-restricted-use",
    ),
)  # fmt: skip
"""What is put behind or before the text of a permissive licence and takes some of it back."""
RIDDEN = compiled(r"^(?:MIT|BSD|ISC|X11|Apache|Zlib|0BSD|NCSA|HPND|Unlicense)")
GOOD_NOT_EVIL = compiled(r"shall~be~used~for~good~not~evil")
VERSION_BEFORE = compiled(
    r"version~([1-3](?:\.[01])?)(\+)?~(?:or~later~)?(?:or~(?:at~your~option~)?any~later~version~)?of(?:~the)?[^a-z0-9]*$"
)
NUMBER_AT_END = compiled(r"([0-9](?:\.[0-9]+)?)$")
GNU_NUMBER_AT_END = compiled(r"([1-3])$")
NUMBER_GOES_ON = compiled(r"^(\.[01])?(\+)?")
CONTINUES = compiled(
    r"^[^a-z0-9.]*(?:licen[cs]es?|v?\d[\d.]*\+?)?[^a-z0-9]*(?:and|and/or)?[^a-z0-9]*(?:the)?[^a-z0-9]*$"
)
BSD_NAMES = compiled(
    r"neither~the~names?~of|names?~of~(?:the~)?[^|\n]{0,80}may~(?:not~)?be~used|may~not~be~used~to~endorse|endorse~or~promote"
)
BSD_ADVERTISING = compiled(r"all~advertising~materials")
BSD_ONE = compiled(r"in~binary~form")
NO_ADVERTISING = compiled(r"except~as~contained~in~this~notice|shall~not~be~used~in~advertising")
NCSA = compiled(r"deal~with~the~software~without")
NOTICE_KEPT = compiled(r"provided~that|shall~be~included|appear~in~all~copies")
MIT_KEPT = compiled(r"shall~be~included~in~all|permission~notice")
HYPHENATED = compiled(r"([a-z]+)-\|[ |]*([a-z]+)")
VOCABULARY = frozenset(
    b"affero agreement alternatively available commercial compliance conditions copyright copyrights derivative distribute distributed "
    b"distributing distribution documentation foundation free general granted hereby later lesser library license licensed licence licenced "
    b"merchantability modification modifications modified modify notice option permission permitted program proprietary provided public "
    b"published purpose redistribute redistributed redistribution released reproduce restriction software source terms version "
    b"warranties warranty without".split()
)
"""Words that are put together again where a line's end divides them."""
