"""Which typed words are a command, which are a remark, and what is suggested for the others."""

from dataclasses import replace

import pytest

from bot.chat.router import Router, language_said, normalised, words_of
from bot.chat.vocabulary import ABOUT, BESIDE_A_NAME, REMARKS
from bot.commands import COMMANDS
from bot.languages import load_texts

ROUTER = Router(COMMANDS)
TEXTS = load_texts()
LABELS = sorted({texts.lenient(key, {}) for texts in TEXTS.values() for key in texts.keys if key[:7] == "button."})


def meant(said: str) -> str:
    command = ROUTER.command(said)
    return command.key if command else ""


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
    assert meant(said) == key


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("stauts", "status"),
        ("hlep", "help"),
        ("setupintegration", "setup"),
        ("enabel presence", "enable"),
        ("configurar integraçao nova", "setup"),
        ("setup integration now", "setup"),
        ("show me the status please", "status"),
        ("how do I rotate the client secret?", "rotate"),
        ("my secret expired", "rotate"),
        ("o segredo expirou", "rotate"),
        ("it doesn't work", "status"),
        ("não funciona", "status"),
        ("delete the integration", "remove"),
        ("pause", "disable"),
        ("pausar", "disable"),
        ("suspend", "disable"),
        ("resume", "enable"),
        ("who changed what", "history"),
        ("I want to change the name", "edit"),
        ("add an admin", "admins"),
        ("English please", "language"),
        ("export to Excel", "export"),
    ],
)
def test_a_command_is_understood_in_other_words_and_in_spite_of_slips(said: str, key: str) -> None:
    assert meant(said) == key


@pytest.mark.parametrize(
    "said", ["", "!!!", "weather", "what is the weather in Lisbon", "book a meeting", "restart", "🙂", "asdf"]
)
def test_other_words_are_no_command_and_nothing_misleading_is_suggested(said: str) -> None:
    assert (meant(said), ROUTER.remark(said), ROUTER.nearest(said)) == ("", "", [])


@pytest.mark.parametrize(
    ("said", "remark"),
    [
        ("thanks!", "thanks"),
        ("Obrigado.", "thanks"),
        ("muito obrigada", "thanks"),
        ("ok", "noted"),
        ("Está bem.", "noted"),
        ("Great!", "noted"),
        ("ok obrigado", "thanks"),
        ("Who are you?", "who"),
        ("quem és?", "who"),
        ("cancel", "leave"),
        ("Voltar", "leave"),
        ("back", "leave"),
        ("cancel setup", "leave"),
        ("please cancel the set-up!", "leave"),
        ("Cancelar a configuração", "leave"),
        ("cancelar integração", "leave"),
        ("undo", "undo"),
        ("yes", "answer"),
        ("sim", "answer"),
    ],
)
def test_a_remark_has_an_answer_of_its_own(said: str, remark: str) -> None:
    assert (meant(said), ROUTER.remark(said)) == ("", remark)


def test_what_the_cards_themselves_say_is_understood() -> None:
    said = [label for label in LABELS if "–" not in label and "2" not in label]
    ways = ROUTER.command, ROUTER.remark, ROUTER.nearest
    assert [label for label in said if not any(understood(label) for understood in ways)] == []


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ("delete history", {"remove", "history"}),
        ("turn", {"enable", "disable"}),
        ("stop", {"disable", "opt_out"}),
        ("renew secret automatically", {"rotate", "auto_rotate"}),
    ],
)
def test_where_two_are_as_likely_both_are_suggested(said: str, keys: set[str]) -> None:
    assert meant(said) == ""
    assert {command.key for command in ROUTER.nearest(said)} == keys


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("status lisbon", "status"),
        ("Estado de Lisboa?", "status"),
        ("lisbon status", "status"),
        ("test connection acme", "test"),
        ("relatório da acme norte", "report"),
        ("status", "status"),
        ("status of my secret", ""),
        ("latest lisbon", ""),
        ("lisbon", ""),
        ("delete history", ""),
        ("", ""),
    ],
)
def test_the_command_beside_an_unknown_name_is_known(said: str, key: str) -> None:
    command = ROUTER.beside_a_name(said)
    assert (command.key if command else "") == key


def test_every_command_is_spoken_of() -> None:
    assert {command.key for command in COMMANDS} - ABOUT.keys() <= {"person"}


def test_what_is_said_is_stored_as_it_is_compared() -> None:
    said = [*REMARKS, *BESIDE_A_NAME, *(word for words in ABOUT.values() for word in words)]
    assert [each for each in said if normalised(each) != each] == []
    assert [each for each in {word for words in ABOUT.values() for word in words} if words_of(each) != [each]] == []


def test_two_commands_cannot_have_the_same_name() -> None:
    with pytest.raises(ValueError, match="status"):
        Router([*COMMANDS, replace(COMMANDS[0], key="other", titles={"en": "Status", "pt": "outro"}, aliases=())])


def test_a_long_text_is_cut_before_it_is_compared() -> None:
    assert len(normalised("a" * 100_000)) <= 1000
    assert len(words_of("word " * 1000)) <= 12


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "pt",
            ["olá", "Bom dia!", "qual é o estado?", "o que fazes?", "quem és tu", "obrigada", "porquê Ana"],
        ),
        ("en", ["hello", "setup integration", "why Ana Martins", "who are you?", "stop showing my calls"]),
        (None, ["", "Ana Martins", "2001", "ok"]),
    ],
)
def test_the_language_of_what_is_said_is_recognised(language: str | None, sentences: list[str]) -> None:
    assert {said: language_said(said) for said in sentences} == dict.fromkeys(sentences, language)


def test_the_title_of_each_command_is_recognised_as_its_language() -> None:
    for command in COMMANDS:
        assert language_said(command.titles["pt"]) == "pt"
        assert language_said(command.titles["en"]) in ("en", None)
