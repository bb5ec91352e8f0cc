"""Formats: examples of each, the official suite, and other implementations."""

from __future__ import annotations

import datetime
import ipaddress
import json
import random
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Language, examples, mutated

from constrain.automata.dfa import DfaStore
from constrain.specs.json_schema.format_idna import _LONGEST, _MOST, _SIZES
from constrain.specs.json_schema.formats import FORMATS, format_expr

STORE = DfaStore()
seeds = st.integers(0, 2**32)


@lru_cache(maxsize=64)
def language(name: str) -> Language:
    expr = format_expr(name)
    assert expr is not None
    return Language(expr, STORE)


def accepts(name: str, text: str) -> bool:
    return language(name).accepts(text.encode())


EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "date": (
        ["2024-02-29", "2000-02-29", "1999-12-31", "0001-01-01", "9999-04-30"],
        [
            "2023-02-29",
            "1900-02-29",
            "0000-01-01",
            "2024-04-31",
            "2024-13-01",
            "2024-1-1",
            "2024-01-01 ",
            "２０２４-01-01",
        ],
    ),
    "time": (
        [
            "00:00:00Z",
            "23:59:59.5z",
            "12:00:00+05:45",
            "23:59:60Z",
            "00:59:60+01:00",
            "05:44:60.1+05:45",
            "18:29:60-05:30",
        ],
        ["24:00:00Z", "12:00:00", "12:00Z", "12:00:60Z", "00:59:60Z", "23:59:60+01:00", "12:00:00.Z", "12:00:00+24:00"],
    ),
    "date-time": (
        ["2024-02-29T12:00:00Z", "2016-12-31t23:59:60z", "2017-01-01T00:59:60+01:00", "2016-06-30T15:59:60.9-08:00"],
        [
            "2024-02-29 12:00:00Z",
            "2016-12-31T00:59:60+01:00",
            "2016-12-30T23:59:60Z",
            "2023-02-29T12:00:00Z",
            "2024-01-01",
        ],
    ),
    "duration": (["P1Y2M3DT4H5M6S", "PT0S", "P3W", "P1M"], ["P", "P1YT", "PT1H1S", "P1W1D", "p1d", "P1.5D", "P1Y1D"]),
    "email": (
        ["a@b", "first.last+tag@sub.example.com", '"a b\\"@"@example.com', "a@[127.0.0.1]", "a@[IPv6:::1]"],
        ["a@", "@b", "a..b@c", ".a@b", "a@-b", "a@b_c", "a@[::1]", "a b@c", "é@b", f"{'a' * 65}@b", f"a@{'b' * 64}"],
    ),
    "idn-email": (["é@b", "用户@例え.jp", "a@b", '"é"@b'], ["é", "a@b。c", f"{'é' * 33}@b", "é..b@c"]),
    "hostname": (
        [
            "localhost",
            "a.b-c.example",
            "3com.com",
            "1",
            "a" * 63,
            ".".join(["a" * 63] * 3),
            "a" * 63 + ".b" * 6,
            "1.2.3.a",
        ],
        [
            "",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "é",
            "a" * 64,
            "a.1-1",
            ".".join(["a" * 63] * 4),
            "1.2.3.4",
            "xn--a",
            "ab--c",
        ],
    ),
    "idn-hostname": (
        [
            "localhost",
            "bücher.example",
            "παράδειγμα.δοκιμή",
            "例え。テスト",
            "דוגמה.קום",
            "пример-1.рф",
            "l·l",
            "क्‍ष",
            "उदाहरण",
        ],
        ["", "Bücher.example", "xn--bcher-kva", "a·l", "ab--é", "-é", "é-", "1א", "e\u0301", "א1a", "ü" * 15, "ａ"],
    ),
    "ipv4": (
        ["0.0.0.0", "255.255.255.255", "10.20.30.40"],
        ["01.0.0.0", "256.0.0.0", "1.2.3", "1.2.3.4.5", "1.2.3.4 "],
    ),
    "ipv6": (
        ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "Ab::cD"],
        ["", ":", ":::", "1:2:3:4:5:6:7", "1::2::3", "12345::", "::1%eth0", "1:2:3:4:5:6:7:8::", "1.2.3.4", "::1.2.3"],
    ),
    "uri": (
        [
            "http://a",
            "urn:x:y",
            "a:",
            "file:///etc",
            "http://[::1]:80/",
            "http://u:p@h:1/p?q#f",
            "x://",
            "http://[v1.a:b]/",
        ],
        [
            "",
            "a",
            "//a",
            "http://é",
            "http://a b",
            "http://[::1",
            "1a:b",
            "a:%g0",
            "a:#x#",
            "http://a:b/",
            "a:[",
            "http://[v1.]",
        ],
    ),
    "uri-reference": (
        ["", "a", "a/b:c", "//a/b", "?q", "#f", "http://a", "./a:b", "../x"],
        ["a b", "1:b", "\\", "é", "%"],
    ),
    "iri": (["http://é.fr/è?ê#ë", "a:\U00010000", "a:?\ue000"], ["é", "a:\ue000", "a: ", "a:\u200e", "é:a"]),
    "iri-reference": (["é", "/é?\ue000", "", "//é"], ["\ue000", "é b", "é:b:c\\"]),
    "uri-template": (
        ["", "a/{b}", "{+a,b*}", "{#a:3}", "{?a.b}", "{&%41}", "é'"],
        ["{", "}", "{}", "{a b}", "{a:0}", "{=a}"],
    ),
    "uuid": (
        ["00000000-0000-0000-0000-000000000000", "2Eb8aa08-aa98-11ea-b4aa-73b441d16380"],
        ["2eb8aa08aa9811eab4aa73b4"],
    ),
    "json-pointer": (["", "/", "/a~0b/~1", "/a//é\n"], ["a", "/~", "/~2", "#/a"]),
    "relative-json-pointer": (["0", "1/a", "12#", "0/"], ["", "/a", "01", "-1", "1a", "1#/a", "+1"]),
    "regex": (
        [
            "",
            "a|b",
            "^[a-z]+$",
            r"(?:\d{2,3}){4,}?",
            r"\p{L}\u{1F600}\x41[^\]-]",
            "(?<n>a)(?=b)",
            "[]",
            "((a)b(c))",
            "[à-ÿ]",
        ],
        [
            "(",
            ")",
            "[",
            "*",
            "a**",
            "[z-a]",
            "{2}",
            "a{3,2}",
            r"\a",
            r"\1",
            "(?i)a",
            "(?P<n>a)",
            "(?<n>a)(?<n>b)",
            "]",
            "^*",
        ],
    ),
}


