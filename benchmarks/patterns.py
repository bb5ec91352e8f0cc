"""200 regular expressions of the kind that people use to constrain a language model, with texts that match them.

Syntax is that of Python's `re`, and the whole output has to match. Patterns with `unicode_property` use `\\p{...}`,
which `re` lacks and the `regex` module has; those with `lookaround` use assertions that other engines may refuse.
Everything here was written for this benchmark; the word lists are made by `words` below, always the same.
"""

# ruff: noqa: E501  (patterns and the texts that match them stay on one line)

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Pattern:
    """One constraint and three to five outputs that meet it."""

    name: str
    category: str
    pattern: str
    texts: tuple[str, ...]
    lookaround: bool = False
    unicode_property: bool = False


def case(name: str, pattern: str, *texts: str) -> Pattern:
    """A pattern whose category is still to be filled in."""
    return Pattern(name, "", pattern, texts, unicode_property=r"\p{" in pattern or r"\P{" in pattern)


def group(category: str, *cases: Pattern) -> tuple[Pattern, ...]:
    """The cases of one category."""
    return tuple(replace(each, category=category) for each in cases)


def words(count: int, seed: int = 7) -> tuple[str, ...]:
    """`count` different pseudo-words of two to five syllables, sorted; the same on every machine."""
    draw = random.Random(seed)
    onsets = "b br c ch d dr f fl g gr h j k l m n p pl qu r s sh sl st t th tr v w z".split()
    vowels, codas = "a e i o u ai ea ou".split(), ["", "", "n", "r", "l", "s", "m", "nd", "ck"]
    found: set[str] = set()
    while len(found) < count:
        syllables = draw.randint(2, 5)
        found.add("".join(draw.choice(onsets) + draw.choice(vowels) + draw.choice(codas) for _ in range(syllables)))
    return tuple(sorted(found))


def alternation(name: str, count: int) -> Pattern:
    """A choice between `count` words, with words from the start, the middle and the end of the list."""
    chosen = words(count)
    return case(name, "|".join(chosen), *(chosen[i * (count - 1) // 3] for i in range(4)))


PROSE = (
    "The old lighthouse keeper wrote down every ship that passed. Most nights there were none, and he wrote that too.",
    "Large models are good at sounding certain. A format does not make them right, but it makes them easy to check.",
    "We measured the reservoir twice a day through the dry season; by October the level had fallen by 3.5 metres, "
    "and the town council began to ration water for gardens, fountains and car washes.",
    "Café owners in Zürich say the naïve plan won't work: it costs €40 a seat — twice what guests would pay.",
    "To make the dough, mix 500 g of flour with 10 g of salt, add 320 ml of warm water and knead for ten minutes. "
    "Let it rest under a damp cloth until it has doubled in size, then fold it twice and shape it into a round loaf.",
)

PAGES = (
    "\n\n".join(PROSE[:3]),
    "Dear Ms. Okafor,\n\nthank you for your letter of 3 May. We have looked into the delay and found that the parcel "
    "was held at customs for nine days.\n\nA refund of $42.50 is on its way.\n\nKind regards,\nTomás Lindqvist",
    'def area(radius):\n    """Area of a circle."""\n    return 3.14159 * radius ** 2\n\n\nprint(area(2))\n',
    " ".join(PROSE),
)

OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
WS = r"[ ]?"
STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*"'
SHORT_STRING = r'"(?:[^"\\\x00-\x1F\x7F-\x9F]|\\["\\]){1,60}"'
INTEGER = r"(?:-)?(?:0|[1-9][0-9]*)"
NUMBER = rf"(?:{INTEGER})(?:\.[0-9]+)?(?:[eE][+-][0-9]+)?"
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
MON = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"

DATES = group(
    "dates",
    case("date_iso", r"\d{4}-\d{2}-\d{2}", "2024-02-29", "1999-12-31", "2031-07-04"),
    case(
        "date_iso_strict",
        r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])",
        "2026-11-21",
        "1970-01-01",
        "2000-10-30",
    ),
    case(
        "date_us", r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:19|20)?\d\d", "7/4/2026", "12/31/99", "03/09/1984"
    ),
    case(
        "date_german", r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.\d{4}", "3.10.1990", "24.12.2025", "01.05.2026"
    ),
    case(
        "date_long",
        rf"(?:{MONTHS}) (?:[1-9]|[12]\d|3[01]), (?:1[89]|20)\d{{2}}",
        "July 20, 1969",
        "November 9, 1989",
        "March 1, 2027",
    ),
    case(
        "date_rfc2822",
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{{2}} (?:{MON}) \d{{4}} \d\d:\d\d:\d\d (?:[+-]\d{{4}}|GMT)",
        "Tue, 17 Mar 2026 08:15:00 +0100",
        "Sat, 01 Aug 2020 23:59:59 GMT",
        "Mon, 30 Nov 2015 00:00:01 -0530",
    ),
    case(
        "datetime_iso",
        r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-][0-2]\d:[0-5]\d)",
        "2026-11-21T08:57:03Z",
        "2019-05-06T17:00:00.123456+02:00",
        "2033-01-02T03:04:05.5-08:00",
    ),
    case("date_week", r"\d{4}-W(?:0[1-9]|[1-4]\d|5[0-3])(?:-[1-7])?", "2026-W47", "2020-W53-4", "2024-W01-1"),
    case(
        "date_range",
        r"\d{4}-\d{2}-\d{2}(?: to | - |/)\d{4}-\d{2}-\d{2}",
        "2024-01-01 to 2024-12-31",
        "2025-06-01/2025-06-14",
        "1914-07-28 - 1918-11-11",
    ),
    case(
        "date_any",
        rf"\d{{4}}-\d\d-\d\d|\d\d?/\d\d?/\d{{4}}|(?:{MON})[a-z]* \d{{1,2}}, \d{{4}}|\d{{1,2}} (?:{MONTHS}) \d{{4}}",
        "2026-03-14",
        "3/14/2026",
        "Sept 7, 1998",
        "14 March 2026",
    ),
    case(
        "date_chinese",
        r"\d{4}年(?:1[0-2]|[1-9])月(?:[12]\d|3[01]|[1-9])日",
        "2026年11月21日",
        "1949年10月1日",
        "2008年8月8日",
    ),
)

