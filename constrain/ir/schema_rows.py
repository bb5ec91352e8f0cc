"""The rows of a JSON Schema: what one pass over its text makes, and what the engine writes states of the network from.

Block R of `constrain.jit.Tables`. A *row* is what a subschema allows. Rows refer to each other by number and to the
text by *values*: the places in TAPE of the JSON values of the schema's text, in the order of the text.
"""

from __future__ import annotations

HEAD = 0  # int64[32]: scalars, columns below
TEXT = 1  # uint8: the schema
TAPE = 2  # int32[8 n]: the values and names of the text, columns below
KEYWORDS_OF = 3  # int64: of subschemas: the keywords that count, one bit each (`keywords.KEYWORDS`)
ROW = 4  # int32[12 n]: columns below
OBJECT = 5  # int32[12 n]: columns below; object 0 may be any
MEMBER = 6  # int32[6 n]: the members that objects list, columns below
ARRAY = 7  # int32[6 n]: columns below; array 0 may be any
PART = 8  # int32: rows of unions and of first items; strings of enumerations; members by name
GROUP = 9  # int32[2 n]: other members of objects: the SPEC of their names, the row of their values
SPEC = 10  # int32[8 n]: terminals that are worked out when they are needed, columns below
PATTERN = 11  # int32: the values that are regular expressions
STACK = 12  # int32: scratch
SIZES = 13  # int64: scratch: the fewest bytes of each row
DICTIONARY = 14  # int32[512]: hash table: the number of a word, plus 1
WORD_AT = 15  # int32: word k is LETTER[WORD_AT[k] : WORD_AT[k + 1]]
LETTER = 16  # uint8
ASKED = 17  # int32: what may be empty: SPEC << 1, HARD row << 1 | 1

# HEAD
VALUES, ROWS, OBJECTS, MEMBERS, ARRAYS, PARTS, GROUPS, SPECS, PATTERNS = range(9)
ROOT = 9  # the row of the whole schema
COUNTING = 10  # bits of keywords that the draft has
SETTINGS = 11  # LONE_REF ...
HAS_REFERENCES, HAS_NAMES, HAS_UNIQUE_ITEMS = 12, 13, 14
ASKED_COUNT = 15
ROUNDS = 16  # rounds that `prune` may take

# SETTINGS
LONE_REF = 1  # what stands beside `$ref` does not count
OLD_ITEMS = 2  # `items` may be a list
BOOLEAN_BOUNDS = 4  # `exclusiveMinimum` and `exclusiveMaximum` are flags

# TAPE
KIND = 0  # NULL_VALUE ...
FROM, TO = 1, 2  # where it stands in TEXT; strings and names without their quotes
NEXT = 3  # the value after it and all that is in it
COUNT = 4  # members or items; of strings and names: ESCAPED, UNUSUAL
CODE = 5  # of names: the number of the keyword, plus 1
DEPTH = 6  # of subschemas: how deep they are, plus 1
ROW_OF = 7  # of subschemas: their row; before that what `$ref` leads to
VALUE = 8  # columns

NULL_VALUE, FALSE_VALUE, TRUE_VALUE, NUMBER_VALUE, STRING_VALUE, ARRAY_VALUE, OBJECT_VALUE, NAME = range(8)
ESCAPED = 1  # it has escapes
UNUSUAL = 2  # .. or characters that are not printable ASCII

# ROW
ROW_KIND = 0  # ALLOWED ...
TYPES = 1  # bits NULL ...; -1 of a UNION with a HARD row
STRINGS, NUMBERS = 2, 3  # SPECs; STRINGS 0: those listed only
ITEMS_IN, MEMBERS_IN = 4, 5  # the array, the object
LISTED, LISTED_COUNT = 6, 7  # in PART: of ALLOWED the strings (values), of UNION its rows
EXACTLY_ONE = 8  # of UNION: it is a `oneOf`
WITHIN = 9  # of UNION: the types that `type` beside it allows
PLACE_OF = 10  # the value
FLAGS = 11  # EMPTY, REACHED
ROW_SIZE = 12

ALLOWED = 0  # what its columns say
UNION = 1  # any of its rows
REFERENCE = 2  # another row: column LISTED; only while rows are made
HARD = 3  # worked out by the algebra of values; LISTED: the fewest bytes, as far as is known

NULL, FALSE, TRUE, NUMBER, INTEGER, STRING, ARRAYS_TOO, OBJECTS_TOO = (1 << k for k in range(8))
ANY_TYPE = NULL | FALSE | TRUE | NUMBER | STRING | ARRAYS_TOO | OBJECTS_TOO

EMPTY = 1  # nothing is allowed
REACHED = 2  # the whole schema leads to it

# rows that are always there
ANYTHING_ROW, NOTHING_ROW = 0, 1
FIRST_ROW = 2

# OBJECT
FIRST_MEMBER, MEMBER_COUNT = 0, 1  # those that `properties` lists, in order
LOOSE_COUNT, LOOSE_NAMES, LOOSE_ROW = 2, 3, 4  # names that are required but not listed: number, SPEC, their values
FIRST_GROUP, GROUP_COUNT = 5, 6  # other members
BY_NAME = 7  # in PART: the listed members by name
OBJECT_FLAGS = 8  # EMPTY
OBJECT_PLACE = 9  # the subschema
LOOSE_LISTED = 10  # in PART: the names (values) that are required but not listed
OBJECT_SIZE = 12

# MEMBER
MEMBER_NAME = 0  # in TAPE
MEMBER_SPEC = 1  # of a name with unusual characters, else 0
MEMBER_ROW = 2
IS_REQUIRED = 3
LAST = 4  # the last member that may come where this one may: the next one that is required, or the last of all
LEAST = 5  # fewest bytes from the name of this member, if all before it are there, to the end of the object
MEMBER_SIZE = 6

# ARRAY
FIRST_PART, PREFIX = 0, 1  # in PART: the rows of the first items
REST = 2  # the row of all others
LOW, HIGH = 3, 4  # items; HIGH -1: no bound
ARRAY_FLAGS = 5  # EMPTY
ARRAY_SIZE = 6

# SPEC: its kind, then arguments
SPEC_KIND = 0
SPEC_FLAGS = 7  # EMPTY
SPEC_BYTES = 8  # the fewest bytes of its strings, or less
SPEC_SIZE = 9
FIXED_SPEC = 0  # one of those that are always there
STRING_SPEC = 1  # minLength, maxLength (-1: none), the values of pattern and format (0: none)
NUMBER_SPEC = 2  # the values of minimum .. multipleOf (0: none), 1: integers only
LISTED_STRINGS = 3  # the strings of `enum` or `const`: its value
LISTED_NUMBERS = 4  # the same of numbers; 1: integers only
OTHER_NAMES = 5  # the names that an object does not list
LOOSE_SPEC = 6  # the names that an object requires but does not list
UNUSUAL_NAME = 7  # the name
NAMES_LIKE = 8  # the names that match a pattern: its name in `patternProperties`
NAMES_UNLIKE = 9  # those that do not

# SPECs that are always there
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA, COLON = range(1, 7)
NULL_TEXT, FALSE_TEXT, TRUE_TEXT = 7, 8, 9
ANY_STRING, ANY_NUMBER, ANY_INTEGER = 10, 11, 12
BOOLEAN_TEXT = 13
FIRST_SPEC = 14
