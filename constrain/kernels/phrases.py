"""Phrases in a text that is read token by token: one Aho-Corasick automaton over all of them (Aho and Corasick 1975).

In:  rows of state, int32[W] each, and the bytes of tokens.
Out: rows of state; for each, whether its clauses are met, and how many tokens it may still take to meet them.

Bytes are put together to characters first, so that letters can be compared without case and the characters beside a
phrase be looked at; a byte that is no UTF-8 stands for itself. Nothing here looks at a text twice: a phrase that breaks
off leaves what may be the beginning of another one, which is what the links of failure are for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from constrain.jit import helper, kernel


class PhraseTables(NamedTuple):
    """P phrases to be present, then others that must not be: R of them with counters, the rest fatal at once.

    N nodes, K kinds of characters, C clauses with L literals. Node 0 is the root; 1 is the root behind a letter, digit
    or underscore where that matters. All int32 but for `text`.
    """

    mode: np.ndarray  # [8]  WORDS, ORDERED, DISTINCT, PRESENT, COUNTED, LINKS (clauses in order), CELLS, LONGEST
    page: np.ndarray  # [0x1100]  row of `kind` for the code points of 256 * page
    kind: np.ndarray  # [rows, 256]  what a character is to the phrases: 0 nothing, 1 a letter, 2 ... one of theirs
    spot: np.ndarray  # [K + 1]  kind k is the characters spots[spot[k] : spot[k + 1]], of those that are theirs
    spots: np.ndarray  # the UTF-8 bytes of each, the first in the lowest bits
    letter: np.ndarray  # [K]  1 for letters, digits and the underscore
    next: np.ndarray  # [N, K]
    fail: np.ndarray  # [N]  the longest proper suffix that is a node, -1 for the roots
    link: np.ndarray  # [N]  the next node down the links of failure that ends a phrase, -1 if none does
    first: np.ndarray  # [N + 1]  node n ends the phrases ended[first[n] : first[n + 1]]
    ended: np.ndarray
    depth: np.ndarray  # [N, P]  how many characters of a phrase a node is, -1 if it is none of its prefixes
    size: np.ndarray  # [all phrases]  characters
    most: np.ndarray  # [P + R]  the count beyond which it does not matter
    offset: np.ndarray  # [P, longest + 1]  the byte at which a character of the phrase begins
    text: np.ndarray  # uint8[P, bytes]
    rest: np.ndarray  # [P, bytes + 1]  tokens that spell the phrase from a byte on
    fresh: np.ndarray  # [P]  tokens that spell it wherever the text stands
    clause: np.ndarray  # [C + 1]  clause c is the literals clause[c] ... clause[c + 1]
    phrase: np.ndarray  # [L]  of a literal; -1: one that is fatal at once
    times: np.ndarray  # [L]  how often
    absent: np.ndarray  # [L]
    stride: np.ndarray  # [L]  of a literal in the cells of a row


WORDS, ORDERED, DISTINCT, PRESENT, COUNTED, LINKS, CELLS, LONGEST = range(8)
"""Places in `mode`."""

NODE, PART, PLACE, DEAD, LINK, SINCE, HEAD = range(7)
"""Places in a row: the node, the bytes of an unfinished character, characters read, whether a clause is lost, the next
clause of an order and where it may begin. Then occurrences of each phrase, the end of the last that counted, and (where
occurrences have to be distinct) for each number of occurrences of all literals the earliest place at which they are
complete, -1 if they are not."""

SPACE = 0x20
"""Dropped where a row has -1 characters: some tokenizers do so when they decode the start of an output."""

NEVER = 1 << 29
"""More tokens than there will ever be."""

FREE = 1 << 29
"""All that has been read may belong to an occurrence."""


@helper
def _length(lead):
    """Bytes of a character that begins with `lead`; 0 if none does."""
    if lead < 0x80:
        return 1
    if lead < 0xC2:
        return 0
    if lead < 0xE0:
        return 2
    if lead < 0xF0:
        return 3
    return 4 if lead < 0xF5 else 0


@helper
def _point(part, size):
    """The code point of `size` bytes (the first in the lowest bits), -1 if they are no UTF-8."""
    if size == 1:
        return part
    point = part & (0x7F >> size)
    for i in range(1, size):
        point = point << 6 | (part >> 8 * i) & 0x3F
    if size == 3 and (point < 0x800 or 0xD800 <= point < 0xE000):
        return -1
    if size == 4 and not 0x10000 <= point < 0x110000:
        return -1
    return point


@helper
def _held(part):
    """Bytes of an unfinished character."""
    return 0 if part == 0 else 1 if part < 1 << 8 else 2 if part < 1 << 16 else 3


@helper
def _after(t, node, point):
    """The node behind a character."""
    if point < 0:
        return t.next[node, 0]
    return t.next[node, t.kind[t.page[point >> 8], point & 255]]


@helper
def _is_letter(t, point):
    return point >= 0 and t.letter[t.kind[t.page[point >> 8], point & 255]] == 1


@helper
def _read(t, node, part, byte):
    """Read a byte: the node, the unfinished character, characters finished, the node whose phrases have ended (or -1).

    Where the neighbours of a phrase matter, it has ended when the next character is none of its own kind; else with its
    last one.
    """
    units, ended, words = 0, -1, t.mode[WORDS] == 1
    if part != 0:
        if byte & 0xC0 == 0x80:
            held = _held(part)
            part |= byte << 8 * held
            size = _length(part & 255)
            if held + 1 < size:
                return node, part, 0, -1
            point = _point(part, size)
            if words and not _is_letter(t, point):
                ended = node
            node = _after(t, node, point)
            return node, 0, 1, ended if words else node
        if words:
            ended = node
        node, units = _after(t, node, -1), 1
    if byte >= 0x80 and _length(byte) > 1:
        return node, byte, units, ended
    point = byte if byte < 0x80 else -1
    if words and units == 0 and not _is_letter(t, point):
        ended = node
    node = _after(t, node, point)
    return node, 0, units + 1, ended if words else node


@helper
def _lost(t, row):
    """Whether a clause can be met no more: nothing may be present for it, and all that must not be is."""
    counts = HEAD
    for c in range(t.clause.size - 1):
        lost = t.clause[c + 1] > t.clause[c]
        for i in range(t.clause[c], t.clause[c + 1]):
            if t.absent[i] == 0 or t.phrase[i] < 0 or row[counts + t.phrase[i]] < t.times[i]:
                lost = False
        if lost:
            return True
    return False


@helper
def _note_absent(t, row, phrase, end):
    """An occurrence of what should not be there."""
    counted = t.mode[PRESENT] + t.mode[COUNTED]
    if phrase >= counted:
        row[DEAD] = 1
        return
    lasts = HEAD + counted
    if t.mode[DISTINCT] == 1 and end - t.size[phrase] < row[lasts + phrase]:
        return
    row[lasts + phrase] = end
    if row[HEAD + phrase] < t.most[phrase]:
        row[HEAD + phrase] += 1
        if _lost(t, row):
            row[DEAD] = 1


@helper
def _note_in_order(t, row, phrase, end):
    """An occurrence, where clauses are met one after the other."""
    c = row[LINK]
    counted = t.mode[PRESENT] + t.mode[COUNTED]
    lasts = HEAD + counted
    if c >= t.mode[LINKS] or end - t.size[phrase] < row[lasts + phrase]:
        return
    for i in range(t.clause[c], t.clause[c + 1]):
        if t.phrase[i] != phrase:
            continue
        row[HEAD + phrase] += 1
        if t.mode[DISTINCT] == 1:
            row[lasts + phrase] = end
        if row[HEAD + phrase] < t.times[i]:
            return
        row[LINK], row[SINCE] = c + 1, end
        row[HEAD : HEAD + t.mode[PRESENT]] = 0
        row[lasts : lasts + t.mode[PRESENT]] = end
        return


@helper
def _note_distinct(t, row, phrase, end):
    """An occurrence that may belong to one literal only, and may share no text with others.

    Of all ways to make use of earlier occurrences the row has, for each outcome, the one that ended first.
    """
    cells = HEAD + 2 * (t.mode[PRESENT] + t.mode[COUNTED])
    begin = end - t.size[phrase]
    for i in range(t.phrase.size):
        if t.phrase[i] != phrase or t.absent[i] == 1:
            continue
        for v in range(t.mode[CELLS] - t.stride[i]):
            if 0 <= row[cells + v] <= begin and (v // t.stride[i]) % (t.times[i] + 1) < t.times[i]:
                if row[cells + v + t.stride[i]] < 0:
                    row[cells + v + t.stride[i]] = end


@helper
def _note(t, row, node, end):
    """All phrases that end at a node."""
    while node >= 0:
        for i in range(t.first[node], t.first[node + 1]):
            phrase = t.ended[i]
            if phrase >= t.mode[PRESENT]:
                _note_absent(t, row, phrase, end)
            elif t.mode[ORDERED] == 1:
                _note_in_order(t, row, phrase, end)
            elif t.mode[DISTINCT] == 1:
                _note_distinct(t, row, phrase, end)
            elif row[HEAD + phrase] < t.most[phrase]:
                row[HEAD + phrase] += 1
        node = t.link[node]


@helper
def _feed(t, row, byte):
    if row[PLACE] < 0:
        row[PLACE] = 0
        if byte == SPACE:
            return
    node, part, units, ended = _read(t, row[NODE], row[PART], byte)
    place = row[PLACE]
    row[NODE], row[PART], row[PLACE] = node, part, place + units
    if ended >= 0:
        _note(t, row, ended, place if t.mode[WORDS] == 1 else place + units)


@kernel
def advance(t, rows, moves, spelled, out):
    """Write to `out[i]` the row `rows[moves[0, i]]` after the token `moves[1, i]`.

    `spelled` is (data, offsets) of the vocabulary, `moves` int64[2, n]. Rows are read before they are written only if
    `out` is another array.
    """
    data, offsets = spelled
    for i in range(moves.shape[1]):
        row = out[i]
        row[:] = rows[moves[0, i]]
        for at in range(offsets[moves[1, i]], offsets[moves[1, i] + 1]):
            _feed(t, row, np.int64(data[at]))


@kernel
def feed(t, row, data):
    """Move a row over bytes."""
    for byte in data:
        _feed(t, row, np.int64(byte))


# ---- what is met, and what is missing


@helper
def _set_free(t, row, cell, free):
    """Write to `free` how many of the last characters an occurrence of each phrase may consist of."""
    counted = t.mode[PRESENT] + t.mode[COUNTED]
    for p in range(t.mode[PRESENT]):
        if cell >= 0:
            free[p] = row[PLACE] - row[HEAD + 2 * counted + cell]
        elif t.mode[ORDERED] == 1:
            free[p] = row[PLACE] - row[HEAD + counted + p]
        else:
            free[p] = FREE


@helper
def _in_progress(t, row, free, more, under):
    """Write to `under` the tokens that finish an occurrence of each phrase, of its last `free + more` characters.

    One that is finished but for what comes next (where that matters) is none of these.
    """
    for p in range(t.mode[PRESENT]):
        under[p] = t.fresh[p]
    node, part, held = row[NODE], row[PART], _held(row[PART])
    while node >= 0:
        for p in range(t.mode[PRESENT]):
            depth = t.depth[node, p]
            if depth < 0 or depth > free[p] + more or depth == t.size[p]:
                continue
            at = t.offset[p, depth]
            matches = at + held <= t.offset[p, t.size[p]]
            for i in range(held):
                matches = matches and t.text[p, at + i] == (part >> 8 * i) & 255
            if matches or depth == 0:
                under[p] = min(under[p], t.rest[p, at + held] if matches else t.rest[p, 0])
        node = t.fail[node]


@helper
def _spared(t, row, c):
    """Whether a clause is met because something is absent, so far."""
    for i in range(t.clause[c], t.clause[c + 1]):
        if t.absent[i] == 1 and t.phrase[i] >= 0 and row[HEAD + t.phrase[i]] < t.times[i]:
            return True
    return False


@helper
def _cost(t, c, row, cell, under):
    """Tokens that meet a clause, and what of that is saved by occurrences in progress."""
    cost, helped, missing = np.int64(NEVER), np.int64(NEVER), False
    for i in range(t.clause[c], t.clause[c + 1]):
        if t.absent[i] == 1:
            continue
        missing = True
        p = t.phrase[i]
        n = t.times[i] - (row[HEAD + p] if cell < 0 else (cell // t.stride[i]) % (t.times[i] + 1))
        if n <= 0:
            return 0, 0
        cost = min(cost, n * np.int64(t.fresh[p]))
        helped = min(helped, (n - 1) * np.int64(t.fresh[p]) + under[p])
    if not missing or _spared(t, row, c):
        return 0, 0
    return cost, max(0, cost - helped)


@helper
def _missing(t, row, cell, under):
    """Tokens that meet all clauses, in one of the ways to use what there is."""
    total, saved = np.int64(0), np.int64(0)
    ordered = t.mode[ORDERED] == 1
    for c in range(row[LINK] if ordered else 0, t.clause.size - 1):
        cost, helped = _cost(t, c, row, cell, under)
        if ordered and c > row[LINK]:
            cost, helped = _cost_of_later(t, c), 0
        total += cost
        saved = max(saved, helped)
    return min(total - saved, NEVER)


@helper
def _cost_of_later(t, c):
    """Tokens that meet a clause of an order that has not been begun."""
    cost = np.int64(NEVER)
    for i in range(t.clause[c], t.clause[c + 1]):
        if t.absent[i] == 0:
            cost = min(cost, t.times[i] * np.int64(t.fresh[t.phrase[i]]))
    return cost if c < t.mode[LINKS] else np.int64(0)


@helper
def _need(t, row, free, under):
    """Tokens within which everything can be met (an upper bound), and the cell that this is about."""
    if row[DEAD] == 1:
        return np.int64(NEVER), -1
    if t.mode[CELLS] == 0:
        _set_free(t, row, -1, free)
        _in_progress(t, row, free, 0, under)
        return _missing(t, row, -1, under), -1
    cells = HEAD + 2 * (t.mode[PRESENT] + t.mode[COUNTED])
    best, chosen = np.int64(NEVER), 0
    for v in range(t.mode[CELLS] - 1, -1, -1):
        if row[cells + v] < 0:
            continue
        _set_free(t, row, v, free)
        _in_progress(t, row, free, 0, under)
        need = _missing(t, row, v, under)
        if need < best:
            best, chosen = need, v
            if need == 0:
                break
    return best, chosen


@helper
def _may_have_ended(t, node):
    """Whether phrases have ended unless a letter comes next."""
    return t.mode[WORDS] == 1 and (t.first[node] < t.first[node + 1] or t.link[node] >= 0)


@helper
def _need_behind(t, row, free, under):
    """The same if whatever comes next is no letter, so that words that may have ended have: `row` knows of them."""
    row[NODE], row[PART] = 1, 0
    return _need(t, row, free, under)[0]


@helper
def _is_full(t, c, row, cell):
    """Whether a clause is met."""
    for i in range(t.clause[c], t.clause[c + 1]):
        if t.absent[i] == 1:
            if t.phrase[i] < 0 or row[HEAD + t.phrase[i]] < t.times[i]:
                return True
        elif t.mode[ORDERED] == 1:
            if row[LINK] > c:
                return True
        else:
            has = row[HEAD + t.phrase[i]] if cell < 0 else (cell // t.stride[i]) % (t.times[i] + 1)
            if has >= t.times[i]:
                return True
    return False


@helper
def _clauses_met(t, row, cell):
    met = 0
    for c in range(t.clause.size - 1):
        met += _is_full(t, c, row, cell)
    return met


@helper
def _best_met(t, row):
    """The most clauses that are met at once."""
    if row[DEAD] == 1:
        return -1
    if t.mode[CELLS] == 0:
        return _clauses_met(t, row, -1)
    best, cells = 0, HEAD + 2 * (t.mode[PRESENT] + t.mode[COUNTED])
    for v in range(t.mode[CELLS]):
        if row[cells + v] >= 0:
            best = max(best, _clauses_met(t, row, v))
    return best


@kernel
def judge(t, rows, scratch, out):
    """Write to `out[i]` what a row has come to: int64[n, 4].

    NEED, an upper bound of the tokens that meet what is missing (NEVER if a clause is lost); MET, the number of clauses
    that would be met if the text ended here (-1 if one is lost); GROUP, a number that rows share which have met the
    same clauses; CELL, the cell that NEED is about, or -1. `scratch` has the shape of a row.
    """
    under = np.zeros(t.mode[PRESENT] + 1, np.int64)
    free = np.zeros(t.mode[PRESENT] + 1, np.int64)
    for i in range(len(rows)):
        row = rows[i]
        need, cell = _need(t, row, free, under)
        group = np.uint64(1469598103934665603)
        for c in range(t.clause.size - 1):
            met = _is_full(t, c, row, cell) and not _spared(t, row, c)
            group = (group ^ np.uint64(met + 1)) * np.uint64(1099511628211)
        out[i, GROUP] = np.int64(group >> np.uint64(1))
        if t.mode[WORDS] == 1:
            scratch[:] = row
            _note(t, scratch, row[NODE], row[PLACE])
            out[i, MET] = _best_met(t, scratch)
            if _may_have_ended(t, row[NODE]):
                need = min(need, _need_behind(t, scratch, free, under))
        else:
            out[i, MET] = _best_met(t, row)
        out[i, NEED], out[i, CELL] = need, cell


NEED, MET, GROUP, CELL = range(4)
"""Columns of what `judge` writes."""

SKIP, FIRST, DEPTH, BYTE = range(4)
"""Columns of `TrieTables.node`, as in `constrain.kernels.trie`."""


@kernel
def wanted(t, rows, verdicts, scratch, out):
    """For rows and their verdicts write which phrases each waits for, and what of it may belong to them.

    `out` is (free, wants), both int64[n, P]: `wants[i, p]` is 1 if row i waits for phrase p, else 0; `free[i, p]` how
    many of its last characters may be part of an occurrence of p. `scratch` has the shape of a row.
    """
    free, wants = out
    wants[:] = 0
    for i in range(len(rows)):
        row, cell = rows[i], verdicts[i, CELL]
        _set_free(t, row, cell, free[i])
        _add_wanted(t, row, cell, wants[i])
        if _may_have_ended(t, row[NODE]):
            scratch[:] = row
            _note(t, scratch, row[NODE], row[PLACE])
            _add_wanted(t, scratch, cell, wants[i])


@helper
def _add_wanted(t, row, cell, wants):
    ordered = t.mode[ORDERED] == 1
    for c in range(t.clause.size - 1):
        if (ordered and c != row[LINK]) or _is_full(t, c, row, cell):
            continue
        for i in range(t.clause[c], t.clause[c + 1]):
            if t.absent[i] == 0:
                wants[t.phrase[i]] = 1


# ---- what each token of a vocabulary would do


@helper
def _hits(t, ended, end, free, found, n):
    """Append the phrases that end at a node, `end` characters from the start of the token, and begin late enough.

    What has ended before the token is left out. Returns how many there are in `found` then.
    """
    while ended >= 0 and end > 0:
        for i in range(t.first[ended], t.first[ended + 1]):
            p = t.ended[i]
            if p < t.mode[PRESENT] and t.size[p] <= free[p] + end and n < found.size:
                found[n] = p
                n += 1
        ended = t.link[ended]
    return n


@kernel
def look(t, row, free, trie, known, stack, found):
    """What each token does to a row: those that are fatal, and those that bring a phrase nearer.

    A walk over `trie`; `free` is of `wanted`. `found` is int64[4, n], columns of a token, a phrase (-1 if the token is
    fatal), the tokens that finish the phrase then (-1 if it is finished), and the place of the token in `trie.order`.
    Where a word may have ended and the token makes it a longer one, P is added to the phrase: such tokens do not
    compete with those that leave it as it is. Returns how many columns there are; if that is more than n, the rest is
    missing.

    `known` is what is found at the root, whatever is missing there; as soon as a path leads to where it would have led
    from the root, the rest is read off there. If it has no columns, it is what is looked for. The root is that of the
    row: behind a letter or not. `stack` is
    int32[depths, width + 4]: for each byte of a path a row, the phrases ended, node and character from the root, and
    whether something other than a letter came first.
    """
    width = row.size
    counters = t.mode[COUNTED] > 0
    kept = HEAD + 2 * (t.mode[PRESENT] + t.mode[COUNTED]) if counters else HEAD
    under = np.zeros(t.mode[PRESENT] + 1, np.int64)
    reached = np.zeros(t.mode[PRESENT] + 1, np.int64)
    hits = np.zeros(4 * len(stack), np.int32)
    root = _root_of(t, row[NODE])
    pending = known.shape[1] > 0 and _may_have_ended(t, row[NODE])
    fresh = np.zeros(t.mode[PRESENT] + 1, np.int64)
    fresh[: t.mode[PRESENT]] = t.fresh
    if known.shape[1] > 0:
        _in_progress(t, row, free, 0, under)
    else:
        under[:] = fresh
    others = np.zeros(64, np.int64)
    differing = _differing(t, row, root, others) if known.shape[1] > 0 and not counters else -1
    stack[0, :kept] = row[:kept]
    stack[0, width : width + 4] = 0
    stack[0, width + 1] = root
    n, start = 0, max(0, row[PLACE])
    node, end = 1, trie.node.shape[0] - 1
    while node < end:
        depth = trie.node[node, DEPTH]
        here, above = stack[depth], stack[depth - 1]
        byte = np.int64(trie.node[node, BYTE])
        here[:kept] = above[:kept]
        here[width], here[width + 3] = above[width], above[width + 3]
        state, part, units, ended = _read(t, above[NODE], above[PART], byte)
        place = max(0, above[PLACE])
        if above[PLACE] < 0 and byte == SPACE:
            state, part, units, ended = above[NODE], 0, 0, -1
        here[NODE], here[PART], here[PLACE] = state, part, place + units
        if ended >= 0:
            close = place if t.mode[WORDS] == 1 else place + units
            here[width] = _hits(t, ended, close - start, free, hits, above[width])
            here[width + 3] |= close == start
            _note_fatal(t, here, ended, close)
        behind = pending and here[width + 3] == 1  # a phrase begins behind something else
        limit, longer = (fresh, 0) if behind else (under, t.mode[PRESENT] if pending else 0)
        if here[DEAD] == 1:
            n = _append(trie, node, trie.node[node, SKIP], -1, -1, found, n)
            node = trie.node[node, SKIP]
            continue
        if known.shape[1] > 0 and not counters:
            there, rest, _, _ = _read(t, above[width + 1], above[width + 2], byte)
            here[width + 1], here[width + 2] = there, rest
            same = there == state and rest == part
            if not same and not pending and differing >= 0 and part != 0 and rest == part and here[PLACE] == start:
                same = not _begins_one(others, differing, part)
            if same and here[width] == 0:
                after = trie.node[node, SKIP]
                n = _copy(known, limit, longer, trie.node[node, FIRST], trie.node[after, FIRST], found, n)
                node = after
                continue
        if trie.node[node + 1, FIRST] > trie.node[node, FIRST]:
            moved = state > 1 or (state == 1 and t.mode[WORDS] == 0) or part != 0 or here[width] > 0
            from_letter = t.mode[WORDS] == 1 and (behind or root == 1 or known.shape[1] == 0)
            if moved or (from_letter and _root_of(t, state) == 0):
                _in_progress(t, here, free, here[PLACE] - start, reached)
                full = here[width]
                if t.mode[WORDS] == 1:
                    full = _hits(t, state, here[PLACE] - start, free, hits, full)
                for k in range(full):
                    reached[hits[k]] = -1
                for p in range(t.mode[PRESENT]):
                    if reached[p] < limit[p]:
                        n = _append(trie, node, node + 1, p + longer, reached[p], found, n)
        node += 1
    return n


@helper
def _differing(t, row, root, others):
    """The characters that lead elsewhere from a row than from its root, as bytes; how many, -1 if they are too many."""
    if row[PART] != 0:
        return -1
    n = 0
    for kind in range(2, t.letter.size):
        if t.next[row[NODE], kind] != t.next[root, kind]:
            for i in range(t.spot[kind], t.spot[kind + 1]):
                if n == others.size:
                    return -1
                others[n] = t.spots[i]
                n += 1
    return n


@helper
def _begins_one(others, count, part):
    """Whether an unfinished character is the beginning of one of some characters."""
    mask = (1 << 8 * _held(part)) - 1
    for i in range(count):
        if others[i] & mask == part:
            return True
    return False


@helper
def _note_fatal(t, row, node, end):
    """What should not be there and ends at a node."""
    while node >= 0:
        for i in range(t.first[node], t.first[node + 1]):
            if t.ended[i] >= t.mode[PRESENT]:
                _note_absent(t, row, t.ended[i], end)
        node = t.link[node]


@helper
def _append(trie, node, stop, phrase, rest, found, n):
    """Columns for the tokens of the nodes from `node` to `stop`."""
    for i in range(trie.node[node, FIRST], trie.node[stop, FIRST]):
        if n < found.shape[1]:
            found[0, n], found[1, n], found[2, n], found[3, n] = trie.order[i], phrase, rest, i
        n += 1
    return n


@helper
def _copy(known, limit, longer, low, high, found, n):
    """The columns of the tokens low ... high - 1 that are fatal, or bring a phrase nearer than its limit."""
    at = np.searchsorted(known[3], low)
    while at < known.shape[1] and known[3, at] < high:
        if known[1, at] < 0 or known[2, at] < limit[known[1, at]]:
            if n < found.shape[1]:
                found[:, n] = known[:, at]
                if known[1, at] >= 0:
                    found[1, n] += longer
            n += 1
        at += 1
    return n


@helper
def _root_of(t, node):
    """The root at the end of the links of failure."""
    while t.fail[node] >= 0:
        node = t.fail[node]
    return node