TIMES = group(
    "times",
    case("time_24h", r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?", "08:30", "23:59:59", "14:05"),
    case("time_12h", r"(?:1[0-2]|0?[1-9]):[0-5]\d ?(?:[AaPp]\.?[Mm]\.?)", "9:41 AM", "12:00pm", "07:15 p.m."),
    case(
        "duration_iso",
        r"P(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
        "P1Y2M10DT2H30M",
        "PT45M",
        "P3D",
        "PT0.5S",
    ),
    case(
        "duration_words",
        r"(?:\d+ days?)?(?:, )?(?:\d+ hours?)?(?:,? ?(?:and )?\d+ minutes?)?",
        "2 days, 3 hours and 15 minutes",
        "1 hour",
        "45 minutes",
    ),
    case(
        "time_zone",
        r"(?:UTC|GMT)(?:[+-](?:0?\d|1[0-4])(?::?[0-5]\d)?)?|[A-Z][a-z]+/[A-Z][a-z]+(?:_[A-Z][a-z]+)*",
        "UTC+05:30",
        "Europe/Berlin",
        "America/New_York",
        "GMT",
    ),
    case(
        "cron",
        r"(?:\*|[0-5]?\d)(?:/\d+)? (?:\*|1?\d|2[0-3])(?:/\d+)? (?:\*|[12]?\d|3[01]) (?:\*|1[0-2]|[1-9]) (?:\*|[0-6](?:-[0-6])?)",
        "*/15 * * * *",
        "0 9 * * 1-5",
        "30 2 1 1 *",
    ),
    case(
        "subtitle_srt",
        r"(?:\d+\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n(?:[^\n]{1,60}\n){1,2}\n?){1,3}",
        "1\n00:00:01,000 --> 00:00:04,250\nWhere were you last night?\n",
        "7\n00:01:10,500 --> 00:01:12,000\n- I told you.\n- You didn't.\n\n8\n00:01:13,000 --> 00:01:15,900\nAll right then.\n",
        "12\n01:00:00,000 --> 01:00:02,100\nC'est fini.\n",
    ),
    case(
        "opening_hours",
        r"(?:(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:-(?:Mo|Tu|We|Th|Fr|Sa|Su))? \d\d:\d\d-\d\d:\d\d(?:; )?){1,7}",
        "Mo-Fr 09:00-18:00; Sa 10:00-14:00",
        "Su 11:00-17:00",
        "Mo 08:00-12:00; We 13:00-19:00; Fr 08:00-12:00",
    ),
    case("unix_timestamp", r"1\d{9}(?:\.\d{1,6})?", "1700000000", "1795161423.125", "1234567890"),
)

NETWORK = group(
    "network",
    case(
        "email",
        r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}",
        "ada.lovelace@example.org",
        "support+eu@mail.shop.co.uk",
        "j_doe99@uni-heidelberg.de",
    ),
    case(
        "email_bounded",
        r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?@(?:[a-z0-9-]{1,30}\.){1,3}(?:com|org|net|edu|io)",
        "maria.silva@example.com",
        "x@a.io",
        "grace-hopper@cs.yale.edu",
    ),
    case(
        "url",
        r"https?://(?:[\w-]+\.)+[a-z]{2,}(?::\d{2,5})?(?:/[\w.~%+-]*)*(?:\?[\w.=&%+-]*)?(?:#[\w.-]*)?",
        "https://example.com",
        "http://docs.python.org:8080/3/library/re.html?highlight=regex#re.fullmatch",
        "https://en.wikipedia.org/wiki/Regular_expression#History",
    ),
    case(
        "url_loose",
        r"https?://[^\s/$.?#].[^\s]*",
        "https://example.com/a?b=c",
        "http://localhost.:3000/x",
        "https://sub.domain.tld/path/to/page-1.html",
    ),
    case(
        "hostname",
        r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        "example.com",
        "api.eu-west-1.cloud.internal",
        "a.b.c.museum",
    ),
    case(
        "uuid",
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "123e4567-e89b-12d3-a456-426614174000",
        "00000000-0000-0000-0000-000000000000",
        "9b2f6c1e-7d43-4c5a-8f10-2e6ab7d0c3f9",
    ),
    case(
        "uuid4_any_case",
        r"(?i:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})",
        "F47AC10B-58CC-4372-A567-0E02B2C3D479",
        "9b2f6c1e-7d43-4c5a-8f10-2e6ab7d0c3f9",
        "c0FFee00-1234-4abc-9DEF-0123456789ab",
    ),
    case("ipv4", rf"{OCTET}(?:\.{OCTET}){{3}}", "192.168.0.1", "8.8.8.8", "255.255.255.255", "10.0.42.7"),
    case(
        "ipv4_cidr_list",
        rf"{OCTET}(?:\.{OCTET}){{3}}/(?:3[0-2]|[12]?\d)(?:, {OCTET}(?:\.{OCTET}){{3}}/(?:3[0-2]|[12]?\d)){{0,5}}",
        "10.0.0.0/8",
        "192.168.1.0/24, 172.16.0.0/12",
        "203.0.113.7/32, 198.51.100.0/24, 0.0.0.0/0",
    ),
    case(
        "ipv6",
        r"(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}|::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,5})?",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "2001:db8::1",
        "::1",
        "fe80::1ff:fe23:4567:890a",
    ),
    case(
        "mac_address",
        r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}|(?:[0-9a-f]{2}-){5}[0-9a-f]{2}",
        "00:1A:2B:3C:4D:5E",
        "de-ad-be-ef-00-01",
        "FF:FF:FF:FF:FF:FF",
    ),
    case(
        "user_agent",
        r"Mozilla/5\.0 \((?:Windows NT 10\.0; Win64; x64|Macintosh; Intel Mac OS X \d+_\d+(?:_\d+)?|X11; Linux x86_64)\) (?:AppleWebKit/[\d.]+ \(KHTML, like Gecko\) Chrome/[\d.]+ Safari/[\d.]+|Gecko/20100101 Firefox/\d+\.0)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Chrome/120.0.6099.109 Safari/605.1.15",
    ),
    case(
        "http_request_line",
        r"(?:GET|POST|PUT|PATCH|DELETE|HEAD) /[\w./?=&%-]* HTTP/(?:1\.[01]|2)",
        "GET / HTTP/1.1",
        "POST /api/v2/users?dry_run=true HTTP/2",
        "DELETE /items/42 HTTP/1.0",
    ),
    case(
        "http_headers",
        r"(?:[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)*: [^\r\n]{1,80}\r\n){1,6}\r\n",
        "Host: example.com\r\n\r\n",
        "Content-Type: application/json; charset=utf-8\r\nContent-Length: 348\r\n\r\n",
        "X-Request-Id: 7f3a\r\nCache-Control: no-cache, max-age=0\r\nAccept: */*\r\n\r\n",
    ),
    case(
        "query_string",
        r"(?:[a-z_]+=(?:[\w.~-]|%[0-9A-F]{2}|\+)*)(?:&[a-z_]+=(?:[\w.~-]|%[0-9A-F]{2}|\+)*){0,9}",
        "q=constrained+decoding&page=2",
        "name=J%C3%BCrgen&city=K%C3%B6ln&zip=50667",
        "token=abc-123~x.y",
    ),
)

PHONES = group(
    "phones",
    case(
        "phone_us",
        r"(?:\+1[ -]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}",
        "(555) 123-4567",
        "+1 555-867-5309",
        "212.555.0199",
    ),
    case("phone_outlines", r"(?:\([2-9]\d{2}\) \d{3}-\d{4})", "(415) 555-2671", "(212) 555-0123", "(987) 654-3210"),
    case("phone_e164", r"\+[1-9]\d{6,14}", "+14155552671", "+442071838750", "+5511987654321"),
    case(
        "phone_germany",
        r"(?:\+49|0)[ ]?(?:\(0\))?[1-9]\d{1,4}[ /-]?\d{3,9}(?:-\d{1,4})?",
        "+49 30 901820",
        "0221/4710-123",
        "+49 (0)89 12345678",
    ),
    case("phone_france", r"(?:\+33 ?|0)[1-9](?:[ .]?\d{2}){4}", "01 23 45 67 89", "+33 6 12 34 56 78", "0145678901"),
    case(
        "phone_uk",
        r"(?:\+44 ?(?:\(0\))?|0)(?:20 ?\d{4} ?\d{4}|7\d{3} ?\d{6}|1\d{3} ?\d{5,6})",
        "020 7946 0958",
        "+44 7700 900123",
        "01632 960001",
    ),
    case(
        "phone_japan",
        r"0\d{1,4}-\d{1,4}-\d{4}|\+81-\d{1,4}-\d{1,4}-\d{4}",
        "03-1234-5678",
        "090-8765-4321",
        "+81-3-3224-5000",
    ),
)

NUMBERS = group(
    "numbers",
    case("integer", r"[+-]?\d+", "42", "-17", "+314159265358979"),
    case("integer_canonical", r"0|-?[1-9]\d{0,17}", "0", "-273", "123456789012345678"),
    case("decimal", r"-?\d+(?:\.\d+)?", "3.14159", "-0.001", "2048"),
    case(
        "scientific", r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", "6.02214076e23", "-1.6e-19", ".5", "299792458."
    ),
    case("thousands", r"-?\d{1,3}(?:,\d{3})*(?:\.\d{1,2})?", "1,234,567.89", "999", "-12,000"),
    case("percentage", r"(?:100(?:\.0{1,2})?|\d{1,2}(?:\.\d{1,2})?)%", "99.95%", "100%", "7%"),
    case("byte_value", r"25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d", "0", "99", "255", "137"),
    case("probability", r"0\.\d{1,4}|1\.0{1,4}", "0.5", "0.9731", "1.00"),
    case("price_usd", r"\$(?:0|[1-9]\d{0,2}(?:,\d{3})*)\.\d{2}", "$19.99", "$1,250,000.00", "$0.05"),
    case(
        "price_any",
        r"(?:[$€£¥₹] ?\d{1,3}(?:[., ]\d{3})*(?:[.,]\d{2})?|\d+(?:[.,]\d{2})? ?(?:€|EUR|USD|kr|zł|CHF))",
        "€ 1.299,00",
        "£45",
        "89,90 zł",
        "1500 CHF",
        "₹ 12,500.00",
    ),
    case(
        "measure",
        r"\d+(?:\.\d+)? ?(?:mm|cm|m|km|mg|g|kg|ml|l|°C|°F|K|Pa|kPa|W|kWh|V|A|Hz|MHz|%)",
        "72.5 kg",
        "21 °C",
        "3.2 kWh",
        "440Hz",
    ),
    case("number_range", r"\d{1,4}\s?(?:-|–|to)\s?\d{1,4}", "10-20", "1999–2004", "5 to 7"),
    case(
        "vector",
        r"\[-?\d\.\d{4}(?:, -?\d\.\d{4}){2,7}\]",
        "[0.1234, -0.5678, 1.0000]",
        "[0.0000, 0.0001, 0.0002, 0.0003]",
        "[-1.2500, 2.5000, -3.7500, 4.1250, -5.0625, 6.0312, -7.0156, 8.0078]",
    ),
)

