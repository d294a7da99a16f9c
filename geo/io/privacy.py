"""Data about persons at the door (个人信息): found by header and by content, refused or dropped, never stored.

The people table (重点关注人员) takes counts per grid and service category only. For it a column that looks like
names, identity or phone numbers, faces or plates stops the import; for every other table such a column is left
out and listed, and a number of a person inside a text is blanked out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from geo.io.hanzi import fold, simplified

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_HEADERS: dict[str, str] = {
    "name of a person": "姓名|名字|联系人|负责人|当事人|报警人|报案人|受害人|嫌疑人|户主|业主|租客|租户|房东|法人|驾驶人|车主|监护人|家属|网格员|网格长|"
    "经办人|处警人|出警人|民警|填报人|上报人|举报人|投诉人|责任人|管理员|居民|fullname|firstname|lastname|surname|personname|ownername|contactname|"
    "contactperson|suspect|victim|xingming|xm",
    "identity number": "身份证|证件号|证件号码|公民身份|护照|社保号|医保号|统一证号|身分证|idcard|idcardno|idnumber|idno|identitycard|passport|ssn|sfz|sfzh|sfzhm|zjhm|gmsfhm",
    "phone number": "电话|手机|联系方式|联系号码|联络方式|固话|传真|微信|qq号|邮箱|phone|mobile|telephone|cellphone|tel|email|wechat|lxdh|sjhm|contactinfo",
    "face or picture": "照片|人脸|头像|相片|肖像|指纹|虹膜|声纹|photo|face|portrait|avatar|fingerprint|zp",
    "vehicle plate": "车牌|号牌号码|车号|牌照号|车辆号牌|plateno|platenumber|licenseplate|cphm|hphm",
    "birth or sex": "出生|生日|性别|年龄|籍贯|birth|birthday|gender|age|sex|dob",
    "belief, ethnicity or politics": "民族|宗教|信仰|政治面貌|党派|上访|信访|ethnic|ethnicity|religion|nation|politics|political",
}  # fmt: skip
_EXACT = {"name of a person": {"xm", "suspect", "victim", "居民", "法人"}, "phone number": {"tel", "qq"},
          "face or picture": {"face", "zp", "photo"}, "birth or sex": {"age", "sex", "dob", "gender", "birth", "生日"},
          "belief, ethnicity or politics": {"nation", "politics", "political"}, "identity number": {"ssn", "sfz", "idno"}}  # fmt: skip
_SAFE_HEADERS = re.compile(
    "数$|电话亭|公用电话|业主单位|业主委员会|网格员岗位|网格员数|电话亭|电话网|管理员岗位|身份证明|车牌识别|人脸识别|人脸抓拍|居民小区|居民楼|居民点|居民户数|年龄段|法人单位|责任人岗位|车号牌识别|联网|有联系方式|hascontact|mobiletype|mobiledevice"
)

_MAINLAND_ID = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
)
_TAIWAN_ID = re.compile(r"(?<![0-9A-Za-z])[A-Z][1289]\d{8}(?![0-9A-Za-z])")
_PHONE = re.compile(
    r"(?<![0-9A-Za-z.])(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|09\d{2}[- ]?\d{3}[- ]?\d{3})(?![0-9A-Za-z.])"
)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·•\- ]?(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[A-HJ-NP-Z0-9]{6})(?![A-Z0-9])"
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}")
_SURNAMES = set(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟"
    "秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严赖覃洪武莫孔汤向常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司古吉"
)  # fmt: skip
_TWO = {"欧阳", "司马", "上官", "诸葛", "司徒", "东方", "尉迟", "公孙", "慕容", "夏侯", "皇甫", "令狐"}
_NAME = re.compile(r"^[\u4e00-\u9fff·]{2,4}$")
_PLACE_WORD = re.compile(
    "[路街巷弄区县镇乡村里庄市省园苑城厦楼栋站桥店厂院所社校寺庙河湖山岭岛湾]$|网格|社区|小区|派出|幼儿|老人|儿童|困难|残疾|独居|低保|特困|空巢|留守|孤寡|失独|高龄|服务|重点|一般|其他"
)

_FORBIDDEN = {
    "petitioning": "上访|信访|缠访|闹访|非访|访民|petition",
    "belief": "宗教|信教|教徒|教民|信徒|邪教|法轮|基督|天主|伊斯兰|穆斯林|佛教|道教|清真|教会|religio|muslim|christian|falun|church|belief",
    "ethnicity": "民族|少数民|维吾尔|维族|藏族|藏人|回族|蒙古族|哈萨克|疆籍|涉疆|涉藏|ethnic|uyghur|uighur|tibetan|minority",
    "politics": "政治|异见|维权|民运|党派|颠覆|反动|意识形态|敏感人|涉稳|维稳|politic|dissident|activist",
}


def header_kind(header: str) -> str:
    """What about a person a header names, or an empty text."""
    name = fold(header)
    if not name or _SAFE_HEADERS.search(name):
        return ""
    for kind, words in _HEADERS.items():
        for word in words.split("|"):
            folded = fold(word)
            exact = word in _EXACT.get(kind, ()) or (folded.isascii() and len(folded) <= 4)
            if name == folded or (not exact and folded in name):
                return kind
    return ""


def content_kind(values: pd.Series, *, names: bool) -> str:
    """What about a person the values of a column look like, or an empty text.

    A fifth of the values being identity numbers, phone numbers or plates is enough;
    with `names`, three in five being Chinese personal names of which most differ.
    """
    text = values.dropna().astype("str").str.strip()
    text = text[text != ""]
    if len(text) > 5000:
        text = text.sample(5000, random_state=0)
    if text.empty:
        return ""
    words = text.tolist()
    limit = max(1, len(words) // 5)
    if sum(_is_identity(w) for w in words) >= limit:
        return "identity number"
    if sum(bool(_PHONE.fullmatch(w)) for w in words) >= limit:
        return "phone number"
    if sum(bool(_PLATE.fullmatch(w)) for w in words) >= limit:
        return "vehicle plate"
    if sum(bool(_EMAIL.fullmatch(w)) for w in words) >= limit:
        return "phone number"
    if names:
        like = sum(_is_name(w) for w in words)
        if like >= 0.6 * len(words) and len(set(words)) > 0.5 * len(words) and len(set(words)) > 1:
            return "name of a person"
    return ""


def _is_identity(word: str) -> bool:
    """A mainland number by its structure (it holds a date of birth), a Taiwanese one by its check digit."""
    if _MAINLAND_ID.fullmatch(word):
        return True
    if _TAIWAN_ID.fullmatch(word):
        first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(word[0]) + 10
        digits = [first // 10, first % 10, *map(int, word[1:])]
        return sum(d * w for d, w in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
    return False


def _is_name(word: str) -> bool:
    plain = simplified(word)
    if not _NAME.match(plain) or _PLACE_WORD.search(plain):
        return False
    return plain[:2] in _TWO or plain[0] in _SURNAMES


def redact(values: pd.Series) -> tuple[pd.Series, int]:
    """Text with identity numbers, phone numbers, plates and mail addresses blanked out (***), and how many rows.

    A 20-digit device code or a 15-digit grid code stays whole: an identity number stands alone and holds a date.
    """
    text = values.astype("str")
    suspicious = text.str.contains(
        r"\d{9}|1[3-9]\d[- ]?\d{4}|09\d\d[- ]?\d{3}|@|[A-HJ-NP-Z][·•\- ]?[A-HJ-NP-Z0-9]{5}", regex=True
    )
    where = np.flatnonzero(suspicious.fillna(False).to_numpy(dtype=bool))
    if not len(where):
        return values, 0
    done = text.iloc[where].map(_blank)
    changed = (done != text.iloc[where]).to_numpy()
    if not changed.any():
        return values, 0
    result = text.copy()
    result.iloc[where] = done
    return result, int(changed.sum())


def _blank(text: str) -> str:
    for pattern in (_MAINLAND_ID, _TAIWAN_ID):
        text = pattern.sub(lambda m: "***" if _is_identity(m.group()) else m.group(), text)
    for pattern in (_PHONE, _PLATE, _EMAIL):
        text = pattern.sub("***", text)
    return text


# Service categories that begin like a name (高龄, 单亲, 康复 …).
_SERVICE = re.compile(
    "老|童|残疾|家庭|户|人员|人$|患者|妇女|病|障碍|低保|对象|^(?:高龄|高血|单亲|计生|严重|安置|康复|易肇|艾滋|关爱|关怀|常住|"
    "白内|白血|居家|应急|温饱|丁克|空巢|重点|失能|失独|孤寡|孤儿|特困|特扶|社矫)"
)


def forbidden_category(words: Iterable[str]) -> list[tuple[str, str]]:
    """Categories that are not service categories: (category, what it is about). A personal name is none either."""
    result = []
    for word in words:
        name = simplified(str(word)).lower()
        for about, pattern in _FORBIDDEN.items():
            if re.search(pattern, name):
                result.append((str(word), about))
                break
        else:
            if _is_name(str(word)) and not _SERVICE.search(name):
                result.append((str(word), "a person (it looks like a name)"))
    return result
