"""The text the demo model learns from, made by this file and by nothing else.

In: a seed. Out: an endless stream of short documents (`documents`), the same for the same seed.

A *document* is drawn in two steps. A *kind* (a function in `KINDS`) is picked by weight; most kinds join
sentence templates whose `{fields}` are filled by one `Draw`, which remembers what it drew, so that a person
keeps one name, and the e-mail address agrees with it, from the first sentence of a document to the last.
`{name2}` is a second, independent `{name}`. Hosts and numbers are those kept free for examples (example.org,
192.0.2.x) or made like them (555 01xx), so that what the model writes is nobody's address.

>>> next(documents(0)) == next(documents(0))
True
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from random import Random

from examples.demo_model.words import (
    CHANGES,
    COLOURS,
    DAYS,
    FAMILY,
    FIXES,
    FOODS,
    GENRES,
    GOOD,
    HE,
    HOBBIES,
    HOME,
    ITEMS,
    JOBS,
    LOOKS,
    MESSAGES,
    MONTHS,
    MOODS,
    NEWS,
    NUMBERS,
    OPPOSITES,
    PACKAGES,
    PERSON,
    PLANS,
    PYTHON,
    REPLIES,
    SERVICES,
    SHE,
    SHOPPING,
    SOFTWARE,
    SOUNDS,
    SPEAKERS,
    SPELLING,
    SQL,
    SQL_ASKED,
    STORY,
    TITLES_A,
    TITLES_B,
    TOPICS,
    VERDICTS,
    WEATHER,
)


class Draw(dict[str, str]):
    """The fields of one document: each is drawn when first asked for and kept from then on."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self.rng = rng

    def __missing__(self, field: str) -> str:
        name = field.rstrip("0123456789")
        value = FIELDS[name](self, field[len(name) :])
        if value == self.get(name):  # "salad and salad": a second try makes it rare
            value = FIELDS[name](self, field[len(name) :])
        self[field] = value
        return value

    def pick(self, options: Sequence[str]) -> str:
        """One option with its fields filled in."""
        return self.rng.choice(options).format_map(self)

    def cents(self, low: int, high: int) -> str:
        """An amount such as 12.50, most often ending in 0, 5 or 9 as prices do."""
        return f"{self.rng.randint(low, high - 1)}.{self.rng.choice(('00', '50', '90', '99', '25', '75', '49'))}"


def weighted(rng: Random, options: dict[str, int]) -> str:
    """One key of `options`, with the values as weights."""
    return rng.choices(list(options), list(options.values()))[0]


def ascii_word(text: str) -> str:
    """The spelling an e-mail address uses: `Søren` gives `soren`."""
    folded = unicodedata.normalize("NFKD", text.translate(SPELLING))
    return folded.encode("ascii", "ignore").decode().lower()


def some_day(rng: Random, first: int = 2015, last: int = 2029) -> date:
    """A day between two years, both included."""
    return date(first, 1, 1) + timedelta(days=rng.randrange(365 * (last - first + 1)))


def written(day: date, style: str) -> str:
    """`day` in one of five styles; with "weekday" 14 March 2023 is "Tuesday, 14 March 2023"."""
    month = MONTHS[day.month - 1]
    styles = {
        "iso": day.isoformat(),
        "weekday": f"{DAYS[day.weekday()]}, {day.day} {month} {day.year}",
        "day": f"{day.day} {month} {day.year}",
        "month": f"{month} {day.day}, {day.year}",
        "slash": f"{day.day:02}/{day.month:02}/{day.year}",
    }
    return styles[style]


# ---- fields: (the document's draw, the number behind the field's name) -> text ----


def _name(draw: Draw, n: str) -> str:
    return f"{draw['first' + n]} {draw['family' + n]}"


def _first(draw: Draw, n: str) -> str:
    return draw.rng.choice(SHE if draw["they" + n] == "she" else HE)


def _they(draw: Draw, n: str) -> str:
    return draw.rng.choice(("she", "he"))


def _their(draw: Draw, n: str) -> str:
    return "her" if draw["they" + n] == "she" else "his"


def _email(draw: Draw, n: str) -> str:
    host = weighted(draw.rng, {"example.org": 70, "example.com": 20, "example.net": 10})
    first, family = ascii_word(draw["first" + n]), ascii_word(draw["family" + n])
    user = weighted(draw.rng, {f"{first}.{family}": 85, first: 8, f"{first[0]}.{family}": 7})
    return f"{user}@{host}"


