# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Every array of the engine: what stands in it, its columns, and the bits of packed words.

Three blocks of `constrain.jit.Tables`, besides that of `constrain.automata.tables`:

* *vocabulary* (V): the trie of all tokens, and for DFA states the set of tokens that a terminal can read from there;
  one for each vocabulary, shared by all constraints;
* *session* (S): the network of one grammar, and what has been worked out for it: Earley sets, continuations, masks;
* *scratch* (X): stacks and buffers, one for the process, used under the GIL.
"""

from __future__ import annotations

from constrain.jit import helper

# ---------------------------------------------------------------------------------------------- tries, one word a node

# byte 8 | first child 26 | number of children 9 | payload 21. Breadth first: the children of a node stand side by side,
# ascending by byte. The payload is 0 (nothing ends here) or what ends here, by trie:
#   vocabulary and suffix tries: token + 1, or MANY + index in LIST of several tokens
#   literal tries: offset in LEAF
CHILD = 8
CHILDREN = 34
PAYLOAD = 43
CHILD_MASK = (1 << 26) - 1
CHILDREN_MASK = 511
PAYLOAD_MASK = (1 << 21) - 1
MANY = 1 << 20


@helper
def child(trie, word, byte):
    """The child of a node (given by its word) by a byte; -1 if there is none."""
    first = (word >> CHILD) & CHILD_MASK
    n = (word >> CHILDREN) & CHILDREN_MASK
    if n == 256:
        return first + byte
    if n <= 6:
        for i in range(first, first + n):
            if (trie[i] & 255) == byte:
                return i
        return -1
    low, high = first, first + n
    while low < high:
        middle = (low + high) >> 1
        if (trie[middle] & 255) < byte:
            low = middle + 1
        else:
            high = middle
    if low < first + n and (trie[low] & 255) == byte:
        return low
    return -1


# ------------------------------------------------------------------------------------------------- vocabulary (V)

VOCABULARY = 0  # int64[32]: scalars, columns below
TRIE = 1  # int64: node words; node 0 is none. The tries of all, short and long tokens, then suffix tries
LIST = 2  # int32: offsets in TOKENS of lists of tokens
TOKENS = 3  # int32: a list is its length, then its tokens
SET = 4  # int32[4 n]: token sets, columns below; set 0 is none
DENSE = 5  # int64: bitmasks of token sets, `WIDTH` words each
SPARSE = 6  # int32: tokens of small token sets
SET_OF = 7  # int32[8 n]: of DFA state n, columns below
BELOW = 8  # int64: of a node: what occurs below, bits of GROUP and token_tries.py; of suffixes at most that
HEIGHT = 9  # int32: most bytes below a node; of suffixes at most that
SPAN = 10  # int64: first | last << 32: the tokens of a subtree, as places in ORDER
ORDER = 11  # int32: the tokens below the nodes of each trie, those of one subtree side by side
MAKEUP = 12  # int64[3 tries * 64 WIDTH]: what occurs in each token
GROUP = 13  # int64[256]: the group bit of each byte
BYTES = 14  # uint8: what tokens spell, one after the other
OFFSET = 15  # int32[size + 1]: token t spells BYTES[OFFSET[t] : OFFSET[t + 1]]
COUNTED = 16  # int32: tokens by the number of their characters, from states of the plain JSON string, see COUNTER
COUNTED_SET = 17  # int64[2 n]: hash table of token sets of counted strings
SAME = 18  # int64: masks of tokens made of some groups of bytes, remembered: columns below
KEEPS = 19  # int64[4 n]: what keeps DFA state n alive, columns below
SET_BELOW = 21  # int64[2 n]: hash table: DFA state << 26 | node, the set of the tokens below the node
COUNTER = 20  # int32[16 n]: of states of the plain JSON string: how they are counted, columns in counted_strings.py

# VOCABULARY
WIDTH = 0  # words of a dense set: ceil(size / 64)
TOKEN_COUNT = 1  # ids
ROOT, SHORT_ROOT, LONG_ROOT = 2, 3, 4  # roots in TRIE
HORIZON, SHORT_HORIZON = 5, 6  # most bytes of all tokens, of the short ones
TRIE_USED, LIST_USED, TOKENS_USED, SET_USED, DENSE_USED, SPARSE_USED, SAME_USED, COUNTED_USED = range(8, 16)
SETS_SCRATCH = 16  # the block of constrain.engine.token_tries: scratch of whatever makes token sets
ORDER_USED = 17
COUNTERS = 19  # states in COUNTER
COUNTED_SETS = 20  # token sets of counted strings
SETS_BELOW = 24  # entries of SET_BELOW
STRING_START, STRING_BODY, STRING_END = 21, 22, 23  # states of the plain JSON string; 0: it has not been named

# SET
SET_KIND = 0  # NO_TOKENS, FEW, DENSE_SET: how the inner tokens are kept
SET_AT = 1  # offset in SPARSE or DENSE
SET_SIZE = 2  # number of inner tokens
SET_SUFFIXES = 3  # root of the trie of what follows the terminal in boundary tokens; 0: none; NOT_MERGED
NOT_MERGED = -1  # nothing followed so far: there are some, but they have not been made a trie
NO_TOKENS, FEW, DENSE_SET = 0, 1, 2

# SET_OF: where counts do not matter, a state has one set. Where they do, its short tokens have the set of a state
# with counts clipped to SHORT_HORIZON, its long ones that of a state with counts clipped to HORIZON.
WHOLE_SET = 0  # the set over all tokens; 0: not made
SHORT_STATE, LONG_STATE = 1, 2  # the clipped states; 0: not asked; -1: counts do not matter
SHORT_SET, LONG_SET = 3, 4  # sets of this state as a clipped one
COUNTER_ROW = 5  # of a state of the plain JSON string: its row in COUNTER

# ---------------------------------------------------------------------------------------------------- session (S)

SESSION = 0  # int64[64]: scalars, columns below
HEAP = 1  # int64: records, columns below; offset 0 is none
HASH = 2  # int64: offsets of interned records, open addressing
NET = 3  # int32[8 n]: states of the network, columns below
LITERAL = 4  # int64: node words of literal tries; node 0 is none
LEAF = 5  # int32: where literals lead: a number, then so many states; behind those of rows what they are:
# a SPEC, -value for a name, 0 for a string that is listed
ARC = 6  # int64[3 n]: terminals that are automata: DFA state, local state (see X of items), target in the network
CALL = 7  # int32[2 n]: calls: the first state of the rule, the state to return to
SPECIAL = 8  # int32[2 n]: special tokens: number of the symbol, target in the network
SPECIAL_ID = 9  # int32: the token ids of special symbols: for symbol k, SPECIAL_AT[k] .. SPECIAL_AT[k + 1]
SPECIAL_AT = 10  # int32
EOS = 11  # int32: the ids that end the output
ROW_KEY = 12  # int64[n states]: of states that are written from rows of a schema: their key, see row_states.py; else 0
KEY_STATE = 13  # int32: hash table of these, open addressing, power of two; 0 is free, else state
SPELL = 14  # int64[3 n]: by SPEC: SPELL_ARC, DFA state, local state; or SPELL_WORDS, the first in SPELL_WORD, number
SPELL_WORD = 15  # int32[2 n]: a word is SPELL_BYTE[first : second]
SPELL_BYTE = 16  # uint8
ESCAPE = 18  # int64: places within escapes of strings that are excluded, see excluded.py; row 0 is none
ESCAPE_HASH = 19  # int32: hash table of these, open addressing, power of two; 0 is free
MEANING = 20  # uint8: what strings mean that tracked terminals have matched, in UTF-8, one after the other
MEANING_AT = 21  # int32: string n is MEANING[MEANING_AT[n] : MEANING_AT[n + 1]]; string 0 is none
MEANING_HASH = 22  # int32: hash table of these, open addressing, power of two; 0 is free
LEAF_OF = 23  # int32[n states]: the last place in LEAF that words of rows lead by to a state; 0: none
HARD_RULE = 17  # int32[n rows]: the first state of the rule of a HARD row; 0: it is not known yet

# SESSION
HEAP_USED, HASH_USED, NET_USED, EOS_COUNT, SPECIAL_COUNT = range(5)
LITERAL_USED, LEAF_USED, ARC_USED, CALL_USED, SPECIAL_USED, ESCAPE_USED, MEANINGS = range(24, 31)
ARGUMENT = 8  # ARGUMENT + k: what a status names besides its number
AUTOMATA, VOCABULARY_BLOCK, SCRATCH_BLOCK = 16, 17, 18  # the other blocks
REMEMBERS = 19  # the READ record of the empty text if states know all of the text, else 0
END_CONT = 20  # the continuation of the start: the output ends
NO_ITEMS = 21  # the Earley set of no items
BUDGET = 22  # words of HEAP beyond which the session is to begin anew
ROWS_BLOCK = 23  # block R of a schema, 0: none

# NET
NET_FLAGS = 0  # EXPANDED ...
NET_LITERALS = 1  # root in LITERAL, 0: none
NET_ARC, NET_ARCS = 2, 3  # first in ARC, number
NET_CALL, NET_CALLS = 4, 5
NET_SPECIAL, NET_SPECIALS = 6, 7
EXPANDED = 1  # the other columns are valid
ENDS = 2  # the rule may end here
PURE = 4  # .. and nothing else may happen
NULLABLE = 8  # of the first state of a rule: the rule denotes the empty text, too
SPELL_UNKNOWN, SPELL_ARC, SPELL_WORDS = 0, 1, 2
END_STATE = 0  # the state of the network where a rule has ended: PURE

# HEAP: a record is its head (length of its content << 8 | kind), its content, and slots that are filled later.
# Records are interned by kind and content.
EARLEY = 1  # an Earley set within its terminals: [accepting, text, then items of ITEM words]; slots: mask
PAIRS = 2  # a continuation: sorted triples (return state, data, continuation), one for each (return state, data)
CLOSURE = 3  # [state, data, continuation]; slot: its Earley set
LOOP = 4  # the continuation of a left-recursive rule: [OUTER, data << 32 | rule]; slot: the same as PAIRS
OUTER = 5  # what a left-recursive component returns to from outside: [COMPONENT, then (data << 32 | rule, PAIRS)]
COMPONENT = 6  # the calls within one: triples (calling, return state, called), rules with their data as above
UNION = 7  # [leaves, ascending]; slot: the same without leaves that others include
DATA = 8  # what tracked terminals of an activation have matched: sorted numbers (of strings, of MEANING)
EXCLUDED = 9  # [terminal, data]; slot: what the terminal must not match (see excluded.py), plus 1
READ = 10  # text: [its text without the last byte, the byte]; of terminals that are tracked: [-1 - terminal, 0] first
VALUE = 11  # [text, data]; slot: the data after the terminal that has matched the text
MASK = 12  # a mask: [words..], never interned
NEXT_RULE = 13  # [terminal, text]; slot: 2 + the first state of the rule that the text goes on with, 1: none follows

# An item is a terminal in progress. Five words:
A = 0  # > 0: a DFA state; < 0: -node of LITERAL; from SPECIAL_ITEM up: a special token
X = 1  # local state, bits below
GOAL = 2  # the network state behind the terminal; literals have it in their leaves
D = 3  # the data of its activation: a DATA record or 0; below 0: not known exactly
CONT = 4  # what its rule returns to
ITEM = 5
SPECIAL_ITEM = 1 << 40

# X: 0 nothing, or
COUNTED_STRING = 1 << 62  # | fewest << 24 | most characters left (UNBOUNDED: no bound)
TRACKED = (
    1 << 61
)  # | text (READ record) << 28 | what must not be matched (see excluded.py), 0: nothing to fear any more
DEPENDENT = 1 << 58  # | terminal: which rule comes next depends on all of the text (a data-dependent call)
DOUBT = 1 << 60  # set beside these while a token is looked at: what lies ahead depends on values inside of the token
NAME_TERMINAL = 1 << 29  # | number of a terminal that begins with a JSON string, by which alone its matches differ
ROW_TERMINAL = 1 << 30  # | object: in place of the number of a terminal: the other names of an object of rows
UNBOUNDED = 0xFFFFFF
EXCLUDED_MASK = (1 << 28) - 1
TEXT_SHIFT = 28
TEXT_MASK = (1 << 32) - 1
WHOLE_TEXT = -(1 << 40)  # in place of -1 - terminal: the root of READ records for all of the text

# MASK: [dense sets, cleared, set, then offsets in DENSE, tokens, tokens]

# ----------------------------------------------------------------------------------------------------- scratch (X)

SCRATCH = 0  # int64[16]: scalars
ACTIVATION = 1  # int64[8 n]: activations of rules in a closure, columns below
CONTEXT = 2  # int64[2 n]: (state, activation)
SEEN = 3  # int64[2 n]: hash table of contexts, by generation
INNER_CALL = 4  # int64[5 n]: calls between activations, columns below
NEW_ITEM = 5  # int64[5 n]: items before they are interned
ORDERED = 6  # int64: activations, callers first; stacks of Tarjan's algorithm
RECORD = 7  # int64: a record before it is interned
SIMULATED = 8  # int64[2 n]: (leaf, leaf that it includes) as far as is known
STACK = 9  # int64[6 n]: items, each before the tokens below a node of a trie (column NODE_OF)
FOUND = 10  # int64[6 n]: the same before they are sorted by node
SET_TOKENS = 11  # int64: tokens set one by one
CLEARED = 12  # int64: tokens cleared
BASE = 13  # int64: dense sets taken
TRY = 14  # int64: tokens that have to be tried
FRONT, BACK = 15, 16  # int64[5 n]: items before and after a byte
GATHER = 17  # int64[3 n]: pairs of a continuation in a closure
RESOLVE = 18  # int64[3 n]: the pairs of a LOOP
HOLD = 19  # int64[2 n]: what a component returns to from outside
BUCKET = 20  # int64[260]: how many items stand before each child
MASK_ROW = 21  # int64: a mask while it is made
WANTED = 22  # int64: states of the network that are missing, or what else is: BELOW_NODE | .., FOR_ROWS | ..
BEFORE_ROW = 23  # int64: what items before this one allow
LEAVES = 24  # int64: leaves of a UNION
WORD = 25  # int64[4 n]: words to make a trie of: first byte and end in WORD_BYTE, state they lead to, what they are
WORD_BYTE = 26  # uint8
LEVEL = 27  # int64[6 n]: two levels of a trie while it is made
TODO = 28  # int64: rows of unions

NODE_OF = 5
PLACED = 6  # words of an item in STACK and FOUND

# ACTIVATION
RULE = 0  # the first state of its rule; -1: the activation was begun before this place
OF_DATA = 1
OF_CONT = 2  # what it returns to; 0: not known yet
CALLS_OUT, CALLS_IN = 3, 4  # the last call from it and of it, plus 1
INDEX, LOW = 5, 6  # of Tarjan's algorithm; INDEX 0: not visited
GROUP_OF = 7  # its strongly connected component, plus 1; 0: not known yet

# INNER_CALL
CALLER, BACK_TO, CALLED = 0, 1, 2
NEXT_OUT, NEXT_IN = 3, 4  # the calls before this one of the same caller, of the same called, plus 1

GENERATION_OF_SEEN, SET_COUNT, CLEARED_COUNT, BASE_COUNT, TRY_COUNT, VISITED, WANTED_COUNT = range(7)
WORDS, WORD_BYTES, ARCS, CALLS = range(7, 11)  # of a state while it is written

# Status: -(what << 4 | status), as in constrain.automata.tables
SESSION_TABLE = 128  # `what` of FULL for tables of S; 64: of V; 192: of X
VOCABULARY_TABLE = 64
SCRATCH_TABLE = 192
BELOW_NODE = 1 << 62  # | DFA state << 26 | node: the set of the tokens below it
FOR_ROWS = 1 << 61  # | SPEC << 1: how it is read; | row << 1 | 1: the first state of the rule of a HARD row
NEED_NET = 3  # network state `what` is not expanded, or what is in WANTED is missing
NEED_SETS = (
    4  # the token sets of DFA state `what` are not made. ARGUMENT: 1 if something may follow, so that suffixes matter
)
NEED_COUNTED = 5  # of DFA state `what`, a counted string. ARGUMENT: fewest, most
NEED_EXCLUDED = 6  # ARGUMENT: terminal, data
NEED_VALUE = 7  # ARGUMENT: text, data
NEED_RULE = 8  # ARGUMENT: terminal, text
NEED_TRIED = 9  # the tokens in TRY are to be tried one by one: keep those that can be read, and call `add_tried`

# KEEPS
LOOPS = 0  # groups of bytes that lead from the state to itself
ALIVE_GROUPS = 1  # groups of bytes: up to ALIVE_BYTES of these lead to no dead state
ALIVE_BYTES = 2
KEEPS_KNOWN = 3  # 1: LOOPS stands; 2: ALIVE_... stand; the sum where all do

# SAME: entries of SAME_HEAD + WIDTH words
SAME_GROUPS = 0  # the groups
SAME_TRIE = 1  # of which trie: 0 all tokens, 1 short, 2 long
SAME_SIZE = 2  # number of tokens
SAME_HEAD = 3
