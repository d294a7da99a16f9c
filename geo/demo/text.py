"""Invented names and fast text columns for the demo city (演示城市的虚构名称)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_FIRST = "锦云青明文安宁泰景玉瑞福昌永兴庆丰启辰澄鹤松柏梅兰竹岚溪星望远晴朗清沐雅怡翠碧银金紫"
_SECOND = "阳湖山河泽城源桥林泉台屏岭原洲亭渡浦石峰园庭苑塘井坊港湾陵"
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高罗郑梁谢宋唐许韩冯邓曹彭"
_HAMLETS = ("家庄", "家村", "家店", "家河", "官庄", "家沟", "家峪", "家台")
_PLACED = ("", "东", "西", "南", "北", "前", "后", "大", "小")

CITY = "云川市"
COMMON_ROADS = ("人民", "解放", "建设", "和平", "新华", "青年", "迎宾", "学府")
"""Road names that every district has: the commonest ambiguity of a Chinese address."""


def roots(rng: np.random.Generator, count: int) -> list[str]:
    """Return `count` different two-character place names (虚构地名), in random order; repeats past 1,300."""
    every = [a + b for a, b in itertools.product(_FIRST, _SECOND)]
    order = rng.permutation(len(every))
    return [every[order[i % len(every)]] for i in range(count)]


def hamlets(rng: np.random.Generator, count: int) -> list[str]:
    """Return `count` different names of rural villages (虚构村名); repeats past 2,160."""
    every = [p + s + h for p, s, h in itertools.product(_PLACED, _SURNAMES, _HAMLETS)]
    order = rng.permutation(len(every))
    return [every[order[i % len(every)]] for i in range(count)]


def joined(*parts: object) -> pd.Series:
    """Join texts and arrays of texts or whole numbers row by row; a missing part makes the row missing."""
    arrays = [p if isinstance(p, str) else _strings(p) for p in parts]
    return pd.Series(pd.array(pc.binary_join_element_wise(*arrays, ""), dtype="str"))


def numbers(values: np.ndarray, width: int = 0) -> pa.Array:
    """Whole numbers ≥ 0 as text, padded with zeros to `width`."""
    text = pc.cast(pa.array(np.asarray(values, dtype=np.int64)), pa.string())
    return pc.utf8_lpad(text, width=width, padding="0") if width else text


def _strings(values: object) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(pa.string())
    array = pa.array(values, from_pandas=True)
    return array if pa.types.is_string(array.type) else pc.cast(array, pa.string())