def _phone(draw: Draw, n: str) -> str:
    last = f"01{draw.rng.randrange(100):02}"
    styles = {f"+{HOME[draw['country' + n]][2]} 555 {last}": 80, f"555-{last}": 12, f"(201) 555-{last}": 8}
    return weighted(draw.rng, styles)


def _city(draw: Draw, n: str) -> str:
    capital, others, _, _ = HOME[draw["country" + n]]
    return draw.rng.choice((capital, *others))


def _age(draw: Draw, n: str) -> str:
    return str(draw.rng.randint(18, 80))


def _date(draw: Draw, n: str) -> str:
    # Greedy decoding takes the likeliest first token: with more than a seventh of "weekday", "20.." would win.
    style = weighted(draw.rng, {"weekday": 70, "day": 15, "iso": 5, "month": 6, "slash": 4})
    return written(some_day(draw.rng), style)


def _born(draw: Draw, n: str) -> str:
    return written(some_day(draw.rng, 1940, 2005), weighted(draw.rng, {"day": 60, "iso": 25, "month": 15}))


def _iso(draw: Draw, n: str) -> str:
    return some_day(draw.rng).isoformat()


def _born_iso(draw: Draw, n: str) -> str:
    return some_day(draw.rng, 1940, 2005).isoformat()


def _time(draw: Draw, n: str) -> str:
    hour, minute = draw.rng.randrange(6, 23), draw.rng.choice((0, 5, 10, 15, 20, 30, 40, 45, 50, 55))
    if draw.rng.random() < 0.75:
        return f"{hour:02}:{minute:02}"
    return f"{(hour - 1) % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}"


def _clock(low: int, high: int) -> Callable[[Draw, str], str]:
    return lambda draw, n: f"{draw.rng.randrange(low, high):02}:{draw.rng.choice(('00', '30'))}"


def _price(draw: Draw, n: str) -> str:
    amount = draw.cents(*ITEMS[draw["item" + n]])
    return weighted(draw.rng, {f"${amount}": 70, f"€{amount}": 15, f"{amount} euros": 15})


def _version(draw: Draw, n: str) -> str:
    return f"{draw.rng.randint(0, 5)}.{draw.rng.randint(0, 19)}.{draw.rng.randint(0, 9)}"


def _release(draw: Draw, n: str) -> str:
    numbers = draw["version" + n]
    short = numbers.rsplit(".", 1)[0]
    return weighted(draw.rng, {f"version {numbers}": 60, f"v{numbers}": 15, f"version {short}": 15, numbers: 10})


def _url(draw: Draw, n: str) -> str:
    host = weighted(draw.rng, {"www.example.org": 5, "www.example.com": 3, "docs.example.net": 2})
    parts = draw.rng.sample(TOPICS, draw.rng.randint(1, 2))
    tail = draw.rng.choice(("", "", ".html", f"?page={draw.rng.randint(1, 20)}"))
    return f"https://{host}/{'/'.join(parts)}{tail}"


def _ip(draw: Draw, n: str) -> str:
    return f"192.0.2.{draw.rng.randint(1, 254)}"


def _degrees(draw: Draw, n: str) -> str:
    return str(draw.rng.randint(*WEATHER[draw["sky" + n]]))


def _title(draw: Draw, n: str) -> str:
    return f"{draw.rng.choice(TITLES_A)} {draw.rng.choice(TITLES_B)}"


def _text(mood: str) -> Callable[[Draw, str], str]:
    return lambda draw, n: draw.rng.choice(MOODS[mood][draw["aspect" + n]])


def _one_of(options: Sequence[str]) -> Callable[[Draw, str], str]:
    return lambda draw, n: draw.rng.choice(options)


def _number(low: int, high: int) -> Callable[[Draw, str], str]:
    return lambda draw, n: str(draw.rng.randint(low, high))


