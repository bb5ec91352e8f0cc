"""Formats of RFC 3339: `date`, `time`, `date-time` and `duration`.

Out: expressions for the decoded text.

Left out, though the RFC allows them: the year 0000, which most date types lack; letters of a duration in lower case;
leap seconds on other days than the last of June and December in UTC, the only ones there have been, and by clocks that
are not whole, half or three quarters of an hour off UTC.
"""

from __future__ import annotations

from functools import cache

from constrain.ir.expr import Closed, Concat, Expr, Literal, alt, concat
from constrain.specs.regex import parse_regex

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_FOURTH = "(?:0[48]|[2468][048]|[13579][26])"
"""Two digits that are a multiple of four, but not 00."""
_LEAP_YEAR = f"(?:[0-9]{{2}}{_FOURTH}|{_FOURTH}00)"
_DAYS = "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_OFFSET = "(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"


def spelled(pattern: str) -> Expr:
    """The strings that a pattern in Python's syntax matches as a whole."""
    expr = parse_regex(pattern)
    return expr.body if isinstance(expr, Closed) else expr


@cache
def date() -> Expr:
    """`full-date` of section 5.6, with the days that each month has."""
    return spelled(f"{_YEAR}-(?:{_DAYS})|{_LEAP_YEAR}-02-29")


@cache
def time() -> Expr:
    """`full-time` of section 5.6; second 60 stands where it is 23:59 in UTC."""
    return alt([spelled(_CLOCK + _OFFSET), _leap_second_same_day(), _leap_second_next_day()])


@cache
def date_time() -> Expr:
    """`date-time` of section 5.6, with T in either case between date and time."""
    return alt(
        [
            concat([date(), spelled(f"[tT]{_CLOCK}{_OFFSET}")]),
            concat([spelled(f"{_YEAR}-(?:06-30|12-31)[tT]"), _leap_second_same_day()]),
            concat([spelled(f"{_YEAR}-(?:07|01)-01[tT]"), _leap_second_next_day()]),
        ]
    )


@cache
def duration() -> Expr:
    """`duration` of appendix A, which is part of ISO 8601: whole numbers, no unit left out between two others."""
    clock = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
    days = "(?:[0-9]+D|[0-9]+M(?:[0-9]+D)?|[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?)"
    return spelled(f"P(?:{days}(?:{clock})?|{clock}|[0-9]+W)")


# ---- leap seconds: 23:59:60 in UTC, by any clock

_SECOND_60 = spelled(r":60(?:\.[0-9]+)?")
_MINUTES = (0, 30, 45)
"""Of offsets from UTC: the world has no others, and all sixty make 1,440 alternatives."""


@cache
def _leap_second_same_day() -> Expr:
    """By clocks on which the day has not ended before it does in UTC."""
    utc = concat([Literal(b"23:59"), _SECOND_60, spelled(r"(?:[zZ]|\+00:00)")])
    return alt([utc, *(_leap_second("-", -60 * hour - minute) for hour in range(24) for minute in _MINUTES)])


@cache
def _leap_second_next_day() -> Expr:
    """By clocks on which the next day has begun."""
    offsets = [60 * hour + minute for hour in range(24) for minute in _MINUTES]
    return alt([_leap_second("+", offset) for offset in offsets if offset])


def _leap_second(sign: str, offset: int) -> Expr:
    clock, ahead = (24 * 60 - 1 + offset) % (24 * 60), abs(offset)
    clocks = [f"{minutes // 60:02}:{minutes % 60:02}".encode() for minutes in (clock, ahead)]
    return Concat((Literal(clocks[0]), _SECOND_60, Literal(sign.encode() + clocks[1])))