def test_every_format_has_examples() -> None:
    assert EXAMPLES.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    good, bad = EXAMPLES[name]
    for text in good:
        assert accepts(name, text), text
    for text in bad:
        assert not accepts(name, text), text


def test_unknown_formats_say_nothing() -> None:
    assert format_expr("colour") is None and format_expr("") is None and format_expr("DATE") is None


@pytest.mark.parametrize("name", FORMATS)
def test_equal_names_give_the_same_value(name: str) -> None:
    assert format_expr(name) is format_expr(name)


# ---- the official suite


@pytest.mark.data
@pytest.mark.parametrize("draft", ["draft2020-12", "draft7"])
def test_official_suite(data_dir: Path, draft: str) -> None:
    """Nothing invalid is accepted, and nothing valid is refused but what the modules name."""
    folder = data_dir / "json-schema-test-suite" / draft / "optional" / "format"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.json")):
        for group in json.loads(path.read_text("utf-8")):
            for case in group["tests"]:
                if isinstance(case["data"], str) and group["schema"]["format"] in FORMATS:
                    accepted = accepts(group["schema"]["format"], case["data"])
                    assert case["valid"] or not accepted, (path.name, case)
                    counts["right" if accepted == case["valid"] else path.stem] += 1
    right = counts.pop("right")
    assert counts == {"hostname": 15, "idn-hostname": 6, "idn-email": 1, "ecmascript-regex": 1}
    assert right > 0.95 * (right + counts.total())


# ---- other implementations


@examples(300)
@given(st.integers(0, 2100), st.integers(0, 13), st.integers(0, 32))
def test_dates_are_those_of_the_calendar(year: int, month: int, day: int) -> None:
    try:
        expected = bool(datetime.date(year, month, day))
    except ValueError:
        expected = False
    assert accepts("date", f"{year:04}-{month:02}-{day:02}") == expected


@examples(300)
@given(
    st.integers(0, 25), st.integers(0, 61), st.sampled_from("+-"), st.integers(0, 25), st.sampled_from([0, 30, 45, 60])
)
def test_leap_seconds_are_at_midnight_in_utc(hour: int, minute: int, sign: str, ahead: int, minutes: int) -> None:
    utc = 60 * hour + minute - (1 if sign == "+" else -1) * (60 * ahead + minutes)
    expected = hour < 24 and minute < 60 and ahead < 24 and minutes < 60 and utc % (24 * 60) == 24 * 60 - 1
    assert accepts("time", f"{hour:02}:{minute:02}:60{sign}{ahead:02}:{minutes:02}") == expected