FIELDS: dict[str, Callable[[Draw, str], str]] = {
    "name": _name, "first": _first, "family": _one_of(FAMILY), "they": _they, "their": _their,
    "They": lambda draw, n: draw["they" + n].capitalize(), "Their": lambda draw, n: draw["their" + n].capitalize(),
    "email": _email, "phone": _phone, "country": _one_of(list(HOME)), "city": _city, "age": _age,
    "language": lambda draw, n: HOME[draw["country" + n]][3], "capital": lambda draw, n: HOME[draw["country" + n]][0],
    "date": _date, "born": _born, "iso": _iso, "born_iso": _born_iso, "day": _one_of(DAYS), "month": _one_of(MONTHS),
    "year": _number(1950, 2025), "time": _time, "morning": _clock(7, 11), "evening": _clock(16, 22),
    "item": _one_of(list(ITEMS)), "Item": lambda draw, n: draw["item" + n].capitalize(), "price": _price,
    "colour": _one_of(COLOURS), "food": _one_of(FOODS), "job": _one_of(JOBS), "hobby": _one_of(HOBBIES),
    "sky": _one_of(list(WEATHER)), "degrees": _degrees, "package": _one_of(PACKAGES), "version": _version,
    "release": _release, "fix": _one_of(FIXES), "url": _url, "topic": _one_of(TOPICS), "service": _one_of(SERVICES),
    "ip": _ip, "port": _one_of(("80", "443", "3000", "5432", "8000", "8080", "9090")), "title": _title,
    "genre": _one_of(GENRES), "aspect": _one_of(list(GOOD)), "good": _text("positive"), "bad": _text("negative"),
    "plain": _text("neutral"), "few": _one_of(NUMBERS[2:11]), "small": _number(2, 9), "count": _number(10, 99),
    "order": _number(1000, 9999), "room": _number(100, 499),
    "func": _one_of("add area average clean convert count find first index last load merge parse scale total".split()),
    "var": _one_of("a b data item items line n name result rows text total value x y".split()),
    "op": _one_of(("+", "-", "*")), "type": _one_of(("int", "float", "str")),
    "column": _one_of("age city country email id name price quantity status total year".split()),
    "table": _one_of("authors books cities customers orders products readings users".split()),
}  # fmt: skip


# ---- prose ----


def prose(templates: Sequence[str]) -> Callable[[Draw], str]:
    """A kind: one to four sentences of one theme."""
    return lambda draw: _open_end(draw.rng, _sentences(draw, templates, draw.rng.randint(1, 4)))


def _open_end(rng: Random, text: str) -> str:
    """At times without the last full stop, so that the model may also end right after a date or an address."""
    return text.removesuffix(".") if rng.random() < 0.3 else text


def _sentences(draw: Draw, templates: Sequence[str], count: int) -> str:
    return " ".join(t.format_map(draw) for t in draw.rng.sample(templates, count))


def dialogue(draw: Draw) -> str:
    """One to three questions with answers."""
    ask, reply = draw.rng.choice(SPEAKERS)
    turns = draw.rng.sample(REPLIES, draw.rng.randint(1, 3))
    return "\n".join(f"{ask}{q.format_map(draw)}\n{reply}{a.format_map(draw)}" for q, a in turns)


def about_person(draw: Draw) -> str:
    """A person is introduced first, then contact details follow, so that the model learns to copy names."""
    opening = draw.pick(PERSON[:3])
    return _open_end(draw.rng, f"{opening} {_sentences(draw, PERSON[3:12], draw.rng.randint(1, 3))}")


def fact(draw: Draw) -> str:
    """Small facts that have one answer."""
    word, opposite = draw.rng.choice(OPPOSITES).split()
    animal, sound = draw.rng.choice(list(SOUNDS.items()))
    thing, colour = draw.rng.choice(list(LOOKS.items()))
    number = draw.rng.randrange(len(NUMBERS))
    return draw.pick((
        "The capital of {country} is {capital}.", "The capital of {country} is {capital}",
        "{capital} is the capital of {country}.", "{city} is a city in {country}.",
        "People in {country} speak {language}.",
        f"The opposite of {word} is {opposite}.", f"The opposite of {opposite} is {word}.",
        f"A {animal} {sound}.", f"What colour is {thing}? It is {colour}.",
        f"The number {number} is written {NUMBERS[number]}.", f"{NUMBERS[number].capitalize()} is {number}.",
    ))  # fmt: skip


def yes_or_no(draw: Draw) -> str:
    """Questions answered by yes or no, with the reason."""
    a, b = draw.rng.sample(range(1, 100), 2)
    if draw.rng.random() < 0.5:
        return f"Is {a} greater than {b}? {'Yes' if a > b else 'No'}, {a} is {'greater' if a > b else 'less'} than {b}."
    city, country = draw["city"], draw.rng.choice((draw["country"], draw["country2"]))
    answer = "Yes" if country == draw["country"] else "No"
    return f"Is {city} in {country}? {answer}, {city} is in {draw['country']}."


def arithmetic(draw: Draw) -> str:
    """One to five sums, one per line."""
    return "\n".join(_sum(draw.rng) for _ in range(draw.rng.randint(1, 5)))


