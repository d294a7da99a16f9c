"""Traditional to simplified characters for headers and values (繁转简), and the folding of a name to compare it."""

from __future__ import annotations

import re
import unicodedata

# Only characters of table headers, of values with a fixed meaning and of units: never applied to stored text.
_PAIRS = (
    "經经緯纬網网編编號号碼码稱称類类別别發发時时間间點点區区縣县鎮镇鄉乡裡里裏里鄰邻樓楼棟栋單单戶户數数級级層层員员責责崗岗歸归屬属"
    "攝摄機机監监視视頻频設设備备狀状態态線线離离壞坏維维拋抛拆拆訊讯號号圖图標标識识別别報报警警案案件件種种嚴严應应辦办結结處处"
    "開开關关長长寬宽徑径雙双單单車车輛辆場场廠厂園园醫医療疗護护電电動动氣气燃燃瓶瓶煙烟霧雾滅灭險险隱隐患患築筑產产業业質质"
    "鐵铁術术術术對对體体總总計计統统當当義义務务為为與与於于後后從从無无實实際际驗验證证認认審审過过還还這这選选連连續续遠远達达"
    "適适遲迟邊边麼么參参變变規规則则製制齊齐傳传備备價价優优億亿許许論论談谈請请講讲謝谢頁页項项順顺預预領领顏颜額额題题願愿風风飛飞"
    "飯饭館馆養养餘余駐驻騎骑驗验魚鱼鳥鸟麥麦黃黄齡龄龍龙壓压廳厅庫库庙庙廣广異异彈弹強强影影徵征德德憑凭懸悬戲戏擊击據据擇择擴扩"
    "擺摆攔拦攤摊敗败斷断晝昼暫暂東东條条極极槍枪樣样橋桥檔档檢检櫃柜權权歷历歲岁殺杀毀毁決决沒没溝沟滿满漁渔潔洁濟济災灾"
    "熱热爐炉牆墙獨独環环畫画畢毕疊叠盜盗盤盘礎础禁禁禮礼穩稳競竞筆笔範范籤签約约紅红納纳純纯紙纸細细終终組组給给絡络綠绿緊紧緩缓"
    "縮缩總总織织繳缴罰罚職职聯联聽听腦脑臺台台台興兴舊旧艙舱範范莊庄華华萬万葉叶藍蓝藥药蘇苏術术衛卫補补裝装複复見见覽览觀观觸触訂订"
    "記记訪访診诊評评詢询試试該该詳详語语誤误說说調调謀谋譯译議议讀读豐丰負负財财貨货購购貴贵買买費费賽赛贓赃輕轻載载輪轮輸输轉转轄辖"
    "辭辞農农運运違违郵邮釋释鋪铺銀银錄录錯错鍵键鎖锁鐘钟鑑鉴門门閉闭閱阅闊阔陰阴陳陈陽阳階阶隊队隨随雜杂雲云靜静響响頂顶須须頭头"
    "樁桩燈灯鍋锅爐炉彎弯灣湾溫温濕湿測测繪绘製制確确識识導导儲储齒齿塊块幾几驅驱舉举辯辩輔辅協协眾众聚聚優优缺缺"
    "學学棄弃媽妈嬰婴孫孙寶宝屍尸層层島岛師师帶带幣币幫帮幹干彙汇復复恆恒惡恶慮虑憲宪懷怀戰战損损搶抢擁拥擔担撥拨攜携敵敌"
)
_TABLE = str.maketrans(dict(zip(_PAIRS[0::2], _PAIRS[1::2], strict=True)))
_NOISE = re.compile(r"[^0-9a-z\u3400-\u9fff]+")


def simplified(text: str) -> str:
    """Characters of the small table in their simplified form; others as they are."""
    return text.translate(_TABLE)


def fold(text: str) -> str:
    """One form of a name to compare: width and case folded, simplified, letters, digits and hanzi only."""
    return _NOISE.sub("", simplified(unicodedata.normalize("NFKC", text)).lower())