@examples(50)
@given(st.sampled_from([0, 30, 45, 5 * 60 + 45, 14 * 60]), st.sampled_from("+-"), st.integers(-1, 1))
def test_leap_seconds_end_june_and_december(ahead: int, sign: str, days: int) -> None:
    offset = datetime.timezone((1 if sign == "+" else -1) * datetime.timedelta(minutes=ahead))
    around = datetime.datetime(2016, 12, 31, 23, 59, 59, tzinfo=datetime.UTC) + datetime.timedelta(days)
    local = around.astimezone(offset)
    text = f"{local:%Y-%m-%dT%H:%M}:60{sign}{ahead // 60:02}:{ahead % 60:02}"
    assert accepts("date-time", text) == (days == 0), text


@examples(300)
@given(st.sampled_from(["ipv4", "ipv6"]), seeds)
def test_addresses_are_those_of_ipaddress(name: str, seed: int) -> None:
    rng = random.Random(seed)
    found = language(name).sample(rng, 60)
    text = found.decode() if found else "::1"
    for _ in range(3):
        try:
            expected = bool(ipaddress.IPv4Address(text) if name == "ipv4" else ipaddress.IPv6Address(text))
        except ValueError:
            expected = False
        assert accepts(name, text) == expected, text
        text = mutated(rng, text, "012:.af")


@examples(300)
@given(seeds)
def test_patterns_are_valid_by_ecma_262(seed: int) -> None:
    regress = pytest.importorskip("regress")
    found = language("regex").sample(random.Random(seed), 60)
    if found is not None:
        regress.Regex(found.decode(), "u")


_EXACT = ["duration", "json-pointer", "uri", "uri-reference", "uuid"]
"""Formats of which nothing is left out."""


@examples(400)
@given(st.sampled_from(sorted(FORMATS)), seeds)
def test_what_is_accepted_is_valid_to_jsonschema_rs(name: str, seed: int) -> None:
    rs = pytest.importorskip("jsonschema_rs")
    validator = rs.validator_for({"format": name}, validate_formats=True)
    rng = random.Random(seed)
    found = language(name).sample(rng, 60)
    if found is None:
        return
    text = found.decode()
    for _ in range(4):
        expected = validator.is_valid(text)
        assert expected or not accepts(name, text), text
        if name in _EXACT:
            assert accepts(name, text) == expected, text
        text = mutated(rng, text, "abzT019é-:./%[]{}@#?~")


# ---- names in all scripts

LETTERS = "aläßéαжאבبت١۱ก่ดคि्あアー・一丁가·͵׳\u200d-0.。"


def random_name(rng: random.Random) -> str | None:
    """A name of the language, found by a random walk over characters."""
    engine, text = language("idn-hostname"), ""
    for _ in range(rng.randint(1, 50)):
        char = rng.choice(LETTERS) if rng.random() < 0.9 else chr(rng.randrange(0x80, 0x3000))
        if engine.viable((text + char).encode()):
            text += char
    return text if engine.accepts(text.encode()) else None


@examples(200)
@given(seeds)
def test_names_can_be_encoded(seed: int) -> None:
    idna = pytest.importorskip("idna")
    name = random_name(random.Random(seed))
    if name is not None:
        encoded = idna.encode(name)
        assert len(encoded) <= 253


def test_no_label_is_too_long_in_punycode() -> None:
    """From labels of the largest size, step by step to those that take more, until none of many changes helps."""
    rng, worst = random.Random(0), 0
    for beyond, length in _SIZES * 3:
        label = "".join(chr(rng.randrange(0x80, 0x10000)) for _ in range(beyond)) + "a" * (length - beyond)
        label = re.sub("[\ud800-\udfff]", "一", label)
        for _ in range(4000):
            i, code = rng.randrange(beyond), int(0x80 * (0xFFFF / 0x80) ** rng.random())
            other = label[:i] + chr(code if not 0xD800 <= code < 0xE000 else 0xE000) + label[i + 1 :]
            label = max(label, other, key=in_punycode)
        worst = max(worst, in_punycode(label))
    assert 52 < worst <= _LONGEST and _MOST * (_LONGEST + 1) - 1 <= 253


def in_punycode(label: str) -> int:
    return len("xn--") + len(label.encode("punycode"))
