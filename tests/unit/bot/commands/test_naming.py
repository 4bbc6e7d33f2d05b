"""Which integrations are named beside a command, and what is left of the words."""

import pytest

from bot.chat.router import Router, normalised
from bot.commands import COMMANDS
from bot.commands.naming import WORD, Named, named_in, ways_to_mean

ROUTER = Router(COMMANDS)
TENANT = ("Porto Office", "Porto", "Vale Contact Centre", "Casa da Música", "Testing", "Client Secret GmbH")


def meant(said: str, *names: str) -> tuple[str, set[str]]:
    """The command and the integrations that these words mean, as a chat would take them."""
    known = {name: WORD.findall(normalised(name)) for name in names or TENANT}
    found = None if ROUTER.is_said(said) else named_in(said, known, *ways_to_mean(ROUTER))
    command = ROUTER.command(found.rest if found else said)
    return command.key if command else "", set(found.ids) if found else set()


@pytest.mark.parametrize(
    ("said", "key", "names"),
    [
        ("status porto office", "status", {"Porto Office"}),
        ("STATUS  of   Porto Office!", "status", {"Porto Office"}),
        ("estado da porto office", "status", {"Porto Office"}),
        ("porto office status", "status", {"Porto Office"}),
        ("status porto offcie", "status", {"Porto Office"}),
        ("status porto", "status", {"Porto"}),
        ("status vale", "status", {"Vale Contact Centre"}),
        ("stauts vale", "status", {"Vale Contact Centre"}),
        ("disable presence vale", "disable", {"Vale Contact Centre"}),
        ("remove the vale integration", "remove", {"Vale Contact Centre"}),
        ("rotate vale secret", "rotate", {"Vale Contact Centre"}),
        ("relatório da casa da musica", "report", {"Casa da Música"}),
        ("desativar presença musica", "disable", {"Casa da Música"}),
        ("test testing", "test", {"Testing"}),
        ("rename vale", "edit", {"Vale Contact Centre"}),
        ("quem fica de fora em vale", "people", {"Vale Contact Centre"}),
        ("vale contact", "", {"Vale Contact Centre"}),
    ],
)
def test_a_command_with_a_name_or_a_part_of_one_is_that_command_for_that_integration(
    said: str, key: str, names: set[str]
) -> None:
    assert meant(said) == (key, names)


@pytest.mark.parametrize(
    ("said", "names", "expected"),
    [
        ("status lisbon", ("Lisbon North", "Lisbon South", "Porto"), {"Lisbon North", "Lisbon South"}),
        ("status lisbon s", ("Lisbon North", "Lisbon S"), {"Lisbon S"}),
        ("status lis", ("Lisbon North", "Porto"), {"Lisbon North"}),
        ("status port", ("Port", "Porto"), {"Port"}),
        ("status port", ("Port Said", "Porto"), {"Port Said"}),
        ("disable presence lx", ("LX", "Porto"), {"LX"}),
        ("status 北京", ("北京", "上海"), {"北京"}),
    ],
)
def test_of_several_the_best_named_are_meant(said: str, names: tuple[str, ...], expected: set[str]) -> None:
    assert meant(said, *names)[1] == expected


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("status", "status"),
        ("rotate the client secret", "rotate"),
        ("thanks", ""),
        ("why ana vale", "why"),
        ("status lisbon", ""),
        ("what is the weather in porto", ""),
        ("please let me know how it is that the weather was in porto last week at noon", ""),
        ("", ""),
        ("🙂", ""),
    ],
)
def test_other_words_name_no_integration(said: str, key: str) -> None:
    assert meant(said) == (key, set())


def test_a_name_that_nobody_has_is_not_mistaken_for_another_command() -> None:
    for said, key in (
        *(("status vale", "status"), ("status porto office", "status"), ("estado da porto office", "status")),
        *(
            ("remove integration x", "remove"),
            ("report acme", "report"),
            ("qual a integração nova?", "integrations"),
        ),
    ):
        assert next(command.key for command in ROUTER.nearest(said)) == key


def test_no_name_is_looked_for_without_integrations() -> None:
    assert named_in("status porto", {}, bool) is None
    assert named_in("status porto", {"i": ["porto"]}, bool) == Named(frozenset("i"), "status")
