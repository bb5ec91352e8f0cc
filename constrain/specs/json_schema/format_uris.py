"""Formats of RFC 3986 (`uri`, `uri-reference`), RFC 3987 (`iri`, `iri-reference`) and RFC 6570 (`uri-template`).

Out: expressions for the decoded text.

Left out: in IRIs, the marks that switch the direction of writing, which section 4.1 forbids; in templates, the
operators that are reserved for the future.
"""

from __future__ import annotations

from functools import cache

from constrain.ir.expr import Concat, Expr, Literal, alt, concat, optional
from constrain.specs.json_schema.format_dates import spelled
from constrain.specs.json_schema.format_hosts import ipv6

_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*:"
_PLAIN = r"A-Za-z0-9._~!$&'()*+,;=\-"
"""`unreserved` and `sub-delims`, as the inside of a class."""
_ENCODED = "%[0-9A-Fa-f]{2}"
_BEYOND = "\u00a0-\u200d\u2010-\u2029\u202f-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
_BEYOND += "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 14))
_BEYOND += "\U000e1000-\U000efffd"
"""`ucschar`, without the marks of direction."""
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"


@cache
def uri() -> Expr:
    """`URI`: with a scheme."""
    return _resource("", "")


@cache
def uri_reference() -> Expr:
    """`URI-reference`: a URI, or what is relative to one."""
    return alt([uri(), _relative("", "")])


@cache
def iri() -> Expr:
    """`IRI`."""
    return _resource(_BEYOND, _PRIVATE)


@cache
def iri_reference() -> Expr:
    """`IRI-reference`."""
    return alt([iri(), _relative(_BEYOND, _PRIVATE)])


def _resource(letters: str, private: str) -> Expr:
    """`letters` may stand wherever letters may, `private` only in the query."""
    char = _char(letters, ":@")
    rootless = spelled(f"(?:/(?:{char}+(?:/{char}*)*)?|{char}+(?:/{char}*)*)?")
    return concat([spelled(_SCHEME), alt([_network(letters), rootless]), _ending(letters, private)])


def _relative(letters: str, private: str) -> Expr:
    char = _char(letters, ":@")
    path = spelled(f"(?:/(?:{char}+(?:/{char}*)*)?|{_char(letters, '@')}+(?:/{char}*)*)?")
    return concat([alt([_network(letters), path]), _ending(letters, private)])


def _char(letters: str, more: str) -> str:
    return f"(?:[{_PLAIN}{letters}{more}]|{_ENCODED})"


def _network(letters: str) -> Expr:
    """`//`, the authority and a path that is empty or begins with a slash."""
    literal = concat([Literal(b"["), alt([ipv6(), spelled(rf"[vV][0-9A-Fa-f]+[.][{_PLAIN}:]+")]), Literal(b"]")])
    host = alt([literal, spelled(f"{_char(letters, '')}*")])
    user = optional(spelled(f"{_char(letters, ':')}*@"))
    return Concat((Literal(b"//"), user, host, spelled(f"(?::[0-9]*)?(?:/{_char(letters, ':@')}*)*")))


def _ending(letters: str, private: str) -> Expr:
    """Query and fragment."""
    return spelled(rf"(?:\?{_char(letters + private, ':@/?')}*)?(?:\#{_char(letters, ':@/?')}*)?")


@cache
def uri_template() -> Expr:
    """`URI-Template`. An apostrophe counts as a literal character, as the errata to RFC 6570 have it."""
    literal = rf"[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~{_BEYOND}{_PRIVATE}]|{_ENCODED}"
    char = f"(?:[A-Za-z0-9_]|{_ENCODED})"
    variable = rf"{char}(?:\.?{char})*(?::[1-9][0-9]{{0,3}}|\*)?"
    return spelled(rf"(?:{literal}|\{{[+#./;?&]?{variable}(?:,{variable})*\}})*")
