"""Formats for addresses and names of the Internet: `ipv4`, `ipv6`, `hostname` and `email`.

Out: expressions for the decoded text.

A-labels (`xn--..`) are Punycode, which no regular expression can decode and check: as `hostname` they are refused, with
all other labels that RFC 5890 reserves. So are names that end with a number, which RFC 1123 takes for addresses, and
names of more than seven labels, or of more than three if several are long.
"""

from __future__ import annotations

from functools import cache

from constrain.ir.expr import EPSILON, Concat, Expr, Literal, Repeat, alt, concat, optional
from constrain.specs.json_schema.format_dates import spelled

LONGEST_LOCAL = 64
"""Octets before the @ (RFC 5321, section 4.5.3.1)."""

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_GROUP, _COLON = spelled("[0-9A-Fa-f]{1,4}"), Literal(b":")
_GROUP_COLON, _COLON_GROUP = Concat((_GROUP, _COLON)), Concat((_COLON, _GROUP))


@cache
def ipv4() -> Expr:
    """`IPv4address` of RFC 3986: four decimal numbers without leading zeros."""
    return spelled(_IPV4)


@cache
def ipv6(fewest_zeros: int = 1) -> Expr:
    """`IPv6address` of RFC 3986 (RFC 4291, section 2.2), without zone; `::` is at least `fewest_zeros` groups."""
    two = alt([Concat((_GROUP, _COLON, _GROUP)), ipv4()])
    whole = Concat((Repeat(_GROUP_COLON, 6, 6), two))
    most = 8 - fewest_zeros
    return alt([whole, *(concat([_before(n), _COLON, _COLON, _after(most - n)]) for n in range(most + 1))])


def _before(count: int) -> Expr:
    return Concat((_GROUP, Repeat(_COLON_GROUP, count - 1, count - 1))) if count else EPSILON


def _after(most: int) -> Expr:
    """None to `most` groups, of which the last two may be an IPv4 address."""
    if most == 0:
        return EPSILON
    groups = Concat((_GROUP, Repeat(_COLON_GROUP, 0, most - 1)))
    return optional(groups if most == 1 else alt([groups, Concat((Repeat(_GROUP_COLON, 0, most - 2), ipv4()))]))


@cache
def hostname(dot: str = "[.]") -> Expr:
    """A name of RFC 1123, section 2.1 (RFC 952, RFC 1034): labels of letters, digits and inner hyphens.

    No label is reserved (RFC 5890, section 2.3.1), and the last of several begins with a letter.
    """
    return spelled(_name(_label(63), _label(30), dot, _label(63, "[A-Za-z]"), _label(30, "[A-Za-z]")))


def _name(long: str, short: str, dot: str, last_long: str, last_short: str) -> str:
    """Names of at most 253 characters: three labels of 63, or one and six of 30.

    To count characters beside the labels makes every position in a name a state of its own, and masks ten times slower.
    """
    return f"{long}(?:{dot}(?:(?:{short}{dot}){{0,5}}{last_short}|(?:{long}{dot})?{last_long}))?"


@cache
def label(longest: int, first: str = "[A-Za-z0-9]") -> Expr:
    """A label of letters, digits and inner hyphens that is not reserved."""
    return spelled(_label(longest, first))


def _label(longest: int, first: str = "[A-Za-z0-9]") -> str:
    """A label without hyphens as third and fourth character."""
    alnum, inner = "[A-Za-z0-9]", "[A-Za-z0-9-]"
    third = f"{inner}{alnum}(?:{inner}{{0,{longest - 4}}}{alnum})?"
    fourth = f"{inner}-{alnum}(?:{inner}{{0,{longest - 5}}}{alnum})?"
    return f"{first}(?:{alnum}|{third}|{fourth})?"


@cache
def email() -> Expr:
    """`Mailbox` of RFC 5321, section 4.1.2, without addresses in brackets other than those of IPv4 and IPv6."""
    return mailbox(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]", r"[ !#-\[\]-~]", 1, _domain())


def mailbox(char: str, quoted: str, octets: int, host: Expr) -> Expr:
    """A mailbox by the characters of its local part, and of one in quotation marks, and the octets that each takes.

    With dots or escapes in it, a local part has at most half as many other characters as without.
    """
    longest = LONGEST_LOCAL // octets
    half = longest // 2 - 1
    local = rf'{char}{{1,{longest}}}|{char}(?:\.?{char}){{0,{half}}}|"(?:{quoted}|\\[ -~]){{0,{half}}}"'
    addresses = alt([ipv4(), Concat((Literal(b"IPv6:"), ipv6(fewest_zeros=2)))])
    bracketed = Concat((Literal(b"["), addresses, Literal(b"]")))
    return Concat((spelled(local), Literal(b"@"), alt([host, bracketed])))


def _domain() -> Expr:
    """Labels with dots between them, of which RFC 5321 says nothing more."""
    long, short = (f"[A-Za-z0-9](?:[A-Za-z0-9-]{{0,{longest - 2}}}[A-Za-z0-9])?" for longest in (63, 30))
    return spelled(_name(long, short, "[.]", long, short))
