"""Formats of the Internet's names and addresses: `ipv4`, `ipv6`, `hostname`, `email` and `idn-email`.

Out: expressions for the decoded text.
"""

from __future__ import annotations

from functools import cache

from constrain.frontends.json_schema.format_dates import spelled
from constrain.frontends.json_schema.strings import ANY_CHARACTER
from constrain.ir.expr import Alt, And, Anything, Concat, Expr, Literal, Not, Repeat, concat, optional

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
