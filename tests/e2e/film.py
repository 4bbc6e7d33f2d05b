"""Animated pictures (APNG) made of screenshots."""

import io
from pathlib import Path

from PIL import Image


class Film:
    """Frames of one size, each with the time it is shown, in milliseconds.

    Where animations are not played, ``still`` (the place of a frame) is shown.
    """

    def __init__(self, still: int) -> None:
        self._still = still
        self._frames: list[tuple[Image.Image, int]] = []

    def add(self, screenshot: bytes, milliseconds: int) -> None:
        self._frames.append((Image.open(io.BytesIO(screenshot)).convert("RGB"), milliseconds))

    def save(self, path: Path) -> None:
        images, durations = zip(*self._frames, strict=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        images[self._still].save(
            path, save_all=True, default_image=True, append_images=images, duration=durations, loop=0
        )