CODES = group(
    "codes",
    case(
        "semver",
        r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
        "1.0.0",
        "2.13.4-rc.1",
        "0.9.12-alpha.beta+build.2026.11",
    ),
    case(
        "requirement",
        r"[a-z][a-z0-9-]{1,30}(?:\[[a-z]+(?:,[a-z]+)*\])?(?:(?:==|>=|<=|~=|!=)\d+(?:\.\d+){0,2}(?:,(?:<|>=|!=)\d+(?:\.\d+){0,2})?)?",
        "numpy>=2.0",
        "transformers[torch,sentencepiece]>=5,<6",
        "ruff",
    ),
    case("hex_color", r"#(?:[0-9a-fA-F]{3}){1,2}", "#fff", "#1E90FF", "#c0ffee"),
    case(
        "css_color",
        r"#[0-9a-f]{6}|rgba?\(\d{1,3}(?:, ?\d{1,3}){2}(?:, ?(?:0|1|0?\.\d+))?\)|hsl\(\d{1,3}, ?\d{1,3}%, ?\d{1,3}%\)",
        "#336699",
        "rgba(255, 128, 0, 0.5)",
        "hsl(210, 50%, 40%)",
    ),
    case(
        "md5",
        r"[a-f0-9]{32}",
        "d41d8cd98f00b204e9800998ecf8427e",
        "900150983cd24fb0d6963f7d28e17f72",
        "0cc175b9c0f1b6a831c399e269772661",
    ),
    case(
        "sha256",
        r"(?:sha256:)?[A-Fa-f0-9]{64}",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "5E884898DA28047151D0E56F8DC6292773603D0D6AABBDD62A11EF721D1542D8",
    ),
    case(
        "base64_bounded",
        r"(?:[A-Za-z0-9+/]{4}){1,40}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
        "SGVsbG8sIHdvcmxkIQ==",
        "Y29uc3RyYWlu",
        "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4=",
    ),
    case(
        "jwt",
        r"eyJ[A-Za-z0-9_-]{10,200}\.eyJ[A-Za-z0-9_-]{10,400}\.[A-Za-z0-9_-]{20,100}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "eyJ0eXAiOiJKV1QifQ.eyJpc3MiOiJqb2UiLCJleHAiOjEzMDB9.abcdefghijklmnopqrstuvwxyz",
        "eyJraWQiOiJhMSIsImFsZyI6Ik5vbmUifQ.eyJyb2xlIjoiYWRtaW4ifQ.AAAAAAAAAAAAAAAAAAAAAA",
    ),
    case(
        "iban",
        r"[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "FR14 2004 1010 0505 0001 3M02 606",
    ),
    case(
        "credit_card",
        r"(?:4\d{3}|5[1-5]\d{2}|6011)(?:[ -]?\d{4}){3}",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "6011000000000004",
    ),
    case(
        "isbn13",
        r"97[89][ -]?\d{1,5}[ -]?\d{1,7}[ -]?\d{1,6}[ -]?\d",
        "978-3-16-148410-0",
        "9780306406157",
        "979 10 90636 07 1",
    ),
    case("zip_us", r"\d{5}(?:-\d{4})?", "90210", "10001-1234", "02139"),
    case("postcode_uk", r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}", "SW1A 1AA", "M1 1AE", "EC1A1BB"),
    case(
        "postcode_many",
        r"\d{5}|[A-Z]\d[A-Z] \d[A-Z]\d|\d{4} ?[A-Z]{2}|\d{3}-\d{4}|\d{2}-\d{3}",
        "10115",
        "K1A 0B1",
        "1012 JS",
        "100-0001",
        "00-950",
    ),
    case(
        "license_plate",
        r"[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} [1-9]\d{0,3}[EH]?|[A-Z]{2}\d{2} [A-Z]{3}|[A-Z]{2}-\d{3}-[A-Z]{2}|\d[A-Z]{3}\d{3}",
        "M-AB 1234",
        "BD51 SMR",
        "AA-229-AA",
        "7ABC123",
        "KÖ-E 42H",
    ),
    case("vin", r"[A-HJ-NPR-Z0-9]{17}", "1HGCM82633A004352", "WVWZZZ1JZXW000001", "JH4KA7650MC001234"),
    case(
        "sku",
        r"[A-Z]{3}-\d{4}-(?:XS|S|M|L|XL|XXL)(?:-(?:BLK|WHT|RED|BLU))?",
        "TSH-0042-M",
        "JKT-9911-XXL-BLK",
        "SOC-0001-XS-RED",
    ),
    case(
        "doi",
        r"10\.\d{4,9}/[-._;()/:A-Za-z0-9]+",
        "10.1000/182",
        "10.1145/3597503.3639187",
        "10.48550/arXiv.2307.09702",
    ),
    case(
        "docker_image",
        r"(?:[a-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-][a-z0-9]+)*(?::[\w][\w.-]{0,127})?",
        "python:3.11-slim",
        "ghcr.io/owner/app:v1.2.3",
        "localhost:5000/redis",
    ),
    case(
        "arn",
        r"arn:aws:[a-z0-9-]+:(?:[a-z]{2}-[a-z]+-\d)?:(?:\d{12})?:[A-Za-z0-9/_.:*-]+",
        "arn:aws:s3:::my-bucket/reports/*",
        "arn:aws:lambda:eu-central-1:123456789012:function:resize",
        "arn:aws:iam::123456789012:role/admin",
    ),
    case("identifier", r"[A-Za-z_][A-Za-z0-9_]*", "fill_bitmask", "_private2", "HTTPServer"),
    case("kebab_case", r"[a-z]+(?:-[a-z0-9]+)*", "constrained-decoding", "v", "step-2-of-3"),
)

