"""The recipe of an augmentation: by how much a view may differ from its picture, as plain numbers and as text."""

import dataclasses
from dataclasses import dataclass

from tlcore.errors import SettingsError

PLAIN = "none"


@dataclass(frozen=True)
class Recipe:
    """How far a view may go from its picture; the plain recipe leaves it as it is.

    `mirror` swaps left and right half of the time, `upright` top and bottom; `crop` is the largest share of each side
    that is cut off (0 to 0.4), `rotation` the largest turn either way in degrees (0 to 45), `brightness` and `contrast`
    the largest change as a share (0 to 0.5), `zoom` the largest share nearer or farther (0 to 0.3).
    """

    mirror: bool = False
    upright: bool = False
    crop: float = 0.0
    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    zoom: float = 0.0

    def __post_init__(self) -> None:
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
                raise SettingsError(
                    f"Expected the augmentation's {name} between 0 and {largest:g}. Received: {name}={value!r}."
                )

    @property
    def plain(self) -> bool:
        """Say whether every view is the picture itself."""
        return self == Recipe()

    def spell(self) -> str:
        """Return the recipe as text, such as "mirror,crop=0.15"; recipes that draw alike are spelt alike."""
        parts = [name for name in SWITCHES if getattr(self, name)]
        parts += [f"{name}={getattr(self, name):g}" for name in LARGEST if getattr(self, name)]
        return ",".join(parts) or PLAIN


SWITCHES = ("mirror", "upright")
LARGEST = {"crop": 0.4, "rotation": 45.0, "brightness": 0.5, "contrast": 0.5, "zoom": 0.3}

LIGHT = Recipe(mirror=True, crop=0.15, brightness=0.15, contrast=0.15)
STRONG = Recipe(mirror=True, crop=0.3, rotation=15, brightness=0.3, contrast=0.3, zoom=0.15)
PRESETS = {
    PLAIN: Recipe(),
    "light": LIGHT,
    "light-unmirrored": dataclasses.replace(LIGHT, mirror=False),
    "strong": STRONG,
    "strong-unmirrored": dataclasses.replace(STRONG, mirror=False),
}


def find_recipe(augmentation: str) -> Recipe:
    """Return the recipe of a preset's name, or of text as `Recipe.spell` writes it; raise SettingsError for neither."""
    if augmentation in PRESETS:
        return PRESETS[augmentation]
    chosen: dict[str, bool | float] = {}
    for part in augmentation.split(","):
        name, _, number = part.strip().partition("=")
        if name in SWITCHES and not number:
            chosen[name] = True
        elif name in LARGEST and _is_number(number):
            chosen[name] = float(number)
        else:
            raise SettingsError(
                f"Expected augmentation to be one of: {', '.join(PRESETS)}, or a recipe such as "
                f'"mirror,crop=0.2,rotation=10" (of {", ".join([*SWITCHES, *LARGEST])}). '
                f"Received: augmentation={augmentation!r}."
            )
    return Recipe(**chosen)  # type: ignore[arg-type]


def view_key(content: str, number: int, augmentation: str, seed: int) -> str:
    """Name view `number` of an image in the caches. The plain view's key is the image's content alone, so that every
    augmentation and every data set that holds the same picture shares it; any other's names its recipe too."""
    return content if number == 0 else f"{content}:{find_recipe(augmentation).spell()}:{seed}:{number}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
