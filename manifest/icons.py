"""Draws the two icons of the app: ``python -m manifest.icons`` (needs pillow, a development tool).

A desk phone's handset and a presence dot. Teams asks for a colour icon of 192x192 with its symbol well inside a
full-bleed square, and an outline icon of 32x32 in white on transparency.
"""

import math
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

BACKGROUND = (18, 52, 96)
WHITE = (255, 255, 255)
ON_THE_PHONE = (224, 62, 82)
FINE = 1024
"""Side of the square everything is drawn in before it is scaled down, in pixels."""

Point = tuple[float, float]


def _arch(centre: Point, radii: Point, degrees: tuple[int, int]) -> list[Point]:
    angles = [math.radians(degree) for degree in range(degrees[0], degrees[1] + 1)]
    return [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]


def _smooth(mask: Image.Image, radius: float) -> Image.Image:
    """Rounds corners and fills the joints between shapes."""
    blurred = mask.filter(ImageFilter.GaussianBlur(radius))
    return blurred.point([0] * 128 + [255] * 128)


def handset() -> Image.Image:
    """A handset as a mask, cropped to itself, its hollow facing up and to the right."""
    mask = Image.new("L", (FINE, FINE), 0)
    draw = ImageDraw.Draw(mask)
    outer = _arch((512, 600), (450, 250), (180, 360))
    inner = _arch((512, 600), (290, 92), (180, 360))
    draw.polygon(outer + inner[::-1], fill=255)
    for left in (62, 672):
        draw.rounded_rectangle((left, 500, left + 290, 690), radius=70, fill=255)
    turned = _smooth(mask, 24).rotate(135, resample=Image.Resampling.BICUBIC)
    return turned.crop(turned.getbbox())


def _disc(centre: Point, radius: float) -> Image.Image:
    mask = Image.new("L", (FINE, FINE), 0)
    x, y = centre
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def _placed(mask: Image.Image, side: int, corner: tuple[int, int]) -> Image.Image:
    """``mask`` scaled to ``side`` pixels, on an empty square."""
    canvas = Image.new("L", (FINE, FINE), 0)
    canvas.paste(mask.resize((side, side), Image.Resampling.LANCZOS), corner)
    return canvas


def _thinner(mask: Image.Image, rounds: int) -> Image.Image:
    """``mask`` with its edge worn off evenly in every direction, some three pixels a round."""
    for _ in range(rounds):
        mask = mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(2))
        mask = mask.point([0] * 160 + [255] * 96)
    return mask


def colour() -> Image.Image:
    """192x192: a white handset on a full-bleed square, the presence dot red as in a call."""
    icon = Image.new("RGBA", (FINE, FINE), BACKGROUND)
    icon.paste(WHITE, mask=_placed(handset(), 620, (202, 202)))
    icon.paste(ON_THE_PHONE, mask=_disc((704, 320), 118))
    return icon.resize((192, 192), Image.Resampling.LANCZOS)


def outline() -> Image.Image:
    """32x32: the same in white lines on transparency."""
    body = _placed(handset(), 900, (62, 62))
    lines = ImageChops.subtract(body, _thinner(body, 24))
    shape = ImageChops.lighter(lines, _disc((776, 248), 152))
    icon = Image.new("RGBA", (32, 32), (*WHITE, 0))
    icon.putalpha(shape.resize((32, 32), Image.Resampling.LANCZOS))
    return icon


def main() -> None:
    folder = Path(__file__).parent
    colour().save(folder / "color.png", optimize=True)
    outline().save(folder / "outline.png", optimize=True)


if __name__ == "__main__":
    main()
