"""Characters that look alike (形近字): the same part with another radical, or a stroke apart.

Handwriting, OCR and hurried typing confuse these; a wrong character that looks like the right one is cheaper
than any other. The groups are general, not taken from any city's table.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Every two characters of a group are alike.
_GROUPS = (
    "土士工王玉壬主 己已巳 日曰目白自百旧 大太犬天夫木 人入八 千干于十 未末本木来 午牛年 刀力刃九 上止土 "
    "口日回 四西酉 田由甲申电 石右古占 北比此化 东车乐 名各多 冬各 圆园圃国困因 洲州川 侨桥骄轿娇 清青情晴请精 "
    "泉皇帛 张弘引弛 柳抑仰卯 淄缁锱 博搏缚薄 毕华 中巾申 山出 平半羊 新亲斩 民氏良 文交父 代伐化仪 建健键 没设投 "
    "解懈蟹 放故效 知和和利 胜性姓 农衣 学字孚 府付附符咐 光兴先 明朋服 福幅副富辐 安按案 庚康庸 南男 路璐露 街衔 "
    "村材衬 里理埋哩 永水冰求 宁丁订叮 长张涨帐 春舂春 秋秩 江红扛缸 河何可阿 海悔梅诲每 湖胡糊蝴 龙尤 凤风 金全余 "
    "银很根跟恨 花化华 庄压 城诚成盛 市布 镇慎填 松忪枫 竹付 兰三 梧悟语 桐铜洞同 杨扬汤场 林材淋森 云去 星腥醒 "
    "月用 丰半 台治始抬 业亚 戊戌戍成 公分 正止 义乂叉 仁仃 信倍 孝考老 受爱 得德 美羡姜 复夏 强弦 衣农 折拆析 "
    "幕墓慕暮 湾弯 港巷 沙纱砂 滨宾缤 塘糖唐 岭领铃岑 峰锋蜂烽 泽择译 瑞端 静净 荣莹萤营 兰蓝篮 宏宠宋 富宫官 "
    "怡恰 悦说税 嘉喜 景影 晨辰 晖辉挥 朝潮嘲 槐愧魁 榆愉输 樟障章 滩摊 灯打 煤媒 环坏怀 玲珍 瑶摇谣 盘盆 睦陆 硕顾 "
    "科料 程呈 稻蹈 竞竟 笔毛 篷蓬 经径劲颈轻 绿录缘 罗岁 翠率 聚众 联耶 育盲 胶较 舟丹 航杭 芳苏 苑宛 英央 茂伐 "
    "莲连 菜采彩 营管 萍平 蕾雷 虹红 裕浴 西酉 角用 记计 谊宜 豪毫 贤览 贵责 贸货 赛寨 越趄 轩斩 辽迁 达迭 进井 迎仰 "
    "远运元 连莲 逸免 道首 遵尊 郊效 都部 酒洒 钟种 锦绵棉 门问间闻 防访 阳阴 陈阵 陵棱 院完 隆降 集焦 雁鹰 霞暇 "
    "靖清 韶绍 顺须 颐项 飞乙 香番 马鸟乌 驿译 高亭 鲁鱼 鸿鸣 鹤鹏 黄簧 齐斋 开并 升井 仓合 令今 会合 伟纬苇 佳住往 "
    "供拱洪 侧测则 便使 促捉 保堡 停亭 傅博 儿几 元无 充允 兑竞 兵乒 册朋 再冉 冶治 准淮 几九 凡几 列例烈 刘文 初切 "
    "刻该 前剪 功巧 劳芳 勤谨 匠近 区巨 医匡 升并 卡上 卫工 历厉 原源愿 双又 友反 发友 叶汁 司同 吉古 向问 吕品 员圆 "
    "周同 哈恰 唐康 商高 善喜 固圆 圣怪 坊访妨 坝贝 坡波被 坪评 垦恳 堂常棠 塔搭 境镜 壁璧 夏复 外处 奇寄 奎套 女安 "
    "宅它 宝玉 实买 宣宜 家冢 容客 密蜜 寿涛 封寺 将奖 小少 尚向 尧晓 尹伊 居屋 岗刚 岳丘 岸崖 崇祟 嵩高 巴已 师帅 "
    "席度 干千 幸辛 广厂 庆床 库军 店占 庙庄 延廷 弓引 归扫 录绿 形刑 影景 徐余 恒垣 恩思 惠慧 慈滋 戏战 房旁 扶夫 "
    "把吧 报服 拥佣 招昭 拓石 振震 捷健 掌常 提题 攀举 教救 敦郭 斗头 斜叙 方万 施旋 旗期 旭九 旺汪 昆混 昌晶 春泰 "
    "是定 晋普 普晋 曲由 更便 望忘 朗郎 朱末 朴扑 权杈 李季 杏呆 杜社 杰木 板版 构沟购 枣束 柏拍 柴紫 标际 栋拣 栖晒 "
    "校较 样洋 格各 桂挂 桃挑 桑叠 梁粱 梨犁 棉锦 椒淑 楚禁 楼搂 榕容 横黄 橙登 欢欣 武式 殿股 毅毁 汇江 汉汊 汤场 "
    "沂近 沈枕 沿铅 泊怕 法去 泰秦 洋样 洛络 津律 流梳 浅线 浦埔浦捕 浩洁 浮孚 涌通 润闰 涛寿 淀定 淑叔 深探 渔鱼 "
    "温湿 游浮 渭谓 溪奚 滕腾 漳樟 潍维 潭谭潭 澄登 澳奥 烟咽 燕蒸 爱受 牌碑 状壮 狮师 玄弦 珠株 班斑 球求 瑛英 "
    "甘廿 生牛 畅场 畔胖 皖院 盐监 盛成 直真 相湘 省看 祁祈 祝况 祥详 禾木 秀季 秦泰春 稼嫁 穗惠 立位 站战 端瑞 "
    "第弟 筑巩 简间 箭剪 粮良 紫柴 红虹 纪记 纺坊 维堆 罗岁 群裙 翔洋 翰韩 耀跃 聊柳 胜性 艺乙 艾又 芙夫 芦户 芸云 "
    "茶荼 荆刑 荔枝 荷何 莱来 菊掬 萧肃 葛蔼 董重 葵癸 蒋将 蓉容 蔡祭 薛辟 虎虚 融隔 蠡离 衡冲 裴斐 观欢 览贤 诸储 "
    "谷各 豫象 贺加 资姿 赤亦 赵起 趵豹 辉晖 辛幸 通涌 邓又 邢刑 邮由 邱丘 郑关 鄂颚 铁跌 铭名 锋峰 长张 闸甲 阁各 "
    "阜埠 附付 陶掏 雄难 雅椎 雨两 雪雷 青清 韩翰 顶项 颂松 魏巍 鲍鲜 鹏鹤 麓鹿 麒其 鼎肝 龚龙 "
)


@lru_cache(maxsize=1)
def look_alike_pairs() -> NDArray[np.uint32]:
    """Sorted codes of all pairs, both ways round."""
    pairs = {(ord(a) << 16) | ord(b) for group in _GROUPS.split() for a in group for b in group if a != b}
    return np.array(sorted(pairs), np.uint32)


def look_alike(given: NDArray[np.uint16], wanted: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Whether each two characters (code points) look alike; elementwise, symmetric."""
    code = (given.astype(np.uint32) << 16) | wanted.astype(np.uint32)
    table = look_alike_pairs()
    at = np.minimum(np.searchsorted(table, code), len(table) - 1)
    return np.asarray(table[at] == code)


@lru_cache(maxsize=4096)
def alike_of(char: str) -> list[str]:
    """Characters that look like this one, in code order; none for a character of no group."""
    table = look_alike_pairs()
    code = ord(char)
    low, high = np.searchsorted(table, [code << 16, (code + 1) << 16])
    return [chr(int(c) & 0xFFFF) for c in table[low:high]]
