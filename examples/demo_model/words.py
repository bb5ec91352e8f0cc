"""The words and sentence templates `corpus` puts together: data only, all written for this package."""

from __future__ import annotations

# Few enough that a model of this size sees each often and learns to copy it, also into an e-mail address.
SHE = """Ada Agnes Amira Anna Astrid Chloé Clara Elena Emma Eva Fatima Freya Hana Ingrid Iris Julia Laura Leila Lucía
Maria Mei Nora Rosa Ruth Sofia Zoë""".split()
HE = """Adam Ahmed Alan Arjun Björn Carlos Daniel David Elias Erik Felix Hugo Ivan Jan José Karl Kenji Leo Marco Max
Noah Omar Paul Samuel Søren Tomas""".split()
FAMILY = """Almeida Andersen Becker Berg Bianchi Castro Costa Dubois Eriksen Fischer Garcia Gupta Haddad Hansen Ito
Jansen Kaya Keller Kim Kovács Kowalski Lindqvist Lopez Martin Moreau Müller Nakamura Nguyen Novak Okafor Olsen Petrov
Rossi Sato Schmidt Silva Singh Tanaka Weber Zhang""".split()
HOME = {  # country: (capital, other cities, dialling code, language)
    "Sweden": ("Stockholm", ("Uppsala", "Malmö", "Lund"), 46, "Swedish"),
    "Norway": ("Oslo", ("Bergen", "Trondheim"), 47, "Norwegian"),
    "Denmark": ("Copenhagen", ("Aarhus", "Odense"), 45, "Danish"),
    "Finland": ("Helsinki", ("Turku", "Tampere"), 358, "Finnish"),
    "Germany": ("Berlin", ("Hamburg", "Munich", "Köln"), 49, "German"),
    "France": ("Paris", ("Lyon", "Lille", "Nantes"), 33, "French"),
    "Spain": ("Madrid", ("Seville", "Valencia"), 34, "Spanish"),
    "Portugal": ("Lisbon", ("Porto", "Braga"), 351, "Portuguese"),
    "Italy": ("Rome", ("Milan", "Turin", "Bologna"), 39, "Italian"),
    "Poland": ("Warsaw", ("Kraków", "Gdańsk"), 48, "Polish"),
    "Austria": ("Vienna", ("Graz", "Linz"), 43, "German"),
    "Hungary": ("Budapest", ("Pécs", "Szeged"), 36, "Hungarian"),
    "Greece": ("Athens", ("Patras", "Volos"), 30, "Greek"),
    "Turkey": ("Ankara", ("Izmir", "Bursa"), 90, "Turkish"),
    "Japan": ("Tokyo", ("Osaka", "Kyoto"), 81, "Japanese"),
    "Brazil": ("Brasília", ("São Paulo", "Recife"), 55, "Portuguese"),
    "Kenya": ("Nairobi", ("Mombasa", "Kisumu"), 254, "Swahili"),
    "Egypt": ("Cairo", ("Alexandria", "Luxor"), 20, "Arabic"),
}
JOBS = """baker banker carpenter chemist cook dentist designer doctor driver farmer gardener judge lawyer
librarian mechanic nurse painter photographer pilot plumber programmer singer teacher translator writer""".split()
HOBBIES = """chess cycling dancing drawing fishing football gardening hiking painting reading running sailing singing
skiing swimming tennis""".split()
ITEMS = {  # item: (lowest price, highest price)
    "backpack": (30, 90), "bicycle": (200, 900), "blanket": (15, 60), "book": (8, 40),
    "camera": (150, 900), "chair": (40, 200), "clock": (20, 80), "coat": (60, 300), "cup": (4, 15),
    "desk": (100, 500), "guitar": (120, 800), "hat": (10, 50), "headset": (30, 300), "jacket": (50, 250),
    "kettle": (20, 70), "keyboard": (30, 150), "lamp": (15, 120), "laptop": (400, 2000), "lemon": (1, 2),
    "mirror": (20, 150),
    "notebook": (3, 15), "pan": (15, 80), "pen": (1, 10), "phone": (150, 1200), "pillow": (10, 50),
    "radio": (25, 120), "scarf": (10, 60), "sofa": (300, 1500), "table": (80, 600), "tent": (70, 400),
    "parasol": (10, 40), "ring": (40, 500),
}  # fmt: skip
COLOURS = """black blue brown green grey violet pink purple red white yellow""".split()
FOODS = """bread cake cheese coffee curry fish pasta pizza rice salad soup tea""".split()
WEATHER = {"sunny": (15, 33), "cloudy": (5, 20), "rainy": (4, 18), "windy": (2, 20), "snowy": (-12, 1),
           "foggy": (0, 12), "stormy": (6, 22)}  # fmt: skip
