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
BELOW = 8  # int64: of a node of the three vocabulary tries: what occurs below, bits of constrain.vocab byte groups
HEIGHT = 9  # int32: most bytes below a node of these
SPAN = 10  # int64: first | last << 32: the tokens of a subtree of these, as places in ORDER
ORDER = 11  # int32: the tokens of these tries, by spelling
MAKEUP = 12  # int64[3 tries * 64 WIDTH]: what occurs in each token
GROUP = 13  # int64[256]: the group bit of each byte
BYTES = 14  # uint8: what tokens spell, one after the other
OFFSET = 15  # int32[size + 1]: token t spells BYTES[OFFSET[t] : OFFSET[t + 1]]
COUNTED = 16  # int32: counts of characters of tokens from the states of a plain JSON string
COUNTED_SET = 17  # int64[2 n]: hash table of token sets of counted strings
SAME = 18  # int64: masks of tokens made of some groups of bytes, remembered: columns below
KEEPS = 19  # int64[4 n]: what keeps DFA state n alive, columns below
COUNTER = 20  # int32[8 n]: of states of plain JSON strings: how far they are counted, columns in counted_strings.py

# VOCABULARY
WIDTH = 0  # words of a dense set: ceil(size / 64)
TOKEN_COUNT = 1  # ids
ROOT, SHORT_ROOT, LONG_ROOT = 2, 3, 4  # roots in TRIE
HORIZON, SHORT_HORIZON = 5, 6  # most bytes of all tokens, of the short ones
TRIE_USED, LIST_USED, TOKENS_USED, SET_USED, DENSE_USED, SPARSE_USED, SAME_USED, COUNTED_USED = range(8, 16)
SETS_SCRATCH = 16  # the block of constrain.engine.token_tries: scratch of whatever makes token sets
ORDER_USED = 17
OUTSIDE = 18  # nodes from here on belong to suffix tries: they have no BELOW, HEIGHT, SPAN
COUNTERS = 19  # states in COUNTER
COUNTED_SETS = 20  # entries in COUNTED_SET

# SET
SET_KIND = 0  # NO_TOKENS, FEW, DENSE_SET: how the inner tokens are kept
SET_AT = 1  # offset in SPARSE or DENSE
SET_SIZE = 2  # number of inner tokens
SET_SUFFIXES = 3  # root of the trie of what follows the terminal in boundary tokens; 0: none
NO_TOKENS, FEW, DENSE_SET = 0, 1, 2

# SET_OF: where counts do not matter, a state has one set. Where they do, its short tokens have the set of a state
# with counts clipped to SHORT_HORIZON, its long ones that of a state with counts clipped to HORIZON.
WHOLE_SET = 0  # the set over all tokens; 0: not made
SHORT_STATE, LONG_STATE = 1, 2  # the clipped states; 0: not asked; -1: counts do not matter
SHORT_SET, LONG_SET = 3, 4  # sets of this state as a clipped one

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
