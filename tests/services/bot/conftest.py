from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.bot.chat import Chat, open_chat, open_welcomed_chat


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """A chat that has been welcomed already."""
    async with open_welcomed_chat(tmp_path) as opened:
        yield opened


@pytest.fixture
async def new_chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path) as opened:
        yield opened