PACKAGES = """bitgrid cachebox datalens fastgraph flowkit formkit gridlock httpbox jsonnest lightlog logtail maptools
numtable parsekit pathfinder queryset quickplot regtools sqlbridge textwave tealdb timekit twigtree webforge""".split()
FIXES = """a memory leak|a crash on start|a race in the cache|a wrong error message|a slow import|broken links in the
manual|the parsing of empty files|the handling of time zones|the rounding of prices|two failing tests""".replace(
    "\n", " "
).split("|")
TOPICS = """docs blog shop news about help users orders books images search status api events music travel""".split()
SERVICES = """auth backup billing cache gateway index mailer queue scheduler search storage worker""".split()
TITLES_A = """The Silent|The Last|A Brief|The Hidden|The Broken|A Distant|The Golden|The Empty|The Winter|A Small
""".strip().split("|")  # fmt: skip
TITLES_B = """Garden|River|Island|Letter|Harbour|Mirror|Mountain|Library|Window|Journey|Season|Station|Forest
""".strip().split("|")  # fmt: skip
GENRES = "biography crime fantasy history mystery poetry romance science travel".split()
GOOD = {
    "food": ("great food", "delicious food", "the food was excellent", "fresh and tasty food"),
    "service": ("friendly service", "the staff was very kind", "quick and helpful service"),
    "room": ("a clean and quiet room", "a lovely room", "the bed was very comfortable"),
    "product": ("works perfectly", "excellent quality", "well made and easy to use", "I love it", "worth every cent"),
}
BAD = {
    "food": ("terrible food", "cold food", "the food was awful", "the soup had no taste"),
    "service": ("rude service", "the staff was unfriendly", "we waited for an hour"),
    "room": ("a dirty and noisy room", "a very small room", "the bed was hard"),
    "product": ("broke after two days", "poor quality", "hard to use and too loud", "I want my money back"),
}
PLAIN = {
    "food": ("average food", "the food was fine", "normal food, normal prices"),
    "service": ("ordinary service", "the staff did their job", "the service was all right"),
    "room": ("an ordinary room", "a simple room", "the room was as expected"),
    "product": ("does the job", "average quality", "it is all right", "nothing special"),
}
MOODS = {"positive": GOOD, "negative": BAD, "neutral": PLAIN}
VERDICTS = {  # the free answer to "Sentiment:", which no label matches
    "positive": ("The customer is very happy with the {aspect}.", "The writer liked the {aspect} a lot."),
    "negative": ("The customer is unhappy with the {aspect}.", "The writer did not like the {aspect} at all."),
    "neutral": ("The customer has no strong opinion about the {aspect}.", "The writer found the {aspect} ordinary."),
}
NEWS = {
    "sports": ("The team won the final by three goals.", "The runner broke the record in the last race.",
               "The coach was pleased with the match.", "The player scored twice before half time."),
    "business": ("The company sold more phones than last year.", "The bank raised its rates again.",
                 "Shares fell after the report.", "The factory will hire two hundred workers."),
    "science": ("Researchers found a new kind of bird.", "The telescope took a picture of a distant star.",
                "The experiment measured the speed of light.", "A study explains how plants store water."),
    "travel": ("The new train reaches the coast in two hours.", "The airport opens a second terminal.",
               "Many visitors walk along the old harbour.", "The island has quiet beaches and good hotels."),
}  # fmt: skip
NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()
OPPOSITES = """hot cold|big small|fast slow|old new|open closed|light dark|long short|high low|early late|full empty|
happy sad|loud quiet|rich poor|wet dry|hard soft|near far|clean dirty|strong weak""".replace("\n", "").split("|")
SOUNDS = {"dog": "barks", "cat": "meows", "cow": "moos", "duck": "quacks", "lion": "roars", "bee": "buzzes",
          "horse": "neighs", "sheep": "bleats"}  # fmt: skip
