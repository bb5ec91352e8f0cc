"""Formats of strings by name.

In:  the value of `format`.
Out: an expression for the strings, in UTF-8, that have the format, or None for a name that says nothing.

What is accepted is always valid. What no regular expression can tell is refused rather than guessed; each module says
what that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from constrain.ir.expr import Expr
from constrain.specs.json_schema import format_dates, format_hosts, format_idna, format_regex, format_uris
from constrain.specs.json_schema.format_dates import spelled

_POINTER = "(?:/(?:[^/~]|~[01])*)*"


def format_expr(name: str) -> Expr | None:
    """The strings that have a format; None if no draft defines it. Equal names give the same value.

    The drafts from 4 on agree on what a name means. One that a draft does not have yet (`uuid` in draft 7) counts in it
    as well: to other readers it is an annotation, for which nothing is invalid.

    >>> format_expr("ipv4") is format_expr("ipv4"), format_expr("colour")
    (True, None)
    """
    make = FORMATS.get(name)
    return None if make is None else make()


@cache
def uuid() -> Expr:
    """RFC 4122 (RFC 9562): 32 hexadecimal digits in five groups, of any version."""
    return spelled("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@cache
def json_pointer() -> Expr:
    """RFC 6901, section 5: as a string, not as part of a URI."""
    return spelled(_POINTER)


@cache
def relative_json_pointer() -> Expr:
    """draft-handrews-relative-json-pointer-01, without the later `+1` and `-1` that move to a neighbour."""
    return spelled(f"(?:0|[1-9][0-9]*)(?:#|{_POINTER})")


FORMATS: Mapping[str, Callable[[], Expr]] = {
    "date": format_dates.date,
    "date-time": format_dates.date_time,
    "duration": format_dates.duration,
    "email": format_hosts.email,
    "hostname": format_hosts.hostname,
    "idn-email": format_idna.idn_email,
    "idn-hostname": format_idna.idn_hostname,
    "ipv4": format_hosts.ipv4,
    "ipv6": format_hosts.ipv6,
    "iri": format_uris.iri,
    "iri-reference": format_uris.iri_reference,
    "json-pointer": json_pointer,
    "regex": format_regex.regex,
    "relative-json-pointer": relative_json_pointer,
    "time": format_dates.time,
    "uri": format_uris.uri,
    "uri-reference": format_uris.uri_reference,
    "uri-template": format_uris.uri_template,
    "uuid": uuid,
}
"""What makes the expression of each format."""
