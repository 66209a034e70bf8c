"""Addresses of mail and of hosts: which ones of the right shape may lead to a person."""

import ipaddress
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import re2

Span = tuple[int, int]
NEAR = 40  # bytes in which a word of networks speaks for the number behind it

_LETTER = r"[\p{L}\p{M}\p{N}_]"
_ATOM = rf"(?:{_LETTER}|[!#$%&'*+\-/=?^`{{|}}~])"
_MAILBOX = re2.compile(
    rf"({_ATOM}(?:(?:{_ATOM}|\.)*{_ATOM})?)@({_LETTER}+(?:-+{_LETTER}+)*(?:\.{_LETTER}+(?:-+{_LETTER}+)*)+)"
)
# Reserved for documentation (RFC 2606); `.test`, `.invalid`, `.example` have no public suffix and fail before.
_DOCUMENTATION_DOMAIN = re2.compile(r"(?i)@(?:[a-z0-9_-]+\.)*example\.(?:com|org|net|edu)$")
# Not mailboxes: `git@host:path`, `langpack-fr@firefox.mozilla.org`, `icon@2x.…`, `name@1.2.…` (a package and its
# version), `file.py` as a domain of code.
_NOT_MAILBOX = re2.compile(r"(?i)^(?:git|hg|svn|bzr|langpack-[a-z-]{2,12})@|@v?[0-9]+(?:\.[0-9]+|x\.)")
# Signs that a local part may hold, but that rather end what stands before: quotes, Markdown, a path, a parameter.
_OPENING = re2.compile(r".*[`*=/|{}?&]|^['~!#$%^-]+")

_AT = r"[\s\p{Zs}]{0,2}(?:[\[({<][\s]?(?i:at|arroba|arobase|ät|chez|@)[\s]?[\])}>]|[\s]AT[\s])[\s\p{Zs}]{0,2}"
_WORD_DOT = r"(?:dot|punkt|punto|ponto|point|punt|titik)"
_DOT = rf"(?:\.|[\s\p{{Zs}}]{{0,2}}[\[({{<]\s?(?:{_WORD_DOT}|\.)\s?[\])}}>][\s\p{{Zs}}]{{0,2}}|\s(?:DOT|dot)\s)"
OBFUSCATED = re2.compile(
    rf"(?:(?i:([a-z0-9](?:[a-z0-9_+-]|{_DOT}){{0,63}}))){_AT}(?i:([a-z0-9-]{{1,63}}(?:{_DOT}[a-z0-9-]{{2,63}}){{1,4}}))"
)
_ANY_DOT = re2.compile(
    rf"(?i)[\s\p{{Zs}}]*[\[({{<]?\s?\b{_WORD_DOT}\b\s?[\])}}>]?[\s\p{{Zs}}]*|\s*[\[({{<]\.[\])}}>]\s*"
)

_HALF_WIDTH = {
    ord(sign) + 0xFEE0: sign for sign in "@.-_+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
}


def _over_bytes(pattern: str) -> Any:
    """A pattern for bytes. RE2 reads both as UTF-8, so its letters are written as they are."""
    return re2.compile(pattern.encode())