FILES = group(
    "files",
    case("path_unix", r"(?:/[\w.-]+)+/?", "/usr/local/bin/python3.11", "/etc/", "/home/user/notes-2026.txt"),
    case(
        "path_windows",
        r'[A-Z]:\\(?:[^\\/:*?"<>|\r\n]+\\)*[^\\/:*?"<>|\r\n]*',
        "C:\\Windows\\System32\\drivers",
        "D:\\My Documents\\report (final).docx",
        "E:\\",
    ),
    case(
        "file_name",
        r"[\w-]{1,50}\.(?:py|md|txt|csv|json|ya?ml|tar\.gz|png|jpe?g)",
        "README.md",
        "dev_set-v2.tar.gz",
        "IMG_2041.jpeg",
        "config.yml",
    ),
    case(
        "log_line",
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})? \[(?:DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL)\] [\w.]+: [^\n]{1,120}",
        "2026-11-21 08:57:03,114 [INFO] app.server: listening on port 8080",
        "2025-01-01 00:00:00 [ERROR] db.pool: connection refused (attempt 3 of 5)",
        "2024-07-09 13:37:42 [WARNING] cache: evicted 1,024 entries",
    ),
    case(
        "log_apache",
        rf'{OCTET}(?:\.{OCTET}){{3}} - (?:-|\w+) \[\d\d/(?:{MON})/\d{{4}}:\d\d:\d\d:\d\d [+-]\d{{4}}\] "(?:GET|POST|HEAD) [^" ]+ HTTP/1\.[01]" [1-5]\d\d (?:\d+|-)',
        '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
        '203.0.113.9 - - [01/Jan/2026:00:00:01 +0000] "POST /login HTTP/1.1" 302 -',
        '10.1.2.3 - alice [28/Feb/2025:23:59:59 +0530] "HEAD /index.html HTTP/1.1" 404 512',
    ),
    case(
        "key_value",
        r"\w+=[^,\s]+(?:, ?\w+=[^,\s]+){0,7}",
        "host=localhost, port=5432, user=admin",
        "x=1",
        "lr=3e-4,batch=64,epochs=10",
    ),
    case(
        "key_value_lines",
        r"(?:[A-Z][A-Z0-9_]{0,30}=(?:\"[^\"\n]*\"|[^\s\"#]*)\n){1,8}",
        "DEBUG=1\n",
        'DATABASE_URL=postgres://u:p@db/x\nSECRET="two words"\nWORKERS=4\n',
        "EMPTY=\nLANG=en_US.UTF-8\n",
    ),
    case(
        "ini_section",
        r"\[\w+\]\n(?:\w+ ?= ?[^\n]{0,60}\n){1,6}",
        "[server]\nhost = 0.0.0.0\nport = 80\n",
        "[paths]\nroot=/srv/www\n",
        "[user]\nname = Zoë Müller\nemail = zoe@example.org\n",
    ),
    case(
        "csv_row",
        r"(?:\"(?:[^\"]|\"\")*\"|[^\",\n]*)(?:,(?:\"(?:[^\"]|\"\")*\"|[^\",\n]*)){3}",
        "1,Alice,Berlin,42.5",
        '7,"Smith, John","said ""hi""",',
        "a,b,c,d",
    ),
    case(
        "csv_table",
        r"id,name,score\n(?:\d+,[A-Za-z ]{1,30},\d+\.\d\n){1,10}",
        "id,name,score\n1,Ada,99.5\n",
        "id,name,score\n1,Grace Hopper,87.0\n2,Alan Turing,91.3\n3,Edsger Dijkstra,88.8\n",
        "id,name,score\n10,Bo,7.1\n11,Cy,6.4\n",
    ),
    case(
        "yaml_flat",
        r"(?:[a-z_]+: (?:true|false|null|-?\d+(?:\.\d+)?|[A-Za-z][^\n:#]{0,40})\n){1,8}",
        "name: demo\nversion: 1.2\ndebug: false\n",
        "retries: 3\n",
        "title: A short story\npages: 12\nauthor: null\n",
    ),
    case(
        "stack_frame",
        r'  File "[^"\n]{1,80}", line [1-9]\d{0,4}, in [A-Za-z_<][\w>]*\n    [^\n]{1,100}\n[A-Z]\w*(?:Error|Exception): [^\n]{1,100}',
        "  File \"app.py\", line 12, in <module>\n    main()\nValueError: invalid literal for int() with base 10: 'x'",
        '  File "/srv/api/views.py", line 204, in get_user\n    return users[key]\nKeyError: 42',
        '  File "t.py", line 1, in f\n    raise TimeoutError(5)\nTimeoutError: 5',
    ),
)

CODE = group(
    "code",
    case(
        "sql_select",
        r"SELECT (?:\*|\w+(?:, \w+){0,5}) FROM \w+(?: WHERE \w+ (?:=|<>|<|>|<=|>=|LIKE) (?:'[^']*'|\d+)(?: (?:AND|OR) \w+ (?:=|<>|<|>|LIKE) (?:'[^']*'|\d+)){0,3})?(?: ORDER BY \w+(?: ASC| DESC)?)?(?: LIMIT \d+)?;?",
        "SELECT * FROM users;",
        "SELECT name, email FROM customers WHERE country = 'Brazil' AND age > 30 ORDER BY name DESC LIMIT 10",
        "SELECT id FROM t WHERE note LIKE '%refund%'",
    ),
    case(
        "sql_insert",
        r"INSERT INTO \w+ \(\w+(?:, \w+)*\) VALUES \((?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|NULL)(?:, (?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|NULL))*\);",
        "INSERT INTO pets (name, age) VALUES ('Rex', 4);",
        "INSERT INTO t (a, b, c) VALUES (1.5, NULL, 'it''s');",
        "INSERT INTO log (msg) VALUES ('started');",
    ),
    case(
        "function_call",
        r"[a-z_]\w*\((?:(?:[a-z_]\w*=)?(?:\"[^\"\n]*\"|-?\d+(?:\.\d+)?|True|False|None)(?:, (?:[a-z_]\w*=)?(?:\"[^\"\n]*\"|-?\d+(?:\.\d+)?|True|False|None))*)?\)",
        'get_weather(city="Paris", days=3)',
        "ping()",
        'send("hello, world", retry=True, timeout=2.5)',
    ),
    case(
        "bfcl_calls",
        r"\[(?:get_weather|search|book_flight|calculator)\([a-z_]+=(?:'[^'\n]{1,60}'|\d{1,9})(?:, [a-z_]+=(?:'[^'\n]{1,60}'|\d{1,9}))*\)(?:, (?:get_weather|search|book_flight|calculator)\([a-z_]+=(?:'[^'\n]{1,60}'|\d{1,9})(?:, [a-z_]+=(?:'[^'\n]{1,60}'|\d{1,9}))*\)){0,3}\]",
        "[get_weather(city='Oslo')]",
        "[search(query='best pizza in Naples', limit=5), calculator(expression='2*21')]",
        "[book_flight(origin='FRA', destination='NRT', passengers=2)]",
    ),
    case(
        "arithmetic",
        r"-?\d+(?: [-+*/] -?\d+){1,10} = -?\d+",
        "12 + 30 = 42",
        "7 * 6 - 2 / 1 = 40",
        "1 + 2 + 3 + 4 + 5 = 15",
    ),
    case(
        "boolean_expression",
        r"(?:not )?[a-z]\w*(?: (?:and|or) (?:not )?[a-z]\w*){0,12}",
        "alive and not tired",
        "a or b and not c or d",
        "ready",
    ),
    case(
        "comparison",
        r"[a-z]\w{0,20}(?:\.[a-z]\w{0,20}){0,3} (?:==|!=|<=|>=|<|>) (?:-?\d+|'[^']{0,30}')(?: (?:&&|\|\|) [a-z]\w{0,20} (?:==|!=|<|>) -?\d+){0,4}",
        "user.age >= 18",
        "status == 'done' && retries < 3",
        "x != 0 || y != 0 && z > 9",
    ),
    case(
        "python_import",
        r"(?:from [a-z_]\w*(?:\.[a-z_]\w*)* )?import [A-Za-z_]\w*(?: as \w+)?(?:, [A-Za-z_]\w*)*",
        "import numpy as np",
        "from collections.abc import Callable, Iterable",
        "import os",
    ),
    case("python_list_int", r"\[(?:-?\d{1,6}(?:, -?\d{1,6})*)?\]", "[]", "[1, 2, 3]", "[-40, 0, 100, 99999]"),
    case(
        "shell_command",
        r"(?:git|docker|kubectl|npm|pip)(?: (?:--?[a-z][a-z-]*(?:=[\w./:-]+)?|[\w./:@-]+)){1,10}",
        "git commit --amend --no-edit",
        "docker run -p 8080:80 nginx:latest",
        "pip install --upgrade pip",
    ),
    case(
        "conventional_commit",
        r"(?:feat|fix|docs|style|refactor|perf|test|build|ci|chore)(?:\([a-z-]+\))?!?: [a-z][^\n]{5,60}(?:\n\n(?:[^\n]{1,72}\n?){1,5})?",
        "fix(parser): handle empty classes",
        "feat!: drop Python 3.10",
        "perf: keep finished masks\n\nThe second request meets only states already built.\nSaves 20 us a token.\n",
    ),
    case(
        "html_element",
        r"<(?:p|b|i|em|strong|h[1-6]|li)(?: class=\"[a-z -]{1,30}\")?>[^<>]{1,200}</(?:p|b|i|em|strong|h[1-6]|li)>",
        "<p>Hello &amp; welcome!</p>",
        '<h1 class="page-title">Annual report</h1>',
        "<li>Third item</li>",
    ),
    case(
        "css_rule",
        r"[.#]?[a-z][\w-]*(?::hover)? \{(?: [a-z-]+: [^;{}\n]{1,40};){1,8} \}",
        ".btn:hover { color: #fff; background-color: rgb(0, 0, 0); }",
        "body { margin: 0; }",
        "#main-nav { display: flex; gap: 1.5rem; }",
    ),
    case(
        "diff_hunk",
        r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@\n(?:[ +-][^\n]{0,80}\n){1,12}",
        "@@ -1,3 +1,3 @@\n a = 1\n-b = 2\n+b = 3\n c = 4\n",
        "@@ -10 +10,2 @@\n-return x\n+if x:\n+    return x\n",
        "@@ -0,0 +1 @@\n+hello\n",
    ),
    case(
        "latex_math",
        r"\$(?:\\(?:frac|sqrt|sum|int|alpha|beta|pi|cdot|leq)|[a-zA-Z0-9{}^_+=() /.,-]){1,80}\$",
        r"$e^{i\pi} + 1 = 0$",
        r"$\frac{a}{b} \leq \sqrt{c}$",
        r"$\sum_{k=1}^{n} k = n(n+1)/2$",
    ),
)

