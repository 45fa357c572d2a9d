import pytest
from PIL import ImageFont

from thaw.runs.gallery import CANDIDATES, find_font, has_character


def test_pillows_own_font_serves_plain_names_and_is_known_to_lack_others():
    own = ImageFont.load_default(17)
    assert all(has_character(own, character) for character in "is taken for Rose 42%")
    assert not has_character(own, "\uffff")
    assert find_font("is roses", 17).getname() == own.getname()


def test_a_name_beyond_ascii_gets_a_font_that_has_it():
    try:
        wide = ImageFont.truetype(CANDIDATES[0], 17)
    except OSError:
        pytest.skip("DejaVu Sans is not on this machine, so there is no font to find")
    for name in ("Grün", "Ćevapi", "Жук", "λευκό"):
        assert not all(has_character(ImageFont.load_default(17), character) for character in name)
        chosen = find_font(name, 17)
        assert chosen.getname() == wide.getname()
        assert all(has_character(chosen, character) for character in name)


def test_without_any_font_that_has_it_the_one_that_lacks_least_is_taken():
    assert find_font("rose \U0001f6d1\U0010fffd", 17) is not None
    assert find_font("", 17).getname() == ImageFont.load_default(17).getname()
