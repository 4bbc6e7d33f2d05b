"""Which typed words are a command."""

from dataclasses import replace

import pytest

from bot.chat.router import Router, normalised
from bot.commands import COMMANDS

ROUTER = Router(COMMANDS)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Setup   Integration", "setup"),
        ("CONFIGURAR INTEGRACAO", "setup"),
        ("configurar integrac\u0327a\u0303o", "setup"),
        (" olá! ", "help"),
        ("Olá", "help"),
        ("HELLO.", "help"),
        ("hi", "help"),
        ("?", "help"),
        ("ativar presenca", "enable"),
        ("habilitar presença", "enable"),
        ("status\u00a0", "status"),
        ("idioma", "language"),
    ],
)
def test_case_accents_and_blanks_do_not_count(said: str, key: str) -> None:
    found = ROUTER.command(said)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize("said", ["", "setup integration now", "setupintegration", "!!!"])
def test_other_words_are_no_command(said: str) -> None:
    assert ROUTER.command(said) is None


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("stauts", "status"),
        ("configurar integraçao nova", "setup"),
        ("remove integrations", "remove"),
        ("hlep", "help"),
    ],
)
def test_the_nearest_is_suggested_first(said: str, key: str) -> None:
    nearest = ROUTER.nearest(said)
    assert nearest[0].key == key
    assert len(nearest) <= 3
    assert len({command.key for command in nearest}) == len(nearest)


@pytest.mark.parametrize("said", ["", "qqqq zzzz", "🙂"])
def test_nothing_is_near_to_nonsense(said: str) -> None:
    assert ROUTER.nearest(said) == []


def test_two_commands_cannot_have_the_same_name() -> None:
    with pytest.raises(ValueError, match="status"):
        Router([*COMMANDS, replace(COMMANDS[0], key="other", titles={"en": "Status", "pt": "outro"}, aliases=())])


def test_a_long_text_is_cut_before_it_is_compared() -> None:
    assert len(normalised("a" * 100_000)) <= 1000