JSON = group(
    "json",
    case(
        "json_flat",
        rf'\{{{WS}"name"{WS}:{WS}{STRING}{WS},{WS}"age"{WS}:{WS}{INTEGER}{WS}\}}',
        '{"name": "Ada Lovelace", "age": 36}',
        '{"name":"Bob","age":-1}',
        '{ "name": "a \\"quoted\\" one", "age": 0 }',
    ),
    case(
        "json_character",
        r'\{"name":[ ]?"[\w ]{1,16}",[ ]?"age":[ ]?[1-9][0-9]?,[ ]?"armor":[ ]?(?:"leather"|"chainmail"|"plate"),[ ]?"weapon":[ ]?(?:"sword"|"axe"|"mace"|"spear"|"bow"|"crossbow"),[ ]?"strength":[ ]?[1-9][0-9]?\}',
        '{"name": "Thorin", "age": 57, "armor": "plate", "weapon": "axe", "strength": 18}',
        '{"name":"Lady Elia","age":23,"armor":"leather","weapon":"bow","strength":9}',
        '{"name": "Gruk the 3rd", "age": 40, "armor": "chainmail", "weapon": "mace", "strength": 99}',
    ),
    case(
        "json_string_array",
        rf"\[{WS}(?:{SHORT_STRING}(?:{WS},{WS}{SHORT_STRING}){{0,9}})?{WS}\]",
        '["red", "green", "blue"]',
        "[]",
        '["one \\"two\\"", "drei", "四"]',
    ),
    case(
        "json_number_array",
        rf"\[{WS}{NUMBER}(?:{WS},{WS}{NUMBER}){{1,7}}{WS}\]",
        "[1, 2.5, -3e+10]",
        "[0,0,0]",
        "[3.14159, 2.71828, 1.41421, 1.61803]",
    ),
    case(
        "json_tool_call",
        rf'\{{"name": "(?:search|open_page|calculator)", "arguments": \{{(?:"[a-z_]{{1,20}}": (?:{STRING}|{NUMBER}|true|false)(?:, "[a-z_]{{1,20}}": (?:{STRING}|{NUMBER}|true|false)){{0,4}})?\}}\}}',
        '{"name": "search", "arguments": {"query": "weather in Lima", "limit": 5}}',
        '{"name": "calculator", "arguments": {"expression": "17 * 23"}}',
        '{"name": "open_page", "arguments": {}}',
    ),
    case(
        "json_enum_fields",
        r'\{"sentiment": "(?:positive|negative|neutral|mixed)", "confidence": (?:0\.\d{1,3}|1\.0), "language": "(?:en|de|fr|es|it|pt|zh|ja|ko|ar)"\}',
        '{"sentiment": "positive", "confidence": 0.97, "language": "en"}',
        '{"sentiment": "mixed", "confidence": 0.5, "language": "ja"}',
        '{"sentiment": "neutral", "confidence": 1.0, "language": "pt"}',
    ),
    case(
        "json_optional",
        rf'\{{(?:"id": {INTEGER})(?:, "title": {STRING})?(?:, "tags": \[(?:{STRING}(?:, {STRING})*)?\])?(?:, "done": (?:true|false))?\}}',
        '{"id": 7}',
        '{"id": 12, "title": "Buy milk", "done": false}',
        '{"id": 3, "tags": ["home", "urgent"], "done": true}',
    ),
    case(
        "json_nested",
        rf'\{{"user": \{{"id": {INTEGER}, "email": "[^"\s@]{{1,30}}@[^"\s@]{{1,30}}"\}}, "items": \[(?:\{{"sku": "[A-Z]{{3}}\d{{3}}", "qty": [1-9]\d?\}}(?:, \{{"sku": "[A-Z]{{3}}\d{{3}}", "qty": [1-9]\d?\}}){{0,4}})?\], "total": {NUMBER}\}}',
        '{"user": {"id": 981, "email": "kim@example.com"}, "items": [{"sku": "ABC123", "qty": 2}, {"sku": "XYZ001", "qty": 1}], "total": 59.97}',
        '{"user": {"id": 1, "email": "a@b"}, "items": [], "total": 0}',
        '{"user": {"id": 22, "email": "eva.braun-k@posteo.de"}, "items": [{"sku": "QQQ999", "qty": 10}], "total": 1.5e+2}',
    ),
    case(
        "json_nullable",
        rf'\{{"answer": (?:null|{STRING}), "sources": (?:null|\[{STRING}(?:, {STRING}){{0,4}}\])\}}',
        '{"answer": null, "sources": null}',
        '{"answer": "Canberra", "sources": ["https://example.org/au", "Atlas, p. 12"]}',
        '{"answer": "It depends on the year.", "sources": null}',
    ),
    case(
        "json_escapes",
        r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){0,200}"',
        '"plain text"',
        r'"line one\nline two\t\u00e9nd"',
        '"C:\\\\temp \\/ \\"x\\" – déjà vu"',
    ),
    case(
        "json_lines",
        r'(?:\{"q": "[^"\\\n]{1,80}", "a": "[^"\\\n]{1,80}"\}\n){1,5}',
        '{"q": "Capital of Peru?", "a": "Lima"}\n',
        '{"q": "2+2?", "a": "4"}\n{"q": "Largest planet?", "a": "Jupiter"}\n{"q": "H2O?", "a": "Water"}\n',
        '{"q": "¿Dónde está?", "a": "Aquí."}\n',
    ),
    case(
        "json_classification",
        rf'\{{"reasoning": {STRING}, "label": "(?:spam|ham)", "score": (?:100|[1-9]?\d)\}}',
        '{"reasoning": "The sender is unknown and asks for a wire transfer.", "label": "spam", "score": 96}',
        '{"reasoning": "A reply in an existing thread.", "label": "ham", "score": 3}',
        '{"reasoning": "", "label": "ham", "score": 50}',
    ),
)