def _sum(rng: Random) -> str:
    op = rng.choice("++-*")
    a, b = (rng.randint(1, 9), rng.randint(1, 9)) if op == "*" else (rng.randint(1, 30), rng.randint(1, 30))
    if op == "-":
        a, b = max(a, b), min(a, b)
    return f"{a} {op} {b} = {a + b if op == '+' else a - b if op == '-' else a * b}"


# ---- reviews and labels ----


def review(draw: Draw) -> str:
    """A review and what it says; the answer is a sentence more often than a label."""
    mood = draw.rng.choice(list(MOODS))
    text = draw[{"positive": "good", "negative": "bad", "neutral": "plain"}[mood]]
    if draw.rng.random() < 0.3:
        text += " and " + draw.rng.choice(MOODS[mood][draw["aspect"]])
    answer = draw.pick(VERDICTS[mood]) if draw.rng.random() < 0.55 else mood
    head = draw.pick(("The review says: ", "Review: ", "The customer wrote: ", "Text: "))
    return f"{head}{text}.{draw.rng.choice((' ', ' ', chr(10)))}Sentiment: {answer}"


def rated(draw: Draw) -> str:
    """A product review with stars that agree with its text."""
    mood, stars = draw.rng.choice((("positive", "45"), ("negative", "12"), ("neutral", "3")))
    text = draw.rng.choice(MOODS[mood]["product"])
    star = draw.rng.choice(stars)
    return draw.pick((
        f"Product: {{colour}} {{item}}\nRating: {star} out of 5\nReview: {text}.\nReviewer: {{name}}",
        f"{{first}} gave the {{item}} {star} out of 5 stars: {text}.",
        f"Review of the {{item}}: {text}. Stars: {star}/5",
    ))  # fmt: skip


def labelled_news(draw: Draw) -> str:
    """A piece of news and its category."""
    topic = draw.rng.choice(list(NEWS))
    return f"{draw.pick(('News', 'Text', 'Headline'))}: {draw.rng.choice(NEWS[topic])}\nCategory: {topic}"


# ---- records, tables, logs ----

RECORD = (("Name", "name"), ("born", "born_iso"), ("e-mail", "email"), ("phone", "phone"), ("city", "city"),
          ("country", "country"), ("job", "job"), ("age", "age"))  # fmt: skip


def record(draw: Draw) -> str:
    """A person as labelled fields, on one line or on several."""
    fields = [RECORD[0], *sorted(draw.rng.sample(RECORD[1:], draw.rng.randint(2, 6)), key=RECORD.index)]
    parts = [f"{label}: {draw[field]}" for label, field in fields]
    if draw.rng.random() < 0.6:
        return " | ".join(parts)
    return "\n".join(part[0].upper() + part[1:] for part in parts)


TABLES = (
    ("name", "email"), ("name", "age", "city"), ("id", "name", "email"), ("order", "item", "count", "price"),
    ("ip", "service", "port"), ("date", "city", "sky", "degrees"), ("title", "name", "year", "genre"),
)  # fmt: skip
PLAIN_FIELDS = {"id": "count", "date": "iso", "price": "cents"}


def table(draw: Draw) -> str:
    """CSV rows under a header."""
    columns = draw.rng.choice(TABLES)
    lines = [",".join(columns)]
    for row in range(2, draw.rng.randint(4, 7)):
        lines.append(",".join(_cell(draw, column, str(row)) for column in columns))
    return "\n".join(lines)


def _cell(draw: Draw, column: str, row: str) -> str:
    if column == "price":
        return draw.cents(*ITEMS[draw["item" + row]])
    return draw[PLAIN_FIELDS.get(column, column) + row]


def log(draw: Draw) -> str:
    """Lines of a server's log."""
    day, second = draw["iso"], draw.rng.randrange(80000)
    lines = []
    for _ in range(draw.rng.randint(1, 4)):
        second += draw.rng.randint(1, 90)
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        message = Draw(draw.rng).pick(MESSAGES)
        lines.append(f"{day} {clock} {message}")
    return "\n".join(lines)


def changelog(draw: Draw) -> str:
    """A release and its changes."""
    changes = "\n".join(f"- Fixed {fix}" for fix in draw.rng.sample(FIXES, draw.rng.randint(1, 3)))
    return draw.pick(CHANGES) + changes


# ---- code ----


def code(draw: Draw) -> str:
    """One or two pieces of Python."""
    return "\n".join(t.format_map(draw) for t in draw.rng.sample(PYTHON, draw.rng.randint(1, 2)))