_SOFTWARE = (
    r"acrobat|adobe|airflow|android|angular|ansible|apache|api|app|application|asp|bios|bind|boost|bootstrap|browser|"
    r"cassandra|centos|chrome|chromium|cisco|client version|clang|cmake|confluence|coreclr|cuda|cudnn|curl|debian|"
    r"delphi|django|docker|drupal|eclipse|edge|elasticsearch|excel|exchange|fedora|ffmpeg|filezilla|firefox|flash|"
    r"flutter|framework|freebsd|gcc|git|gitlab|glibc|gnome|grafana|gradle|hadoop|hibernate|hive|ie|internet explorer|"
    r"ios|itunes|java|jboss|jdk|jenkins|jira|joomla|jquery|jre|junit|kafka|kernel|kibana|kotlin|kubernetes|laravel|"
    r"libre ?office|linux|llvm|log4j|lua|macos|magento|mariadb|matlab|maven|mediawiki|mongodb|moodle|msvc|mysql|"
    r"nagios|net|netbeans|netframework|netty|nginx|node|nodejs|npm|nvidia|office|openjdk|openoffice|openssh|openssl|"
    r"opera|oracle|outlook|package|patch|perl|photoshop|php|pip|plugin|postgres|postgresql|powershell|product|program|"
    r"putty|python|qt|quicktime|rabbitmq|rails|react|reader|redhat|redis|ruby|runtime|rust|safari|samba|sap|scala|sdk|"
    r"skype|software|solaris|solr|spark|splunk|spring|sql|sqlite|struts|subversion|suse|svn|swift|symfony|teams|"
    r"thunderbird|tomcat|tool|typescript|ubuntu|unity|unreal|v8|varnish|virtualbox|vlc|vmware|vue|weblogic|webkit|"
    r"websphere|wildfly|windows|winrar|winscp|wireshark|word|wordpress|xcode|yarn|zabbix|zoom"
)
_VERSION_BEFORE = _over_bytes(
    r"(?i)(?:\b|_)(?:v|ver|vers|version(?:s|en|e)?|versi(?:o|ó)n?|vers(?:ã|a)o|release[ds]?|rev|revision|"
    r"build|update|upgraded?|firmware|driver|section|secci(?:o|ó)n?|sec?(?:c|ç)(?:a|ã)o|atala|bagian|phần|mục|sehemu|sect?|"
    r"chapter|clause|paragraph|article|annex|appendix|table|figure|spec|specification|"
    r"oid|rfc(?:[ -]?[0-9]{3,5},)?|since|phiên bản|toleo|" + _SOFTWARE + r"|[a-z]{1,24}version)"
    r"[\"')\]]*(?:[ \t]*(?:[.:=,/]|to|from|is|no\.?|number|>=|<=|==|~>|\^)?[ \t]*)[\"'(\[]?$"
    r"|(?:版本|版|节|節|إصدار|قسم|القسم|"
    r"संस्करण|"
    r"সংস্করণ|"
    r"ورژن|§)[ \t:=]*(?:号|號)?[ \t:=]*$"
)
_UPDATED = _over_bytes(
    r"(?i)(?:updat|upgrad|downgrad|patch|bump|roll|releas|ships?|install|migrat)[a-z]{0,4}\b[^\n]{0,40}\b"
    r"(?:to|from|with) (?:[A-Za-z][A-Za-z0-9.+-]{0,15} )?[`'\"*_]{0,2}$"
)
_VERSION_AFTER = _over_bytes(
    r"(?i)^[\"'`)]{0,2} ?(?:version|release|firmware|build|beta|alpha|rc[0-9]|stable|update|driver|patch|edition|"
    r"snapshot)\b"
)
_AFTER_DECIMAL = _over_bytes(r"(?:^|[^0-9.])[0-9]*\.[0-9]+ ?$")  # `2.12 3.51.98.32`, the path of a drawing
_AFTER_VERSION = _over_bytes(r"(?:^|[^0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){2},?(?: and| or)? $")  # `3.6.14 and 3.6.14.1`
_TITLE_AFTER = _over_bytes(r"^(?:[,،、，]? ?[“«「『„]|、?《)")  # `see 9.2.1.4, “Creating Tunnels”`
_COMPARED = _over_bytes(r"(?:[=<>~!]=|~>|\^)[ \t]*[\"']?$")  # `package>=1.2.3.4`
_OBJECT_IDENTIFIER = _over_bytes(r"(?i)\b(?:oid|object identifier|asn\.?1|snmp|mib|x\.509|arc)s?\b[^\n]{0,24}$")
_NO_ADDRESS = (_VERSION_BEFORE, _COMPARED, _UPDATED, _AFTER_DECIMAL, _AFTER_VERSION, _OBJECT_IDENTIFIER)
_NAMED = _over_bytes(r"(?:^|[^A-Za-z0-9])([A-Z][A-Za-z0-9+#]*|[A-Za-z]+[0-9]+)[ /-]$")  # `Product 10.4.61.3`
_LINE_START = _over_bytes(r"(?:^|\n)[ \t#*]*$")
_NETWORK_WORD = _over_bytes(
    r"(?i)_ip\b|\b(?:ip|ips|ipv4|ip4|host|hosts|hostname|server|servers|addr|address|addresses|adresse|direcci|endere|"
    r"adre|alamat|ping|https?://$|dns|nameserver|router|gateway|port|ssh|ftp|from|client|remote|login|logged|connect|"
    r"proxy|peer|node at|subnet|bind|listen|visitor|anonymous|user|edit|seva|anwani)"
    r"|地址|位址|عنوان|(?-i:IP)|आईपी|आयपी|আইপি|ਆਈਪੀ|આઈપી|ଆଇପି|ஐபி|ఐపి|ఐపీ|ಐಪಿ|ഐപി"
    r"|آي بي|آئی پی|خادم|سرور|सर्वर|সার্ভার|服务器|伺服器|主机"
)
_NETWORK_AFTER = _over_bytes(r"^(?:(?::[0-9]{2,5}|/(?:[12][0-9]|3[0-2]|8))\b| - (?:-|\S+) \[)")


@cache
def _suffixes() -> Any:
    """The list of public suffixes that comes with `tldextract`; nothing is fetched."""
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None)