MARKDOWN = group(
    "markdown",
    case("heading", r"#{1,6} [^\n#]{1,80}", "# Introduction", "### 2.1 Related work", "###### Notes & errata"),
    case(
        "bullet_list",
        r"(?:- [^\n]{1,100}\n){2,6}",
        "- Milk\n- Bread\n",
        "- Check the oil level\n- Replace the filter\n- Tighten the bolts to 25 Nm\n- Log the mileage\n",
        "- Ein Test\n- Noch einer\n- Fertig!\n",
    ),
    case(
        "numbered_list",
        r"(?:[1-9]\. [A-Z][^\n]{1,120}\n){3,9}",
        "1. Preheat the oven.\n2. Mix everything.\n3. Bake for 40 minutes.\n",
        "1. Alpha\n2. Beta\n3. Gamma\n4. Delta\n5. Epsilon\n",
        "1. Read the question twice\n2. Underline the numbers\n3. Write the equation\n4. Solve it\n",
    ),
    case(
        "table",
        r"\|(?: [^|\n]{1,20} \|){3}\n\|(?: ?:?-{3,}:? ?\|){3}\n(?:\|(?: [^|\n]{1,20} \|){3}\n){1,6}",
        "| City | Country | People |\n| --- | --- | --- |\n| Oslo | Norway | 709,000 |\n",
        "| a | b | c |\n|:---|:---:|---:|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n",
        "| Name | Role | Since |\n| ---- | ---- | ----- |\n| Kim | Lead | 2019 |\n| Ravi | Dev | 2023 |\n| Olu | QA | 2024 |\n",
    ),
    case(
        "link",
        r"\[[^\]\n]{1,60}\]\(https?://[^\s)]{1,100}\)",
        "[Python](https://www.python.org)",
        "[the docs, section 4](http://docs.example.com/a/b#c)",
        "[日本語](https://ja.wikipedia.org/wiki/日本語)",
    ),
    case(
        "code_block",
        r"```(?:python|js|bash|sql)?\n(?:[^`\n]{0,100}\n){1,20}```",
        "```python\nfor i in range(3):\n    print(i)\n```",
        "```\nls -la | head\n```",
        "```sql\nSELECT count(*)\nFROM orders;\n```",
    ),
    case(
        "task_list",
        r"(?:- \[[ x]\] [^\n]{1,80}\n){1,8}",
        "- [x] Write tests\n- [ ] Write code\n",
        "- [ ] Call the dentist\n",
        "- [x] a\n- [x] b\n- [ ] c\n- [ ] d\n",
    ),
    case(
        "front_matter",
        r"---\ntitle: [^\n]{1,80}\ndate: \d{4}-\d\d-\d\d\ntags: \[[a-z-]+(?:, [a-z-]+){0,5}\]\n---\n",
        "---\ntitle: A week in Kyoto\ndate: 2026-04-02\ntags: [travel, japan]\n---\n",
        "---\ntitle: Notes\ndate: 2020-01-31\ntags: [misc]\n---\n",
        "---\ntitle: Über den Wolken: Teil 2\ndate: 2025-12-24\ntags: [de, flight-log, essay]\n---\n",
    ),
    case(
        "faq",
        r"(?:\*\*Q: [^*\n]{5,100}\?\*\*\nA: [^\n]{5,200}\n\n?){1,4}",
        "**Q: Is it free?**\nA: Yes, for personal use.\n",
        "**Q: How long does shipping take?**\nA: Two to five working days within the EU.\n\n**Q: Can I return it?**\nA: Within 30 days, unopened.\n",
        "**Q: What is a token?**\nA: A piece of text that the model reads or writes in one step.\n\n",
    ),
    case(
        "report",
        r"## Summary\n[^\n]{20,300}\n\n## Findings\n(?:\* [^\n]{5,150}\n){1,5}\n## Verdict\n(?:PASS|FAIL)",
        "## Summary\nThe build is stable after the last fix.\n\n## Findings\n* All 412 unit tests pass.\n* Coverage fell by 0.3 %.\n\n## Verdict\nPASS",
        "## Summary\nTwo regressions were found in the importer.\n\n## Findings\n* Dates before 1900 are rejected.\n\n## Verdict\nFAIL",
        "## Summary\nLatency is within the agreed bounds for all regions but one.\n\n## Findings\n* ap-south-1 exceeds p99 by 40 ms.\n* Error rate unchanged.\n* No data loss.\n\n## Verdict\nFAIL",
    ),
)

ANSWERS = group(
    "answers",
    case("yes_no", r"(?:Yes|No|Unknown)", "Yes", "No", "Unknown"),
    case(
        "yes_no_why",
        r"(?:Yes|No), because [^\n]{10,200}\.",
        "Yes, because the two sets share at least one element.",
        "No, because water at that altitude boils below 95 °C.",
        "Yes, because both contracts were signed before the deadline, and neither was cancelled.",
    ),
    case("multiple_choice", r"(?:The answer is )?\(?[A-E]\)?\.?", "B", "The answer is (C).", "(E)"),
    case(
        "cot_answer",
        r"(?s:.{1,500})\nAnswer: \d+",
        "There are 4 boxes with 6 eggs each, so 4 * 6 = 24.\nAnswer: 24",
        "First, Tom has 15 apples.\nHe gives away 7, which leaves 15 - 7 = 8.\nThen he buys 12 more: 8 + 12 = 20.\nAnswer: 20",
        "?\nAnswer: 0",
    ),
    case(
        "gsm8k",
        r"(?:[^\n]{1,200}\n){1,8}#### -?\d{1,3}(?:,?\d{3})*",
        "Natalia sold 48 / 2 = 24 clips in May.\nIn total she sold 48 + 24 = 72 clips.\n#### 72",
        "He needs 10 more.\n#### 10",
        "The house cost 80,000 + 50,000 = 130,000.\nIts value rose by 80,000 * 1.5 = 120,000.\nSo the profit is 200,000 - 130,000 = 70,000.\n#### 70,000",
    ),
    case(
        "think_then_answer",
        r"<think>\n(?s:.{0,800})\n</think>\n\n<answer>[^<\n]{1,100}</answer>",
        "<think>\nThe capital of Australia is often confused with Sydney. It is Canberra.\n</think>\n\n<answer>Canberra</answer>",
        "<think>\n\n</think>\n\n<answer>42</answer>",
        f"<think>\n{PROSE[2]}\n{PROSE[1]}\n</think>\n\n<answer>3.5 metres</answer>",
    ),
    case(
        "tool_tag",
        r"<tool>(?:search|calculator|weather)</tool><input>[^<>\n]{1,120}</input>",
        "<tool>weather</tool><input>Lisbon, tomorrow</input>",
        "<tool>calculator</tool><input>(3 + 4) * 12 / 7</input>",
        "<tool>search</tool><input>numba caching stale helper other file</input>",
    ),
    case(
        "function_tag",
        r'<function=(?:get_time|send_mail|lookup)>\{(?:"[a-z_]+": "[^"\\\n]{0,80}"(?:, "[a-z_]+": "[^"\\\n]{0,80}")*)?\}</function>',
        '<function=get_time>{"zone": "Asia/Tokyo"}</function>',
        '<function=send_mail>{"to": "kim@example.com", "subject": "Lunch?", "body": "Noon at the usual place?"}</function>',
        "<function=lookup>{}</function>",
    ),
    case(
        "react_step",
        r"Thought: [^\n]{1,200}\nAction: (?:Search|Lookup|Finish)\[[^\]\n]{1,100}\]",
        "Thought: I need the year in which the bridge was opened.\nAction: Search[Øresund Bridge]",
        "Thought: Now I know the answer.\nAction: Finish[2000]",
        "Thought: The page mentions two architects; find the second.\nAction: Lookup[architect]",
    ),
    case(
        "react_long",
        r"(?:Thought: [^\n]{1,150}\nAction: (?:search|read)\([^()\n]{1,80}\)\nObservation: [^\n]{1,200}\n){1,4}Final Answer: [^\n]{1,200}",
        "Thought: Find the population.\nAction: search(population of Iceland 2025)\nObservation: 389,444 on 1 January 2025.\nFinal Answer: About 389,000.",
        "Thought: Look for the film.\nAction: search(film about a lighthouse, 2019)\nObservation: The Lighthouse, directed by Robert Eggers.\nThought: Who starred?\nAction: read(The Lighthouse cast)\nObservation: Willem Dafoe and Robert Pattinson.\nFinal Answer: Willem Dafoe and Robert Pattinson",
        "Thought: Simple.\nAction: read(notes)\nObservation: 7\nFinal Answer: 7",
    ),
    case(
        "rating",
        r"Rating: (?:10|[1-9])/10\nReason: [^\n]{10,250}",
        "Rating: 8/10\nReason: Clear and well argued, but the second table lacks units.",
        "Rating: 10/10\nReason: Flawless work.",
        "Rating: 3/10\nReason: The plot repeats itself, and the ending contradicts chapter four.",
    ),
    case(
        "boxed",
        r"(?:[^\n]{1,150}\n){0,5}\\boxed\{-?\d+(?:/\d+|\.\d+)?\}",
        r"\boxed{17}",
        "We have $x^2 = 16$ and $x < 0$.\nHence $x = -4$.\n\\boxed{-4}",
        "The probability is the ratio of the areas.\n\\boxed{3/8}",
    ),
    case(
        "chat_turns",
        r"(?:User: [^\n]{1,120}\nAssistant: [^\n]{1,200}\n){1,3}",
        "User: Hi!\nAssistant: Hello! How can I help you today?\n",
        "User: What's the tallest mountain?\nAssistant: Mount Everest, at 8,849 m.\nUser: And the second?\nAssistant: K2, at 8,611 m.\n",
        "User: Traduis « chat » en allemand.\nAssistant: « Katze ».\n",
    ),
    case(
        "entities",
        r"(?:[A-Z][\w .'-]{0,40}\t(?:PERSON|ORG|LOC|DATE|MISC)\n){1,6}",
        "Marie Curie\tPERSON\nSorbonne\tORG\nParis\tLOC\n",
        "December 1903\tDATE\n",
        "St. John's Wood\tLOC\nO'Neill-Smith\tPERSON\n",
    ),
    case(
        "citations",
        r"[A-Z][^\n\[\]]{20,200} \[\d{1,2}(?:, ?\d{1,2}){0,3}\](?:\. [A-Z][^\n\[\]]{20,200} \[\d{1,2}(?:, ?\d{1,2}){0,3}\]){0,2}\.",
        "The effect was first described in 1998 [4].",
        "Two later studies could not reproduce it [5, 7, 12]. A larger trial is under way in three countries [13].",
        "Subset construction is exponential in the worst case [1,2].",
    ),
)