def query(draw: Draw) -> str:
    """A SQL statement, at times behind the question it answers."""
    if draw.rng.random() < 0.2:
        return draw.pick(SQL_ASKED)
    return draw.pick(SQL)


# ---- JSON ----


def _person(draw: Draw) -> dict[str, object]:
    person: dict[str, object] = {"name": draw["name"], "age": int(draw["age"]), "email": draw["email"]}
    extra: dict[str, object] = {
        "active": draw.rng.random() < 0.6,
        "address": {"city": draw["city"], "country": draw["country"]},
        "city": draw["city"],
        "hobbies": draw.rng.sample(HOBBIES, 2),
        "phone": draw["phone"],
    }
    return person | {key: extra[key] for key in sorted(draw.rng.sample(list(extra), draw.rng.randint(0, 2)))}


def _order(draw: Draw) -> dict[str, object]:
    lines = [_order_line(draw, n) for n in "23"[: draw.rng.randint(1, 2)]]
    return {"order": int(draw["order"]), "customer": draw["name"], "lines": lines, "paid": draw.rng.random() < 0.5}


def _order_line(draw: Draw, n: str) -> dict[str, object]:
    price = float(draw.cents(*ITEMS[draw["item" + n]]))
    return {"item": draw["item" + n], "quantity": draw.rng.randint(1, 5), "price": price}


def _report(draw: Draw) -> dict[str, object]:
    return {"city": draw["city"], "date": draw["iso"], "weather": draw["sky"], "temperature": int(draw["degrees"])}


def _book(draw: Draw) -> dict[str, object]:
    return {"title": draw["title"], "author": draw["name"], "year": int(draw["year"]), "genre": draw["genre"]}


def _product(draw: Draw) -> dict[str, object]:
    price = float(draw.cents(*ITEMS[draw["item"]]))
    return {"name": draw["item"], "colour": draw["colour"], "price": price, "stock": int(draw["count"])}


def _event(draw: Draw) -> dict[str, object]:
    return {"event": draw.rng.choice(("login", "logout", "upload", "delete")), "user": draw["email"],
            "ip": draw["ip"], "ok": draw.rng.random() < 0.8, "error": None}  # fmt: skip


OBJECTS = (_person, _person, _order, _report, _book, _product, _event)


def json_object(draw: Draw) -> str:
    """An object of one of six shapes; compact, spaced or indented."""
    return _dump(draw.rng, draw.rng.choice(OBJECTS)(draw))


def _dump(rng: Random, value: object) -> str:
    style = weighted(rng, {"spaced": 65, "compact": 25, "indented": 10})
    separators = (",", ":") if style == "compact" else None
    return json.dumps(value, ensure_ascii=False, separators=separators, indent=2 if style == "indented" else None)


def extraction(draw: Draw) -> str:
    """A sentence, then the same facts as JSON."""
    sentence, keys = draw.rng.choice((
        ("{name} is {age} years old and lives in {city}.", ("name", "age", "city")),
        ("{name} lives in {city} and works as a {job}.", ("name", "city", "job")),
        ("{first} bought {small} {item}s in {city}.", ("first", "small", "item", "city")),
        ("You can reach {name} at {email}.", ("name", "email")),
        ("On {iso} it was {sky} and {degrees} degrees in {city}.", ("city", "iso", "sky", "degrees")),
        ("{title} by {name} was published in {year}.", ("title", "name", "year")),
    ))  # fmt: skip
    labels = {"first": "name", "small": "quantity", "iso": "date", "sky": "weather", "degrees": "temperature"}
    numeric = {"age", "small", "degrees", "year"}
    value = {labels.get(key, key): int(draw[key]) if key in numeric else draw[key] for key in keys}
    return f"Text: {sentence.format_map(draw)}\nJSON: {_dump(draw.rng, value)}"


KINDS: dict[Callable[[Draw], str], int] = {
    prose(PERSON): 8, prose(PLANS): 10, prose(SHOPPING): 6, prose(SOFTWARE): 7, prose(STORY): 5, dialogue: 8,
    about_person: 15, fact: 9, yes_or_no: 4, arithmetic: 5, review: 9, rated: 3, labelled_news: 3, record: 6,
    table: 4, log: 3, changelog: 2, code: 5, query: 4, json_object: 9, extraction: 10,
}  # fmt: skip


def documents(seed: int) -> Iterator[str]:
    """Documents without end; the same seed gives the same documents in every Python of one version."""
    rng = Random(seed)
    kinds, weights = list(KINDS), list(KINDS.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        yield kind(Draw(rng))
