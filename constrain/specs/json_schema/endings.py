"""JSON values at the end of a text: what has just been written, read backwards.

The text is the beginning of a JSON text that the grammar has let through, so nothing needs to be checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)
_SCALAR = re.compile(r"[-+.0-9A-Za-z]+\Z")
_WHITESPACE = " \t\n\r"


def name_before_colon(text: bytes) -> str:
    """The property name at the end of a text, before its colon.

    >>> name_before_colon(b'{"x": 1, "a\\u0062" : ')
    'ab'
    """
    name: str = _last_scalar(text.decode().rstrip(_WHITESPACE).removesuffix(":").rstrip(_WHITESPACE))
    return name


def scalar_before_end(text: bytes) -> Hashable:
    """The item at the end of a text, before a comma or the end of its array; True is not 1.

    >>> scalar_before_end(b"[1, 2.50 ,")
    (<class 'decimal.Decimal'>, Decimal('2.50'))
    """
    value = _last_scalar(text.decode().rstrip(_WHITESPACE)[:-1].rstrip(_WHITESPACE))
    return type(value), value


def item_before_comma(text: bytes) -> Any:
    """The item at the end of a text, before a comma, if that has been written yet.

    >>> item_before_comma(b'[{"a": [1]}, [2, 3] , ')
    [Decimal('2'), Decimal('3')]
    """
    whole = text.decode().rstrip(_WHITESPACE).removesuffix(",").rstrip(_WHITESPACE)
    if whole[-1] not in "]}":
        return _last_scalar(whole)
    opened: list[int] = []
    at = start = 0
    while at < len(whole):
        char = whole[at]
        if char == '"':
            _, at = _DECODER.raw_decode(whole, at)
            continue
        if char in "[{":
            opened.append(at)
        elif char in "]}":
            start = opened.pop()
        at += 1
    return _DECODER.decode(whole[start:])


def _last_scalar(text: str) -> Any:
    if not text.endswith('"'):
        match = _SCALAR.search(text)
        assert match is not None
        return _DECODER.decode(match.group())
    start = len(text) - 1
    while True:
        start = text.rindex('"', 0, start)
        before = text[:start]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return _DECODER.decode(text[start:])
