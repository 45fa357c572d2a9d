"""Guesses in which national code page names were written, from which letters each reading of them would hold."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from thaw.storage.questions import Ask, Option, Question

# What each language writes beside a to z, the most frequent first; of Chinese, Japanese and Korean what is common in
# the names of things.
_LATIN = {
    "German": "äüöß",
    "French": "éèàêçôûâîùïëœ",
    "Spanish": "óíáéñúü",
    "Portuguese": "ãçáéíóêõúâô",
    "Italian": "àèùòìé",
    "Danish, Norwegian or Swedish": "åäöæøé",
    "Polish": "łąęóżśćńź",
    "Czech or Slovak": "áíěéýřčžšůúďťňôľäĺŕ",
    "Hungarian": "áéöóőüíúű",
    "Croatian or Slovenian": "čšžćđ",
    "Romanian": "ăîşţâ",
    "Turkish": "ıüşçğöİ",
}
_OTHER = {
    "Russian": "оаеинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оанивірестклудмпязьбгйчхжцїюшщєфґ",
    "Greek": "αοιετσνηυρπκμλωςδγάίόέήύώφχθβξζψϊϋΐΰ",
    "Hebrew": "יוהלאמתרבשנדכפקעחגסטצזםןךףץ",
    "Arabic": "اليمونرتبةعدسفهكقأحجشطصخإضىذثئزءغظآؤ",
    "Thai": "านรกอเงมยลวดทสตะปบคแจพชขใไโผซถภษศณธฝฟฉูุีิ็่้ั์ำึื",
}
_SIMPLIFIED = (
    "的一是不了人在有大中小上下地出国这来为会生年就可以多方学主要分于行后时动对能成也进看现说作新本起着点开定天"
    "头自心前长理家想样走高车马牛羊鸡鸭鱼鸟虫狗猫猪虎龙鼠兔熊象鹿猴花草树木叶果苹香蕉梨桃葡萄橙橘柠檬西瓜莓樱菜"
    "米面包蛋奶茶酒水火土山石海河湖江云雨雪风日月星光红黄蓝绿白黑灰紫色金银铁铜玻璃塑料瓶纸布衣服鞋帽手脚眼口耳鼻"
    "男女老少孩子父母图片照相机电脑视汽飞船自行房屋门窗桌椅床灯书笔工具刀箱垃圾可回收有害厨余其他正常异良品坏缺陷"
    "类别种个测试训练数据集标签文件夹建向葵玫瑰菊荷康健病斑锈霉枯害苗物动植东北南京城市街道路桥楼园田野猪腿肉食"
)
_TRADITIONAL = (
    "的一是不了人在有大中小上下地出國這來為會生年就可以多方學主要分於行後時動對能成也進看現說作新本起著點開定天"
    "頭自心前長理家想樣走高車馬牛羊雞鴨魚鳥蟲狗貓豬虎龍鼠兔熊象鹿猴花草樹木葉果蘋香蕉梨桃葡萄橙橘檸檬西瓜莓櫻菜"
    "米麵包蛋奶茶酒水火土山石海河湖江雲雨雪風日月星光紅黃藍綠白黑灰紫色金銀鐵銅玻璃塑膠瓶紙布衣服鞋帽手腳眼口耳鼻"
    "男女老少孩子父母圖片照相機電腦視汽飛船房屋門窗桌椅床燈書筆工具刀箱垃圾回收廚餘其他正常異良品壞缺陷類別種個測試"
    "訓練數據集標籤檔案夾建向葵玫瑰菊荷康健病斑鏽霉枯害苗物植東北南京城市街道路橋樓園田野肉食"
)
_KANJI = (
    "日本人大中小上下山川田木花草水火土金月年犬猫鳥魚馬牛羊豚鶏虫熊象鹿猿虎車電自動転船飛行機家門窓机椅子手足目口耳鼻"
    "男女老若赤青黄白黒緑茶紫色米麦豆茄梨桃柿栗桜梅松竹葉実果野菜肉卵酒箱瓶缶紙布服靴帽本画像写真分類正常異良品不欠陥表"
    "面新規検査学習訓練試験東西南北京都道市町村駅橋海空雨雪風石砂森林園食"
)
_HANGUL = (
    "이가다는의을에지고기사하나리로아도자어시서인한대은라해스수일부주정그보여들마비구전제치장음오진상성트과원무동"
    "요게우조거드안신세면생소호도화미공유물연선바금관입실명설계방문분번양개발고강모형재배추포토파티차크카타터타레"
    "루르린림만말매머먼멍메며목몸무박반밤밥백버벌벽별병복본봄북분불붕블빛빵뿌새색생석선손송쇠숙술숲쉬식심싸쌀쓰씨악야"
    "약얼없연열영예옥온올옷와왕외용운월위육은읍의익잎작잔잠장저적점접종좌죽중증직집참창책처천철청초총출충친칼컵코콩클"
    "키탈탕태털텔토통투판팔패펜편평폐품풀풍플피필학함항해햄향허험현혈형호홍확환활황회효후훈흑흰히강고양래레플파과장"
)
_SAMPLE = 2000
_SHOWN = 8
_SEPARATORS = re.compile(r"[/\\\s._,;:|\"'()-]")
_GREEK_ACCENTS = frozenset("άέήίόύώϊϋΐΰ")
_RARE = 0.8
_PRIOR = {"mac": -0.1, "": 0.05}
# Of readings this much less likely than the best, a person is still shown the classes.
MARGIN = 0.6
MOST_READINGS = 5


@dataclass(frozen=True)
class Page:
    """A code page as Python's `codec`, and the `language` that it is read as.

    Its `home` is the console of DOS and Windows ("oem"), whose pages zips are written in, the programs of Windows
    ("ansi"), whose pages tables are written in, both (""), or "mac".
    """

    codec: str
    language: str
    home: str


@dataclass(frozen=True)
class Reading:
    """One way to read names; `score` is at most about 1, and below 0 where most letters make no sense."""

    page: Page
    score: float


def _pages() -> tuple[Page, ...]:
    western = ("German", "French", "Spanish", "Italian", "Danish, Norwegian or Swedish", "Portuguese")
    central = ("Polish", "Czech or Slovak", "Hungarian", "Croatian or Slovenian", "Romanian")
    languages = {
        ("cp850", "oem"): western,
        ("cp437", "oem"): ("German", "French", "Spanish", "Italian"),
        ("cp1252", "ansi"): western,
        ("mac_roman", "mac"): western,
        ("cp852", "oem"): central,
        ("cp1250", "ansi"): central,
        ("cp857", "oem"): ("Turkish",),
        ("cp1254", "ansi"): ("Turkish",),
        ("cp866", "oem"): ("Russian", "Ukrainian"),
        ("cp1251", "ansi"): ("Russian", "Ukrainian"),
        ("koi8_u", "ansi"): ("Russian", "Ukrainian"),
        ("cp737", "oem"): ("Greek",),
        ("cp1253", "ansi"): ("Greek",),
        ("cp862", "oem"): ("Hebrew",),
        ("cp1255", "ansi"): ("Hebrew",),
        ("cp720", "oem"): ("Arabic",),
        ("cp1256", "ansi"): ("Arabic",),
        ("cp874", ""): ("Thai",),
        ("gbk", ""): ("Chinese (simplified)",),
        ("cp950", ""): ("Chinese (traditional)",),
        ("cp932", ""): ("Japanese",),
        ("cp949", ""): ("Korean",),
    }
    return tuple(Page(codec, each, home) for (codec, home), listed in languages.items() for each in listed)


def is_utf8(raws: Iterable[bytes]) -> bool:
    """Say whether every name is UTF-8, which text of another code page hardly ever is by chance."""
    try:
        for raw in raws:
            raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def list_readings(raws: Sequence[bytes], home: str) -> list[Reading]:
    """Return the plausible readings of names that are not UTF-8, the likeliest first, one for each text they give.

    `home` is where they come from, "oem" for archives and "ansi" for tables, which decides between equals. The list is
    empty where the letters make sense in none.
    """
    told = sorted({raw for raw in raws if not raw.isascii()})[:_SAMPLE]
    found: dict[str, Reading] = {}
    for page in _pages():
        try:
            for raw in raws:
                raw.decode(page.codec)
        except UnicodeDecodeError:
            continue
        text = "/".join(raw.decode(page.codec) for raw in told)
        words = sorted({word for word in _SEPARATORS.split(text) if not word.isascii()})
        score = _score(words, page.language) + _PRIOR.get(page.home, 0.05 if page.home == home else 0)
        if text not in found or found[text].score < score:
            found[text] = Reading(page, score)
    ordered = sorted(found.values(), key=lambda each: -each.score)
    return [each for each in ordered if each.score > max(0.0, ordered[0].score - MARGIN)][:MOST_READINGS]


def choose_codec(raws: Sequence[bytes], home: str, ask: Ask) -> tuple[str, str]:
    """Return the codec that reads names, and a note that says it in plain words or "" for names that are UTF-8.

    Where several readings are plausible and they give folders different names, `ask` is called. Names that make sense
    in no code page are read as Latin-1, which never confuses two of them.
    """
    if is_utf8(raws):
        return "utf-8", ""
    readings = {reading.page.codec: reading.page for reading in list_readings(raws, home)}
    if not readings:
        return "latin-1", "Some names are in an encoding that could not be told; they are shown with other letters."
    codec = next(iter(readings))
    folders = sorted({raw.rpartition(b"/")[0] for raw in raws} - {b""})
    if len(readings) > 1 and not all(folder.isascii() for folder in folders):
        options = tuple(
            Option(
                page.codec,
                f"{page.language} ({page.codec})",
                _preview([folder.decode(page.codec) for folder in folders]),
            )
            for page in readings.values()
        )
        codec = ask(Question("names", "In which language are these names? The archive does not say.", options, codec))
    return codec, f"Names that do not say their encoding were read as {readings[codec].language} ({codec})."


def _preview(folders: Sequence[str]) -> str:
    names = sorted({folder.rpartition("/")[2] for folder in folders if not folder.isascii()})
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _score(words: Sequence[str], language: str) -> float:
    """Return how much sense the letters beyond ASCII make in a language, from 1 for all to -2 for none."""
    scores = [value for word in words for value in _score_word(word, language)]
    return sum(scores) / len(scores) if scores else -2.0


def _score_word(word: str, language: str) -> Iterable[float]:
    usual = _usual(language)
    latin = language in _LATIN
    ascii_letters = sum(each.isascii() and each.isalpha() for each in word)
    odd = len(word) > 1 and (ascii_letters == 0 if latin else ascii_letters > 0)
    mixed = any(each.islower() for each in word)
    if language == "Greek" and len(word) > 2 and mixed and not _GREEK_ACCENTS.intersection(word):
        odd = True
    for place, letter in enumerate(word):
        if not letter.isascii():
            value = _value(letter, usual, language) - (0.7 if odd else 0)
            yield value - (1.5 if place and letter.isupper() and mixed else 0.25 if letter.isupper() else 0)


def _value(letter: str, usual: Mapping[str, float], language: str) -> float:
    if letter in usual:
        return usual[letter]
    if not unicodedata.category(letter).startswith(("L", "M")):
        return -2.0
    if language.startswith(("Chinese", "Japanese", "Korean")):
        return _value_of_east_asian(letter, language)
    return -1.0


def _value_of_east_asian(letter: str, language: str) -> float:
    """Judge a sign that is not among the common ones by where its standard lists it: the frequent ones come first."""
    if "\uff61" <= letter <= "\uff9f":
        return -0.5
    if language == "Japanese" and "\u3041" <= letter <= "\u30fe":
        return 1.0
    if language == "Korean":
        return 0.5 if "\uac00" <= letter <= "\ud7a3" and _first_byte(letter, "euc_kr") else -1.0
    if not "\u4e00" <= letter <= "\u9fff":
        return -1.0
    codec, first, last = {
        "Chinese (simplified)": ("gb2312", 0xB0, 0xD7),
        "Chinese (traditional)": ("big5", 0xA4, 0xC6),
        "Japanese": ("shift_jis", 0x88, 0x97),
    }[language]
    return 0.35 if first <= _first_byte(letter, codec) <= last else -0.7


def _first_byte(letter: str, codec: str) -> int:
    try:
        return letter.encode(codec)[0]
    except UnicodeEncodeError:
        return 0


@cache
def _usual(language: str) -> Mapping[str, float]:
    """Return what each letter of a language counts: rare ones of an alphabet little, common signs all the same."""
    common = {
        "Chinese (simplified)": _SIMPLIFIED,
        "Chinese (traditional)": _TRADITIONAL,
        "Japanese": _KANJI,
        "Korean": _HANGUL,
    }
    if language in common:
        return dict.fromkeys(common[language], 1.0)
    letters = (_LATIN | _OTHER)[language]
    counts = {letter: 1.0 - _RARE * place / len(letters) for place, letter in enumerate(letters)}
    return {letter.upper(): count for letter, count in counts.items()} | counts
