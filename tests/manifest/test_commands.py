"""The commands Teams offers are the commands the bot understands, word for word, in both languages."""

import json

import pytest

from bot.commands import COMMANDS
from manifest import packer
from manifest.packer import FOLDER

LANGUAGES = ("en", "pt")
WORDS_OF_THE_BOT = {
    language: [(command.titles[language], command.descriptions[language]) for command in COMMANDS if command.listed]
    for language in LANGUAGES
}


def words_of_the_manifest(language: str) -> list[tuple[str, str]]:
    commands = packer.template()["bots"][0]["commandLists"][0]["commands"]
    if language == "en":
        return [(command["title"], command["description"]) for command in commands]
    texts = json.loads((FOLDER / f"{language}.json").read_text("utf-8"))
    path = "bots[0].commandLists[0].commands"
    return [(texts[f"{path}[{i}].title"], texts[f"{path}[{i}].description"]) for i in range(len(commands))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_teams_offers_what_the_bot_understands(language: str) -> None:
    assert words_of_the_manifest(language) == WORDS_OF_THE_BOT[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_fit(language: str) -> None:
    words = words_of_the_manifest(language)
    assert 0 < len(words) <= 10
    assert [title for title, _ in words if len(title) > 32] == []
    assert [description for _, description in words if len(description) > 128] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_command_is_offered_twice(language: str) -> None:
    titles = [title for title, _ in words_of_the_manifest(language)]
    assert len(titles) == len(set(titles))
