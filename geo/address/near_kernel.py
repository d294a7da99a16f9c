# ruff: noqa: ANN001, ANN201, ANN202, C901, PLR0911, PLR0912, PLR0913, PLR0915  # numba finds the types
"""Near names of a text in one compiled loop (近似名称编译核); the rules and costs are those of `geo.address.names`.

Every window of the text, whole and with one sound left out, is looked up in the sorted table of hashes; a
bucket array over the upper bits of the hash leads to its few rows. What matches is priced at once.
"""

from __future__ import annotations

import numpy as np

from geo.index._jit import jit

PRIME = np.uint64(0x9E3779B97F4A7C15)
LONGEST = 12  # characters of the longest name that is matched nearly
WHOLE = 255  # "no sound left out"
MANY = 600  # names behind one key: more than this says nothing
HOMOPHONE, LOOK_ALIKE, TYPO, MISSING, EXTRA, SWAPPED, VARIANT = range(1, 8)
NEVER = 99.0
FAMILY = 0x5BB6  # 家: a surname stands before it


@jit(inline=True)
def _is_digit(code):  # type: ignore[no-untyped-def]
    return (code >= 48) and (code <= 57)


@jit()
def _holds(table, value):  # type: ignore[no-untyped-def]
    """Whether a sorted table holds a value."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) >> 1
        if table[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(table) and table[low] == value


@jit()
def _alike(one, other, numerals, pairs):  # type: ignore[no-untyped-def]
    """Whether two characters look alike; a digit is the Chinese numeral it stands for (三 is like 兰, 3 is not)."""
    a = numerals[one - 48] if _is_digit(one) else one
    b = numerals[other - 48] if _is_digit(other) else other
    return _holds(pairs, (np.uint32(a) << np.uint32(16)) | np.uint32(b))


@jit()
def _at_edge(code, first, size, place, ends):  # type: ignore[no-untyped-def]
    """Whether a place of a name is where directions and serials stand: the first, the last, the one before 路 or 街."""
    if place == 0 or place == size - 1:
        return True
    return ends[code[first + place + 1]]


@jit()
def price(text, start, width, out, chars, first, length, name_out, sounds, numerals, pairs, telling, ends):  # type: ignore[no-untyped-def]
    """(cost, manner) of one window of the text against one name; `NEVER` where they are not near."""
    never = (NEVER, 0)
    whole, name_whole = out == WHOLE, name_out == WHOLE
    if whole and name_whole:
        if width != length:
            return never
        kind = HOMOPHONE
    elif not whole and not name_whole:
        if width != length:
            return never
        if out == name_out:
            kind = TYPO
        elif abs(out - name_out) == 1 and width >= 3:
            kind = SWAPPED
        else:
            return never
    elif whole:
        if length != width + 1 or width < 3:
            return never
        kind = MISSING
    else:
        if width != length + 1:
            return never
        kind = EXTRA
    differ, digits = 0, 0
    for k in range(width - (0 if whole else 1)):
        given = text[start + k + (1 if not whole and k >= out else 0)]
        wanted = chars[first + k + (1 if not name_whole and k >= name_out else 0)]
        if sounds[given] != sounds[wanted]:
            return never
        if given != wanted:
            differ += 1
            if _is_digit(given) or _is_digit(wanted):
                digits += 1
    short = 0.5 if length <= 2 else 0.25 if length == 3 else -0.2 if length >= 5 else 0.0
    if kind == HOMOPHONE:
        if differ == 0:
            return never
        return (0.35 + 0.15 * differ + 0.3 * digits + (0.4 if length <= 2 else 0.0), kind)
    cost = short + 0.15 * differ + 0.3 * digits
    how = kind
    if kind == MISSING:
        right = chars[first + name_out]
        cost += 1.6 if _is_digit(right) else 1.1
        if telling[right] and (_is_digit(right) or _at_edge(chars, first, length, name_out, ends)):
            how = VARIANT
        return (cost, how)
    wrong = text[start + out]
    if kind == EXTRA:
        doubled = (out > 0 and text[start + out - 1] == wrong) or (
            out < width - 1 and text[start + out + 1] == wrong
        )
        cost += 0.8 if doubled else 1.1
        if _is_digit(wrong):
            cost += 0.6 if doubled else 1.4
        edge = _is_digit(wrong) or _at_edge(text, start, width, out, ends)
        if doubled and not edge and out < width - 1 and text[start + out + 1] == wrong:
            edge = _at_edge(text, start, width, out + 1, ends)  # 解放东东路: which of the two is one too many
        return (cost, VARIANT if telling[wrong] and edge else how)
    right = chars[first + name_out]
    if kind == SWAPPED:
        return (cost + 1.3, how) if sounds[wrong] == sounds[right] else never
    if wrong == right:
        return never
    alike = _alike(wrong, right, numerals, pairs)
    if alike:
        cost, how = cost + 0.7, LOOK_ALIKE
    else:
        figure = _is_digit(wrong) or _is_digit(right)
        cost += (1.8 if figure else 1.2) + (0.3 if out >= width - 1 else 0.0)
    family = (
        not alike
        and out < width - 1
        and text[start + out + 1] == FAMILY
        and chars[first + name_out + 1] == FAMILY
    )  # 张家庄 for 李家庄 is another village
    return (cost, VARIANT if family or (telling[wrong] and telling[right]) else how)


@jit()
def near(  # type: ignore[no-untyped-def]
    text,
    sounds,
    key,
    bucket,
    shift,
    name,
    name_out,
    lengths,
    char_ptr,
    chars,
    numerals,
    pairs,
    telling,
    ends,
    limit,
):
    """Rows (start, end, name, manner) and costs of the names that nearly occur in a text, the cheapest of each."""
    n = len(text)
    rows = np.empty((64, 4), np.int32)
    costs = np.empty(64, np.float64)
    count = 0
    prefix = np.zeros(n + 1, np.uint64)
    power = np.ones(LONGEST + 1, np.uint64)
    for i in range(LONGEST):
        power[i + 1] = power[i] * PRIME
    for i in range(n):
        prefix[i + 1] = prefix[i] * PRIME + np.uint64(sounds[text[i]])
    for start in range(n - 1):
        if start and _is_digit(text[start]) and _is_digit(text[start - 1]):
            continue
        for end in range(start + 2, min(n, start + LONGEST) + 1):
            if end < n and _is_digit(text[end]) and _is_digit(text[end - 1]):
                continue
            width = end - start
            mine = count
            for left in range(-1, width):
                if left < 0:
                    out = WHOLE
                    h = prefix[end] - prefix[start] * power[width]
                else:
                    out = left
                    head = prefix[start + left] - prefix[start] * power[left]
                    tail = prefix[end] - prefix[start + left + 1] * power[width - left - 1]
                    h = head * power[width - left - 1] + tail
                at = np.int64(h >> shift)
                low, high = bucket[at], bucket[at + 1]
                while low < high and key[low] < h:
                    low += 1
                last = low
                while last < high and key[last] == h:
                    last += 1
                if last == low or last - low > MANY:
                    continue
                for row in range(low, last):
                    which = name[row]
                    cost, how = price(text, start, width, out, chars, char_ptr[which], np.int64(lengths[which]),
                                      np.int64(name_out[row]), sounds, numerals, pairs, telling, ends)  # fmt: skip
                    if cost > limit:
                        continue
                    seen = -1
                    for k in range(mine, count):
                        if rows[k, 2] == which:
                            seen = k
                            break
                    if seen >= 0:
                        if cost < costs[seen]:
                            costs[seen], rows[seen, 3] = cost, how
                        continue
                    if count == len(costs):
                        more_rows = np.empty((2 * count, 4), np.int32)
                        more_costs = np.empty(2 * count, np.float64)
                        more_rows[:count] = rows
                        more_costs[:count] = costs
                        rows, costs = more_rows, more_costs
                    rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = start, end, which, how
                    costs[count] = cost
                    count += 1
    return rows[:count], costs[:count]
