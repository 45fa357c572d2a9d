"""Cards of judged images: what each says, and that a long name is there in whole."""

from streamlit.testing.v1 import AppTest

from tests.support.pages import drawn_html

LONG = "Donaudampfschifffahrtsgesellschaft [winter, “old”] & <b>co</b>"
SHOWN = "Donaudampfschifffahrtsgesellschaft [winter, “old”] &amp; &lt;b&gt;co&lt;/b&gt;"


def draw(name: str) -> None:
    from pages.ui.components import pictures
    from thaw.storage.records import Image

    image = Image("img-1", name, f"{name}/1.png", "0" * 64, 32, 32, suffix=".png", folder="data-1")
    pictures.gallery([(image, [("<i>true", name, 0.125), ("predicted", "cup", 0.5)], "moved since")])


def test_a_card_says_a_long_name_in_whole_as_its_title():
    drawn = drawn_html(AppTest.from_function(draw, default_timeout=60, args=(LONG,)).run())
    assert f'<dt>&lt;i&gt;true</dt><dd class="share">12%</dd><dd class="name" title="{SHOWN}">{SHOWN}</dd>' in drawn
    assert f'alt="{SHOWN}/1.png" title="{SHOWN}/1.png"' in drawn
    assert f"<figcaption>{SHOWN}/1.png</figcaption><p>moved since</p>" in drawn
