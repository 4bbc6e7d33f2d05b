"""The version of this release; a test compares it with ``pyproject.toml``."""

from typing import Final

VERSION: Final = "0.2.0"
