"""Formats for addresses and names of the Internet: `ipv4`, `ipv6`, `hostname` and `email`.

Out: expressions for the decoded text.

A-labels (`xn--..`) are Punycode, which no regular expression can decode and check: as `hostname` they are refused, with
all other labels that RFC 5890 reserves. So are names that end with a number, which RFC 1123 takes for addresses.
"""

from __future__ import annotations

from functools import cache

from constrain.frontends.json_schema.format_dates import spelled
from constrain.frontends.json_schema.strings import ANY_CHARACTER
from constrain.ir.expr import EPSILON, And, Concat, Expr, Literal, Repeat, alt, concat, optional

_LABEL = "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
LONGEST_NAME = 253
"""Characters of a name: 255 octets as sent, of which one is the length of the first label and one the root."""
LONGEST_LOCAL = 64
"""Octets before the @ (RFC 5321, section 4.5.3.1)."""
_LONGEST_MAILBOX = 254
"""Octets of an address: a path has 256, and brackets around it."""

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
def hostname() -> Expr:
    """A name of RFC 1123, section 2.1 (RFC 952, RFC 1034): labels of letters, digits and inner hyphens."""
    last = And((label(), spelled("[0-9]*[A-Za-z-].*")))
    return And((Concat((Repeat(Concat((label(), Literal(b"."))), 0, None), last)), up_to(LONGEST_NAME)))


@cache
def label() -> Expr:
    """A label that is not reserved (RFC 5890, section 2.3.1)."""
    return And((spelled(_LABEL), unreserved()))


@cache
def unreserved() -> Expr:
    """Labels that have no hyphens as their third and fourth character.

    It says what may be: of a complement only a search tells that nothing can follow any more.
    """
    return spelled("[^.]{1,3}|[^.]{2}(?:[^.-][^.]|-[^.-])[^.]*")


@cache
def domain() -> Expr:
    """Labels with dots between them, of which RFC 5321 says nothing more."""
    return And((spelled(rf"{_LABEL}(?:\.{_LABEL})*"), up_to(LONGEST_NAME)))


def up_to(count: int) -> Expr:
    """Texts of at most `count` characters."""
    return Repeat(ANY_CHARACTER, 0, count)


@cache
def email() -> Expr:
    """`Mailbox` of RFC 5321, section 4.1.2, without addresses in brackets other than those of IPv4 and IPv6."""
    plain = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    quoted = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
    local = And((spelled(rf"{plain}(?:\.{plain})*|{quoted}"), up_to(LONGEST_LOCAL)))
    return And((Concat((local, Literal(b"@"), mail_host(domain()))), up_to(_LONGEST_MAILBOX)))


def mail_host(name: Expr) -> Expr:
    """What stands after the @: a name, or an address in brackets, where `::` stands for two groups or more."""
    addresses = alt([ipv4(), Concat((Literal(b"IPv6:"), ipv6(fewest_zeros=2)))])
    return alt([name, Concat((Literal(b"["), addresses, Literal(b"]")))])