FREE_TEXT = group(
    "free text",
    case("any_line_500", r".{1,500}", PROSE[0], PROSE[3], "ok"),
    case("any_text_2000", r"(?s:.{20,2000})", PAGES[0], PAGES[2], PAGES[3]),
    case("line_200", r"[^\n]{1,200}", PROSE[1], "Zwei Wörter", "1 + 1 = 2?"),
    case("quoted", r"\"[^\"]{1,300}\"", f'"{PROSE[0]}"', '"Why not?"', '"«Так», — сказала она."'),
    case("ascii_text", r"[ -~\n]{10,1000}", PROSE[0], PROSE[4], PAGES[2]),
    case(
        "word_count",
        r"[A-Za-z']+(?:[ ,;]{1,2}[A-Za-z']+){4,11}[.!?]",
        "The cat sat on the mat.",
        "Nobody knows, but everybody guesses, what the old machine was for!",
        "Isn't it time we all went home?",
    ),
    case(
        "sentences",
        r"(?:[A-Z][^.!?\n]{5,150}[.!?] ?){1,3}",
        "It rained all day.",
        "The first train left at six. Nobody was on it! Who would have been?",
        "Keep the lid closed while the rice is steaming.",
    ),
    case(
        "title_and_body",
        r"Title: [^\n]{3,80}\nBody: (?s:.{30,1200})",
        f"Title: The Keeper\nBody: {PROSE[0]}",
        f"Title: Water\nBody: {PAGES[0]}",
        f"Title: Bread for beginners\nBody: {PROSE[4]}\nEnjoy!",
    ),
    case(
        "haiku",
        r"(?:[A-Za-z',]+ ?){3,7}\n(?:[A-Za-z',]+ ?){4,9}\n(?:[A-Za-z',]+ ?){3,7}",
        "An old silent pond\nA frog jumps into the pond\nSplash, silence again",
        "Snow on the red roof\nthe postman's careful footprints\nstop before our door",
        "Night train through the fields\none lit window, then no more\nthe dark carries on",
    ),
)

UNICODE = group(
    "unicode",
    case("capitalised", r"\p{Lu}\p{Ll}+", "Überraschung", "Ёлка", "Paris"),
    case("words_any_script", r"\p{L}+(?: \p{L}+){0,9}", "naïve café señor", "привет мир", "日本 語 العربية"),
    case(
        "cyrillic",
        r"[А-ЯЁ][а-яё]{1,30}(?: [а-яё]{1,30}){0,15}[.!?]",
        "Мама мыла раму.",
        "Где находится ближайшая станция метро?",
        "Ёжик бежит по лесу!",
    ),
    case(
        "cyrillic_script",
        r"\p{Script=Cyrillic}+(?:[ ,-]+\p{Script=Cyrillic}+)*",
        "красный, зелёный, синий",
        "Кириллица",
        "київ - столиця",
    ),
    case("cjk", r"[\u4e00-\u9fff]{2,40}[。！？]?", "今天天气很好。", "人工智能", "你叫什么名字？"),
    case(
        "japanese",
        r"[\u3040-\u309f\u30a0-\u30ff\u4e00-\u9fffー、。]{3,80}",
        "吾輩は猫である。名前はまだ無い。",
        "コンピューター",
        "ありがとう、さようなら。",
    ),
    case("hangul", r"\p{Hangul}+(?: \p{Hangul}+){0,8}[.?]?", "안녕하세요", "오늘은 날씨가 좋습니다.", "어디에 가세요?"),
    case("emoji_reactions", r"[\U0001F300-\U0001FAFF\u2600-\u27BF]{1,5}", "👍", "🎉🎂🎈", "☀❤🔥"),
    case(
        "emoji_sentence",
        r"[\w ,.'!?]{3,100} [\U0001F600-\U0001F64F]",
        "See you tomorrow! 😀",
        "That hurts a bit... 😢",
        "Ça marche, merci 🙏",
    ),
    case(
        "greek_math",
        r"[α-ωΑ-Ω](?:[₀-₉])? [=≤≥≈∈] -?\d+(?:\.\d+)?(?: ± \d+(?:\.\d+)?)?",
        "α = 0.05",
        "λ₁ ≈ 3.14 ± 0.02",
        "Ω ≥ -7",
    ),
    case("arabic_digits", r"[\p{Arabic} ]{3,60}[٠-٩]{1,6}", "رقم الصفحة ٤٢", "سنة ٢٠٢٦", "العدد ٧"),
)

NAMES = group(
    "names",
    case(
        "person",
        r"[A-Z][a-z]+(?: [A-Z]\.)?(?: (?:de|van|von|la) )?(?:[ -]?[A-Z][a-z]+){1,3}",
        "John F. Kennedy",
        "Anna-Lena Schmidt",
        "Vincent van Gogh",
    ),
    case(
        "person_titles",
        r"(?:(?:Dr|Prof|Mr|Mrs|Ms)\.? )?\w+(?:[ '-]\w+){0,3}(?:, (?:Jr\.|Sr\.|PhD|MD))?",
        "Dr. Grace O'Malley, PhD",
        "Müller",
        "Mr Martin Luther King, Jr.",
    ),
    case(
        "address_us",
        r"\d{1,5} (?:[A-Z][a-z]+ ){1,3}(?:St|Ave|Blvd|Rd|Dr|Ln)\.?(?: (?:Apt|Suite|#) ?\w+)?, [A-Z][A-Za-z .]{2,30}, [A-Z]{2} \d{5}",
        "1600 Pennsylvania Ave, Washington, DC 20500",
        "42 Old Mill Rd. Apt 3B, St. Paul, MN 55101",
        "9 Elm St, Springfield, IL 62704",
    ),
    case(
        "address_german",
        r"[A-ZÄÖÜ][a-zäöüß]+(?:straße|str\.|weg|platz|allee|gasse) \d{1,3}[a-z]?\n\d{5} [A-ZÄÖÜ][a-zäöüß]+(?:[ -](?:am |an der )?[A-ZÄÖÜ][a-zäöüß]+)*",
        "Goethestraße 12\n60313 Frankfurt am Main",
        "Lindenweg 7a\n01067 Dresden",
        "Königsallee 100\n40212 Düsseldorf",
    ),
)

LABELS = "billing|shipping|returns|account|technical|feedback|other"

CHOICES = group(
    "choices",
    alternation("words_10", 10),
    alternation("words_100", 100),
    alternation("words_1000", 1_000),
    alternation("words_10000", 10_000),
    case(
        "word_list_of_100",
        rf"(?:{'|'.join(words(100))})(?:, (?:{'|'.join(words(100))})){{1,5}}",
        ", ".join(words(100)[3:5]),
        ", ".join(words(100)[60:66]),
        ", ".join(words(100)[99:60:-13]),
    ),
    case(
        "shared_prefixes",
        "|".join(
            f"international_{kind}_{i:02d}"
            for kind in ("order", "offer", "organisation", "operation")
            for i in range(40)
        ),
        "international_order_07",
        "international_organisation_39",
        "international_operation_00",
    ),
    case(
        "labels",
        rf"(?:{LABELS})(?:, (?:{LABELS})){{0,3}}",
        "billing",
        "shipping, returns",
        "technical, feedback, other, account",
    ),
    case(
        "weekday_any_case",
        r"(?i:monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
        "Monday",
        "FRIDAY",
        "sunday",
    ),
    case(
        "state_codes",
        r"A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]",
        "CA",
        "WY",
        "NH",
        "TX",
    ),
)

