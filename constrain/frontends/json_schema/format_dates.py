"""Formats of RFC 3339: `date`, `time`, `date-time` and `duration`.

Out: expressions for the decoded text.

Left out, though the RFC allows them: the year 0000, which most date types lack; letters of a duration in lower case;
leap seconds on other days than the last of June and December in UTC, the only ones there have been.
"""

from __future__ import annotations

from functools import cache

from constrain.frontends.regex import parse_regex
from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, concat

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_FOURTH = "(?:0[48]|[2468][048]|[13579][26])"
"""Two digits that are a multiple of four, but not 00."""
_LEAP_YEAR = f"(?:[0-9]{{2}}{_FOURTH}|{_FOURTH}00)"
_DAYS = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
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
    return Alt((spelled(_CLOCK + _OFFSET), _leap_second_same_day(), _leap_second_next_day()))


@cache
def date_time() -> Expr:
    """`date-time` of section 5.6, with T in either case between date and time."""
    return Alt(
        (
            concat([date(), spelled(f"[tT]{_CLOCK}{_OFFSET}")]),
            concat([spelled(f"{_YEAR}-(?:06-30|12-31)[tT]"), _leap_second_same_day()]),
            concat([spelled(f"{_YEAR}-(?:07|01)-01[tT]"), _leap_second_next_day()]),
        )
    )


@cache
def duration() -> Expr:
    """`duration` of appendix A, which is part of ISO 8601: whole numbers, no unit left out between two others."""
    clock = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
    days = "(?:[0-9]+D|[0-9]+M(?:[0-9]+D)?|[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?)"
    return spelled(f"P(?:{days}(?:{clock})?|{clock}|[0-9]+W)")


# ---- leap seconds: 23:59:60 in UTC, by any clock

_TWO_DIGITS = spelled("[0-9]{2}")
_SECOND_60 = spelled(r":60(?:\.[0-9]+)?")


@cache
def _leap_second_same_day() -> Expr:
    """Clocks on which the day in UTC has not ended: those of UTC, and those that are behind."""
    utc = concat([Literal(b"23:59"), _SECOND_60, spelled(r"(?:[zZ]|\+00:00)")])
    behind = _agreeing(b"-", [(23 - n, n) for n in range(24)], [(59 - n, n) for n in range(60)])
    return Alt((utc, behind))


@cache
def _leap_second_next_day() -> Expr:
    """Clocks ahead of UTC: 23:59 and the offset, less a day."""
    hours = [
        concat([Literal(f"{n - 1:02}:59".encode()), _SECOND_60, Literal(f"+{n:02}:00".encode())]) for n in range(1, 24)
    ]
    return Alt((*hours, _agreeing(b"+", [(n, n) for n in range(24)], [(n - 1, n) for n in range(1, 60)])))


def _agreeing(sign: bytes, hours: list[tuple[int, int]], minutes: list[tuple[int, int]]) -> Expr:
    """Times with an offset whose hours are one of `hours` (clock, offset) and whose minutes are one of `minutes`.

    Two conditions on all of the text: to list the pairs of hours and minutes takes 1,440 alternatives.
    """
    by_hour = [
        concat([_two(clock), Literal(b":"), _TWO_DIGITS, _SECOND_60, Literal(sign), _two(off), Literal(b":"), _TWO_DIGITS])
        for clock, off in hours
    ]
    by_minute = [
        concat([_TWO_DIGITS, Literal(b":"), _two(clock), _SECOND_60, Literal(sign), _TWO_DIGITS, Literal(b":"), _two(off)])
        for clock, off in minutes
    ]
    return And((Alt(tuple(by_hour)), Alt(tuple(by_minute))))


def _two(number: int) -> Literal:
    return Literal(f"{number:02}".encode())
