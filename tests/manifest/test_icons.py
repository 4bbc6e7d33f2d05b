from pathlib import Path

import pytest
from PIL import Image, ImageChops

from manifest import icons
from manifest.packer import FOLDER


def committed(name: str) -> Image.Image:
    with Image.open(FOLDER / name) as image:
        assert image.format == "PNG"
        return image.convert("RGBA")


def shares(image: Image.Image) -> dict[int, int]:
    """How many pixels have each transparency, from 0 (clear) to 255."""
    return {level: count for level, count in enumerate(image.getchannel("A").histogram()) if count}


def test_the_colour_icon_is_a_full_square_of_192() -> None:
    icon = committed("color.png")
    assert icon.size == (192, 192)
    assert shares(icon) == {255: 192 * 192}


def test_the_outline_icon_is_white_on_transparency_of_32() -> None:
    icon = committed("outline.png")
    assert icon.size == (32, 32)
    visible = [pixel[:3] for _, pixel in icon.getcolors(1024) or [] if pixel[3]]  # type: ignore[index]
    assert set(visible) == {(255, 255, 255)}


def test_the_outline_icon_is_mostly_clear_but_plainly_there() -> None:
    transparency = shares(committed("outline.png"))
    assert transparency[0] > 32 * 32 * 0.5
    assert sum(count for level, count in transparency.items() if level > 200) > 60


def test_the_symbol_keeps_clear_of_the_edge_that_teams_rounds_off() -> None:
    icon = committed("color.png").convert("RGB")
    background = Image.new("RGB", icon.size, icons.BACKGROUND)
    box = ImageChops.difference(icon, background).getbbox()
    assert box is not None
    assert min(box[0], box[1], 192 - box[2], 192 - box[3]) >= 30


@pytest.mark.parametrize(("name", "draw"), [("color.png", icons.colour), ("outline.png", icons.outline)])
def test_the_committed_icons_are_what_the_script_draws(name: str, draw: object) -> None:
    assert callable(draw)
    difference = ImageChops.difference(committed(name), draw().convert("RGBA"))
    assert max(high for _, high in difference.getextrema()) <= 8  # type: ignore[misc]


def test_the_accent_colour_is_the_background() -> None:
    text = (Path(FOLDER) / "manifest.json").read_text()
    assert '"accentColor": "#{:02x}{:02x}{:02x}"'.format(*icons.BACKGROUND) in text