NOTATION = group(
    "notation",
    case(
        "chess_san",
        r"(?:O-O(?:-O)?|[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](?:=[QRBN])?)[+#]?",
        "Nf3",
        "O-O-O",
        "exd8=Q+",
        "Rae1",
    ),
    case(
        "chess_game",
        r"(?:[1-9]\d?\. (?:O-O|[KQRBN]?[a-h]?x?[a-h][1-8])[+#]? (?:O-O|[KQRBN]?[a-h]?x?[a-h][1-8])[+#]? ?){1,40}(?:1-0|0-1|1/2-1/2)",
        "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 1/2-1/2",
        "1. f3 e5 2. g4 Qh4# 0-1",
        "1. d4 d5 2. c4 dxc4 3. e3 b5 4. a4 c6 5. axb5 cxb5 6. Qf3 Qc7 1-0",
    ),
    case(
        "chess_fen",
        r"(?:[pnbrqkPNBRQK1-8]{1,8}/){7}[pnbrqkPNBRQK1-8]{1,8} [wb] (?:-|K?Q?k?q?) (?:-|[a-h][36]) \d{1,2} \d{1,3}",
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
        "8/8/8/4k3/8/4K3/4P3/8 b - - 12 61",
        "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq e3 0 1",
    ),
    case(
        "chords",
        r"[A-G][#b]?(?:m|maj7|m7|7|sus4|dim|add9)?(?: (?:- )?[A-G][#b]?(?:m|maj7|m7|7|sus4|dim|add9)?){2,15}",
        "C G Am F",
        "Dm7 - G7 - Cmaj7 - A7",
        "E B C#m A E B A",
    ),
    case(
        "abc_tune",
        r"X:\d+\nT:[^\n]{1,40}\nM:\d/\d\nK:[A-G][#b]?m?\n(?:(?:[\^_=]?[A-Ga-gz][,']?[2-8/]?){1,12} ?\| ?){2,8}",
        "X:1\nT:Scale\nM:4/4\nK:C\nCDEF|GABc|",
        "X:7\nT:Minor study\nM:3/4\nK:Am\nA2c|e2c|^G2B| A6|",
        "X:3\nT:Jig in G\nM:6/8\nK:G\nG2GBAG|d2dedB|z2G'BAG|",
    ),
    case(
        "chemical_formula",
        r"(?:(?:[A-Z][a-z]?|\((?:[A-Z][a-z]?\d{0,2}){1,4}\))\d{0,2}){1,10}",
        "H2O",
        "C6H12O6",
        "Ca(OH)2",
        "Fe2(SO4)3",
    ),
    case(
        "dna",
        r"[ACGT]{10,200}",
        "ACGTACGTTAGC",
        "GATTACAGATTACAGATTACA",
        "TTTTCCCCAAAAGGGGTTTTCCCCAAAAGGGGATATATATCGCGCGCG",
    ),
    case("roman", r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", "MCMLXXXIV", "XLII", "MMXXVI", "IX"),
    case(
        "geo_coordinates",
        r"-?(?:90(?:\.0{1,6})?|[1-8]?\d(?:\.\d{1,6})?), ?-?(?:180(?:\.0{1,6})?|(?:1[0-7]\d|[1-9]?\d)(?:\.\d{1,6})?)",
        "48.858370, 2.294481",
        "-33.8688,151.2093",
        "0, -179.999999",
    ),
    case(
        "dice",
        r"\d{1,2}d(?:4|6|8|10|12|20|100)(?:kh\d|kl\d)?(?:[+-]\d{1,2})?(?: \+ \d{1,2}d(?:4|6|8|10|12|20))*",
        "2d6+3",
        "4d6kh3",
        "1d20-1 + 2d4 + 1d6",
    ),
    case(
        "equation",
        r"-?\d{0,2}x(?:\^2)?(?: [+-] \d{1,3}(?:x)?){1,3} = -?\d{1,4}",
        "2x + 3 = 7",
        "x^2 - 5x + 6 = 0",
        "-4x^2 + 12x - 100 = -36",
    ),
)

STRUCTURE = group(
    "structure",
    case("bounded_csv", r"(?:\d{1,3},){2,8}\d{1,3}", "1,2,3", "10,200,30,4,5", "255,0,255,0,1,2,3,4,5"),
    case(
        "optional_nest",
        r"a(?:b(?:c(?:d(?:e(?:f(?:g(?:h)?)?)?)?)?)?)?(?:-\d{1,2}(?:\.\d{1,2}(?:\.\d{1,2})?)?)?",
        "a",
        "abcde-3.14",
        "abcdefgh-1.2.3",
    ),
    case(
        "matrix",
        r"(?:(?:-?\d{1,3} ){3}-?\d{1,3}\n){2,6}",
        "1 0 0 0\n0 1 0 0\n",
        "5 -3 12 100\n0 0 0 -1\n7 7 7 7\n",
        "9 8 7 6\n5 4 3 2\n1 0 -1 -2\n-3 -4 -5 -6\n",
    ),
    case(
        "key_value_pairs_100",
        r"(?:[a-z]{1,12}:\d{1,6};){1,100}",
        "alpha:1;beta:22;",
        "x:1;y:2;z:3;w:4;",
        "apples:120;pears:7;plums:33000;",
    ),
    case(
        "count_exact",
        r"(?:[01]{8} ){3}[01]{8}",
        "01001000 01100101 01101100 01101111",
        "00000000 11111111 10101010 01010101",
        "11000000 10101000 00000001 00000001",
    ),
)

LOOKAROUND = tuple(
    replace(each, lookaround=True)
    for each in group(
        "lookaround",
        case(
            "password",
            r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)(?=.*[!@#$%^&*])[A-Za-z\d!@#$%^&*]{8,20}",
            "Tr0ub4dor&3",
            "aB3$efgh",
            "Correct1Horse!",
        ),
        case("not_a_word", r"(?!null\Z|none\Z|undefined\Z)[a-z]{2,20}", "nullable", "nothing", "something"),
        case("no_leading_zero", r"(?!0\d)\d{1,9}", "0", "907", "123456789"),
        case("word_boundary", r"\b\w+\b(?: \b\w+\b){2,6}", "one two three", "a1 b2 c3 d4", "the quick brown fox jumps"),
        case(
            "mentions_water",
            r"(?=[^\n]*\bwater\b)[^\n]{10,150}",
            "Plants need water and light.",
            "water boils at 100 degrees",
            "He drank a glass of cold water",
        ),
        case("no_double_dash", r"(?:[a-z]|-(?!-)){3,30}", "a-b-c", "well-known", "plain"),
        case(
            "no_because",
            r"(?:(?!because)[^\n]){10,120}\.",
            "The show was cancelled at short notice.",
            "Be careful with causes.",
            "It just happened, as things do.",
        ),
        case(
            "after_currency",
            r"(?:USD|EUR) (?<=USD )\d+\.\d\d|(?:USD|EUR) (?<=EUR )\d+,\d\d",
            "USD 12.50",
            "EUR 99,95",
            "USD 0.01",
        ),
        case(
            "tag_content", r"<b>(?:(?!</b>).){1,80}</b>", "<b>bold</b>", "<b>a < b && c > d</b>", "<b>half</i>way</b>"
        ),
        case("even_length_digits", r"(?=(?:\d\d)+\Z)\d{2,12}(?<!00)", "12", "123456", "00000001"),
    )
)

PATTERNS: tuple[Pattern, ...] = (
    *DATES, *TIMES, *NETWORK, *PHONES, *NUMBERS, *CODES, *FILES, *CODE, *JSON, *MARKDOWN,
    *ANSWERS, *FREE_TEXT, *UNICODE, *NAMES, *CHOICES, *NOTATION, *STRUCTURE, *LOOKAROUND,
)  # fmt: skip


def by_name(name: str) -> Pattern:
    """The pattern with this name; KeyError if there is none."""
    return {each.name: each for each in PATTERNS}[name]


def full_match(pattern: Pattern, text: str) -> bool:
    """Whether the text is in the language, decided by `re`, or by `regex` where `re` lacks the syntax."""
    if not pattern.unicode_property:
        return re.fullmatch(pattern.pattern, text) is not None
    import regex

    return regex.fullmatch(pattern.pattern, text) is not None