@lru_cache(maxsize=16_384)
def _registered(domain: str) -> int:
    """Length of the longest beginning of `domain`, in whole labels, that ends in a public suffix; 0 for none.

    What stands behind may be the ending of a file (`jane@acme.com.txt`) or a sentence without a space before it.
    """
    labels = domain.split(".")
    for count in range(len(labels), 1, -1):
        name = ".".join(labels[:count])
        if _suffixes()(name).fqdn != "":
            return len(name)
    return 0


def find_mailboxes(window: str, after: str) -> Iterator[Span]:
    """Spans of characters of the addresses in `window` that may be a person's; letters and signs of full width count as
    their ASCII ones."""
    if not window.isascii():
        window = window.translate(_HALF_WIDTH)
    for found in _MAILBOX.finditer(window):
        opening = _OPENING.match(found[1])
        start = found.start(1) + (len(opening[0]) if opening is not None else 0)
        if start == found.end(1):
            continue
        length = _registered(found[2])
        end = found.start(2) + length
        following = window[end : end + 1] or after[:1]
        if length and is_mailbox(window[start:end], following):
            yield start, end


def is_mailbox(found: str, after: str) -> bool:
    """Whether an address may be a person's: not of a documentation domain, not a repository, not a version."""
    if after in ("(", "["):
        return False
    return _DOCUMENTATION_DOMAIN.search(found) is None and _NOT_MAILBOX.search(found) is None


def find_obfuscated(text: str) -> Iterator[Span]:
    """Spans of addresses written out: `name [at] host [dot] org`, under a registered suffix."""
    for found in OBFUSCATED.finditer(text):
        domain = _ANY_DOT.sub(".", found[2])
        length = _registered(domain)
        if length == len(domain):
            yield found.start(), found.end()


def in_ascii(number: str) -> str:
    """A number with its digits, of whatever script, as `0` to `9`, and full-width stops as `.`; of the same length."""
    return "".join(str(int(sign)) if sign.isdecimal() else "." if sign == "．" else sign for sign in number)


def is_public_ip(found: str, before: bytes, after: bytes) -> bool:
    """Whether an IP address may lead to a person.

    Private, loopback, link-local, multicast, reserved and documentation ranges (RFC 6890) lead to nobody, except for
    link-local ones that hold the number of a network card. Neither do version and section numbers, told by the word
    before, by what is joined to them, or by small numbers without a word of networks near.
    """
    octets = _public(found)
    if octets is None or len(octets) == 16:
        return octets is not None
    if before[-1:] in (b"-", b"_", b"~", b"^") and not before[-2:-1].isdigit():
        return False
    if after[:1] in (b"-", b"+", b"~") and after[1:2].isalpha():
        return False
    if _VERSION_AFTER.search(after) is not None or any(rule.search(before) is not None for rule in _NO_ADDRESS):
        return False
    heading = after[:1] == b"." and after[1:2] in (b" ", b"	") and max(octets) < 100
    if heading and _LINE_START.search(before) is not None:
        return False  # `1.2.3.4. Title`
    # `2.5.29.35` is an object identifier (arcs 0 to 2, then under 40), `3.2.4.1` a section, `11.2.0.4` a version.
    small = sum(octet < 40 for octet in octets)
    ambiguous = max(octets) < 20 or (octets[0] <= 2 and octets[1] < 40) or (octets[0] < 40 and small >= 3)
    named = octets[0] < 40 and _NAMED.search(before) is not None
    if not (ambiguous or named):
        return True
    if _TITLE_AFTER.search(after) is not None:
        return False
    return _NETWORK_WORD.search(before[-NEAR:]) is not None or _NETWORK_AFTER.search(after) is not None


@lru_cache(maxsize=16_384)
def _public(found: str) -> bytes | None:
    """The bytes of an IP address that may be a person's by its range, else None: most are local ones, again and again,
    and the module that knows the ranges takes ten times as long as a pattern."""
    try:
        address = ipaddress.ip_interface(found if found.isascii() else in_ascii(found)).ip
    except ValueError:
        return None
    octets = address.packed
    if isinstance(address, ipaddress.IPv6Address):
        return octets if _is_public_6(address) else None
    if not address.is_global or address.is_multicast or address.is_reserved:
        return None
    return None if octets[2:] == b"\0\0" or (octets[3] == 0 and octets[1] < 20) else octets


def _is_public_6(address: ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped
    if mapped is not None:
        return mapped.is_global and not mapped.is_multicast and not mapped.is_reserved
    if address.is_link_local:
        return address.packed[11:13] == b"\xff\xfe"  # made of the card's number (RFC 4291, appendix A)
    if address.packed[4:] == bytes(12):
        return False  # `2001:4860::`, a provider's network, and `2006::`, a year before a scope
    return address.is_global and not address.is_multicast and not address.is_reserved