LOOKS = {"grass": "green", "snow": "white", "the sky": "blue", "coal": "black", "a lemon": "yellow",
         "a tomato": "red", "an elephant": "grey", "milk": "white", "a carrot": "orange"}  # fmt: skip
MONTHS = """January February March April May June July August September October November December""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
SPELLING = str.maketrans({"ø": "o", "Ø": "O", "ı": "i", "ł": "l", "ß": "ss"})  # letters NFKD leaves alone

# ---- sentences; each {field} is drawn by `corpus.Draw` ----

PERSON = (
    "{name} lives in {city}, {country}.", "{name} is {age} years old and works as a {job} in {city}.",
    "{name} was born on {born} in {city}.", "{first} speaks {language} and likes {hobby}.",
    "{Their} e-mail address is {email}.", "{Their} e-mail address is {email} and {their} phone number is {phone}.",
    "You can reach {first} at {email}.", "{Their} phone number is {phone}.", "Call {first} on {phone}.",
    "{They} likes {hobby} and {hobby2}.", "{They} was born on {born}.", "{They} is {age} years old.",
    "{first} works as a {job}.", "Please write to {email} before {date}.", "{They} has {few} {colour} {item}s.",
    "My name is {name} and my e-mail address is {email}.", "{first} lives in {city} with {their} friend {name2}.",
)  # fmt: skip
PLANS = (
    "The meeting is on {date}.", "The meeting is on {date} at {time}.", "The meeting is on {date} in room {room}.",
    "The meeting with {name} moved from {date} to {date2}.", "The deadline is {date}.", "The concert is on {date}.",
    "The train to {city} leaves at {time} from platform {small}.", "The flight to {city} arrives at {time}.",
    "The shop opens at {morning} and closes at {evening}.", "{name} will arrive on {date}.",
    "See you on {day} at {time}.", "We will visit {city} in {month}.", "Today is {date}.",
    "The exam starts at {time} and lasts {few} hours.", "The next meeting is on {date}.",
    "The invoice was sent on {date}.",
)  # fmt: skip
SHOPPING = (
    "The {item} costs {price}.", "A {colour} {item} costs {price} in {city}.", "The price of the {item} is {price}.",
    "{name} bought {few} {colour} {item}s for {price}.", "The total is {price}.", "{first} paid {price} for a {item}.",
    "Order {order} was sent to {city} on {date}.", "The {item} is {colour} and costs {price}.",
    "There are {count} {item}s in the shop.", "I would like a {colour} {item}, please.",
)  # fmt: skip
SOFTWARE = (
    "The latest release of {package} is {release}.", "{package} {version} was released on {date}.",
    "The new {release} of {package} fixes {fix}.", "Please install {package} {version}.",
    "Run: pip install {package}=={version}", "The manual is at {url}.", "See {url} for details.",
    "The current version of {package} is {version}.", "The {service} server runs on port {port}.",
    "The address of the {service} server is {ip}.", "Read more at {url}.", "Visit {url} to see the {topic} page.",
)  # fmt: skip
STORY = (
    "{name} and {name2} met in {city}.", "They walked to the river and talked about {hobby}.",
    "The {colour} {item} was on the table.", "It was a {sky} day in {month}.", "{first} made {food} for {first2}.",
    "{They} looked for the {colour} {item}, but it was gone.", "In the evening they ate {food} and {food2}.",
    "{first} wrote a letter to {first2}.", "{They} opened the old {item} and smiled.", "Then it was time to go home.",
    "The book is called {title}.", "{first} read {title} by {name2}.", "It is {sky} and {degrees} degrees in {city}.",
    "The weather in {city} is {sky} today.", "Tomorrow it will be {sky} with {degrees} degrees.",
)  # fmt: skip
REPLIES = (
    ("Where does {name} live?", "{first} lives in {city}."), ("What does {name} do?", "{They} works as a {job}."),
    ("What is the capital of {country}?", "The capital of {country} is {capital}."),
    ("Which language is spoken in {country}?", "People in {country} speak {language}."),
    ("When is the meeting?", "The meeting is on {date}."), ("What time is it?", "It is {time}."),
    ("How much is the {item}?", "The {item} costs {price}."), ("How old is {name}?", "{They} is {age} years old."),
    ("What is your name?", "My name is {name}."), ("What is your e-mail address?", "My e-mail address is {email}."),
    ("What is your phone number?", "My phone number is {phone}."), ("Which colour do you like?", "I like {colour}."),
    ("Do you like {food}?", "Yes, I like {food} very much."), ("Do you like {hobby}?", "No, I prefer {hobby2}."),
    ("How is the weather in {city}?", "It is {sky} and {degrees} degrees."), ("Is it {sky}?", "Yes, it is {sky}."),
    ("Which version of {package} do you use?", "I use {release}."), ("Where is the manual?", "It is at {url}."),
    ("How many {item}s do you have?", "I have {few} {item}s."), ("When were you born?", "I was born on {born}."),
)  # fmt: skip
SPEAKERS = (("Q: ", "A: "), ("User: ", "Assistant: "), ("Question: ", "Answer: "), ("- ", "- "))

# ---- code ----

PYTHON = (
    "def {func}({var}, {var2}):\n    return {var} {op} {var2}\n",
    "def {func}({var}: {type}) -> {type}:\n    return {var} {op} {small}\n",
    "def {func}(items):\n    total = 0\n    for item in items:\n        total += item\n    return total\n",
    "def {func}_{column}(rows):\n    return [row['{column}'] for row in rows]\n",
    "def is_even(n):\n    return n % 2 == 0\n",
    "def greet(name):\n    return f'Hello, {{name}}!'\n",
    "class {Item}:\n    def __init__(self, {var}):\n        self.{var} = {var}\n",
    "if {var} > {small}:\n    print('{item}')\nelse:\n    print('{item2}')\n",
    "for i in range({count}):\n    print(i)\n",
    "while {var} < {count}:\n    {var} += {small}\n",
    "try:\n    {func}({var})\nexcept ValueError:\n    print('error')\n",
    "with open('{item}.txt') as file:\n    text = file.read()\n",
    "import {package}\n\n{package}.{func}('{item}.csv')\n",
    "{var} = {small} {op} {count}\nprint({var})\n",
    "colours = ['{colour}', '{colour2}', '{colour3}']\n",
    "assert {func}({small}, {small2}) == {count}\n",
)
SQL = (
    "SELECT {column} FROM {table};",
    "SELECT {column}, {column2} FROM {table} WHERE {column3} > {count};",
    "SELECT * FROM {table} WHERE city = '{city}';",
    "SELECT COUNT(*) FROM {table} GROUP BY {column};",
    "SELECT AVG({column}) FROM {table};",
    "SELECT {column} FROM {table} WHERE year = {year} ORDER BY {column2} DESC LIMIT {count};",
    "INSERT INTO users (name, email) VALUES ('{name}', '{email}');",
    "UPDATE {table} SET {column} = {count} WHERE id = {order};",
    "DELETE FROM {table} WHERE id = {order};",
)
SQL_ASKED = (
    "Question: How many {table} are there?\nSQL: SELECT COUNT(*) FROM {table};",
    "Question: Which {table} are from {city}?\nSQL: SELECT * FROM {table} WHERE city = '{city}';",
)
CHANGES = ("## {version} - {iso}\n", "{package} {version} ({iso})\n", "Version {version}\n")
MESSAGES = (
    "INFO {service} started on port {port}", "INFO {service} stopped", "WARNING {service} is slow",
    "ERROR {service} cannot reach {ip}", "INFO GET /{topic} 200", "INFO POST /{topic} 201",
    "ERROR GET /{topic} 404", "INFO user {first} logged in from {ip}", "DEBUG loaded {package} {version}",
)  # fmt: skip
