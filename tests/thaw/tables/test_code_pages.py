import pytest

from thaw.tables.code_pages import MOST_READINGS, is_utf8, list_readings

# Names that people give to classes, none of them used to choose the letters that are counted as usual.
NAMES = {
    "German": ("Kürbis Löwe Bär Schädling Blüte Möhre Gebäude Fußball Grünfläche Rüde", ("cp850", "cp1252", "cp437")),
    "French": ("Pêche Fraisier Mésange Abîmé Défaut Théière Vélo Rivière Châtaigne Bébé", ("cp850", "cp1252")),
    "Spanish": ("Plátano Melón Águila Camaleón Delfín Jabalí Muñeca Volcán Arroyo Sandía", ("cp850", "cp1252")),
    "Polish": ("Śliwka Wróbel Gołąb Świnia Pszczoła Krzesło Stół Ogórek Słonecznik Dąb", ("cp852", "cp1250")),
    "Czech": ("Růže Slunečnice Včela Židle Stůl Okno Dům Pták Ryba Křeček", ("cp852", "cp1250")),
    "Turkish": ("Elma Portakal Domates Çiçek Otobüs Göl Köprü Şehir Işık Kuşburnu", ("cp857", "cp1254")),
    "Russian": ("роза тюльпан грузовик мотоцикл бутылка стекло бумага пластик металл", ("cp866", "cp1251", "koi8-r")),
    "Ukrainian": ("троянда соняшник вантажівка пляшка скло папір їжа мотоцикл ґава яйце", ("cp1251",)),
    "Greek": ("τριαντάφυλλο λεωφορείο μπουκάλι χαρτί γυαλί πλαστικό ποδήλατο λεμόνι", ("cp737", "cp1253")),
    "Hebrew": ("ורד חמנית משאית אופנוע בקבוק זכוכית נייר פלסטיק מתכת שולחן", ("cp862", "cp1255")),
    "Arabic": ("وردة شاحنة دراجة زجاجة زجاج ورق بلاستيك معدن طاولة كرسي", ("cp720", "cp1256")),
    "Chinese (simplified)": ("轮胎 螺丝 螺母 划痕 裂纹 郁金香 蒲公英 雏菊 卡车 摩托车", ("gbk",)),
    "Chinese (traditional)": ("輪胎 螺絲 螺帽 刮痕 裂紋 鬱金香 蒲公英 雛菊 卡車 摩托車", ("big5",)),
    "Japanese": ("いちご みかん トラック タイヤ ねじ 傷 割れ チューリップ 段ボール 表", ("cp932",)),
    "Korean": ("튤립 민들레 데이지 트럭 오토바이 나사 균열 스크래치 유리 종이", ("cp949",)),
}


def guess(raws):
    readings = list_readings(raws, "oem")
    return readings[0].page.codec if readings else "latin-1"


@pytest.mark.parametrize(
    ("language", "codec"), [(language, codec) for language, (_, codecs) in NAMES.items() for codec in codecs]
)
def test_the_language_of_a_few_names_is_guessed(language, codec):
    names = NAMES[language][0].split()
    right = total = 0
    for count in (2, 3, 5):
        for first in range(len(names) - count + 1):
            chosen = names[first : first + count]
            raws = [f"{name}/{n}.jpg".encode(codec) for n, name in enumerate(chosen)]
            if is_utf8(raws):
                continue
            total += 1
            right += [raw.decode(guess(raws)).split("/")[0] for raw in raws] == chosen
    assert right / total >= 0.75
    whole = [name.encode(codec) for name in names]
    assert [raw.decode(guess(whole)) for raw in whole] == names


def test_other_plausible_readings_follow_and_each_gives_another_text():
    raws = [name.encode("cp866") for name in ("кошка", "собака")]
    readings = list_readings(raws, "oem")
    assert (readings[0].page.codec, readings[0].page.language) == ("cp866", "Russian")
    assert len(readings) <= MOST_READINGS
    assert len({tuple(raw.decode(each.page.codec) for raw in raws) for each in readings}) == len(readings)


def test_where_they_come_from_decides_between_equals():
    raws = [b"Jack\x9f"]
    homes = {home: list_readings(raws, home)[0].page.home for home in ("oem", "ansi")}
    assert homes["oem"] != "ansi"


def test_bytes_that_make_no_sense_have_no_reading():
    assert list_readings([bytes(range(128, 256))], "oem") == []


def test_utf8_is_told_from_other_pages():
    assert is_utf8(["Käse".encode(), b"plain"])
    assert not is_utf8(["Käse".encode("cp850"), b"plain"])
