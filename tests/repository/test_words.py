"""What people read uses everyday words: the catalogues, the pages, the app package and the switchboard."""

import re

import pytest

from bot.commands import COMMANDS
from bot.languages import Language, load_texts
from tests.support.tools import ROOT

ENGLISH = re.compile(
    r"\b(whoever|whomever|somebody|anybody|anew|mend(s|ed|ing)?|unwell|lest|thence|whence|nought|aught|"
    r"stands|at once|(is|are|was|were|be|being) told( of)?|held up|needs? you|go(es)? on|going on|went on|"
    r"proven good|besides|takes? away|taken away|needs? nothing done)\b",
    re.IGNORECASE,
)
PORTUGUESE = re.compile(
    r"É favor|\b(habilit\w+|esquecid[oa]s?|esquece[mr]?|cifr\w+|decifr\w+|"
    r"precisa de si|provou estar|a fingir|tropeça|thumbprint(?!\))|aloja\w*|anfitri\w+|sondage\w+)\b",
    re.IGNORECASE,
)
INFINITIVE = re.compile(r"(?:^|[.;:!?] )([A-ZÁÉ][a-zçãõáéíóú]+(?:[aei]r|[áêí]-l[oa]s?))\b[^.:;]*[.:;]")
"""A sentence that begins with an infinitive: an instruction takes the imperative."""

PERSON = {
    Language.ENGLISH: re.compile(r"\bI(?:'m|'ll|'ve|'d)?\b"),
    Language.PORTUGUESE: re.compile(
        r"\b(eu|percebi|entendi|compreendi|consegui|consigo|pude|posso|soube|sei|sou|estou|fui|fiz|tenho|quero|vou|"
        r"recebi|encontrei|guardei|apaguei|enviei|li|falo)\b",
        re.IGNORECASE,
    ),
}
ACTING_BOT = {
    Language.ENGLISH: re.compile(
        r"(?:^|[.:;,?!(] |\b(?:and|let|because|that) )the bot (?!'s)[a-z]+", re.IGNORECASE
    ),
    Language.PORTUGUESE: re.compile(
        r"(?:^|[.:;,?!(] |\b(?:e|deixar|porque|que) )o bot [a-z]+|pelo bot", re.IGNORECASE
    ),
}
"""What the product does, it says as *we*; *this bot* is only its name, for who runs it or writes to it."""

TITLE_CASE = re.compile(r"^[A-ZÁÉ][a-zçãõáéíóú]+ (?:[a-z]+ )*[A-ZÁÉ][a-zçãõáéíóú]+")
NAMES = (
    *(
        "Cloud Shell",
        "Conditional Access",
        "Acesso Condicional",
        "CloudLink",
        "Microsoft",
        "Mitel",
        "Teams",
        "Azure",
    ),
    "CSV",
)

TEXTS = load_texts()
BANNED = {Language.ENGLISH: ENGLISH, Language.PORTUGUESE: PORTUGUESE}
HISTORICAL = {ROOT / "docs/leaving-botbuilder.md"}
PAGES = {
    Language.ENGLISH: [
        *sorted((ROOT / "docs/en").glob("*.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "sandbox/switchboard.html")),
        ROOT / "manifest/manifest.json",
    ],
    Language.PORTUGUESE: [
        *sorted((ROOT / "docs/pt").glob("*.md")),
        ROOT / "README.pt.md",
        ROOT / "sandbox/switchboard.html",
        ROOT / "manifest/pt.json",
    ],
}


def sentences(language: Language) -> dict[str, str]:
    """Every form of every key, and the commands' descriptions."""
    texts = TEXTS[language]
    found = {f"{key}[{n}]": form for key in texts.keys for n, form in enumerate(texts.forms(key))}
    return found | {f"command {one.key}": one.descriptions[language] for one in COMMANDS}


QUOTED = re.compile(r"(?<!\*)\*(?!\*)[^*\n]+\*|«[^»\n]+»|\(thumbprint\)|\| thumbprint \|")
"""What other programs show is quoted word for word."""


def banned_in(text: str, language: Language) -> list[str]:
    return [match.group() for match in BANNED[language].finditer(text)]


@pytest.mark.parametrize("language", TEXTS)
def test_no_sentence_uses_a_banned_word(language: Language) -> None:
    found = {key: banned_in(said, language) for key, said in sentences(language).items()}
    assert {key: words for key, words in found.items() if words} == {}


@pytest.mark.parametrize("language", TEXTS)
def test_no_sentence_says_i_or_the_bot_for_we(language: Language) -> None:
    other = (PERSON[language], ACTING_BOT[language])
    said = {key: [word for one in other for word in one.findall(text)] for key, text in sentences(language).items()}
    assert {key: words for key, words in said.items() if words} == {}


MAPPED = {
    Language.ENGLISH: re.compile(r"\bmapp?(?:ing|ings|ed)\b", re.IGNORECASE),
    Language.PORTUGUESE: re.compile(
        r"\b(?:correspond\w+|exclu[ií]\w+|em direto|rota(?:ção|ções))\b", re.IGNORECASE
    ),
}
AZURE = ("fault.entra.conditional_access.remedy", "fault.entra.device_policy.remedy")
"""Azure's own word for it."""


@pytest.mark.parametrize("language", TEXTS)
def test_one_word_for_one_thing(language: Language) -> None:
    """People are matched (*associadas*) with accounts; a presence profile (*perfil*) says what Teams shows."""
    said = {
        key: MAPPED[language].findall(re.sub(r"\{\w+\}", "", text)) for key, text in sentences(language).items()
    }
    assert {key: words for key, words in said.items() if words and not key.startswith(AZURE)} == {}


def test_portuguese_instructions_use_the_imperative() -> None:
    found = {key: INFINITIVE.findall(said) for key, said in sentences(Language.PORTUGUESE).items()}
    assert {key: words for key, words in found.items() if words} == {}


@pytest.mark.parametrize("language", TEXTS)
def test_buttons_are_in_sentence_case(language: Language) -> None:
    labels = [said for key, said in sentences(language).items() if key.startswith(("button.", "link."))]
    plain = [re.sub("|".join(NAMES), "x", said) for said in labels]
    assert [said for said in plain if TITLE_CASE.match(said)] == []


@pytest.mark.parametrize("language", PAGES)
def test_no_page_uses_a_banned_word(language: Language) -> None:
    found = [
        (page.relative_to(ROOT).as_posix(), number, word)
        for page in PAGES[language]
        if page not in HISTORICAL
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        for word in banned_in(QUOTED.sub("", line), language)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.ENGLISH, "Ask whoever runs it"),
        (Language.ENGLISH, "Graph needs you"),
        (Language.ENGLISH, "It is told of problems"),
        (Language.PORTUGUESE, "É favor tentar"),
        (Language.PORTUGUESE, "O segredo foi esquecido"),
        (Language.PORTUGUESE, "guardado cifrado"),
    ],
)
def test_a_banned_word_is_found(language: Language, said: str) -> None:
    assert len(banned_in(said, language)) == 1


def test_an_infinitive_at_the_start_of_a_sentence_is_found() -> None:
    assert INFINITIVE.findall("Nada foi feito. Copiar o valor novamente.") == ["Copiar"]
    assert INFINITIVE.findall("Copie o valor.") == []
