"""The catalogues: complete, alike, used, and in the Portuguese of Portugal."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.cards.credentials.rotation import SHOWN_STEPS
from bot.cards.field_errors import fault_link
from bot.cards.health.drill import STEPS
from bot.cards.health.picture import PARTS
from bot.languages import Language, Texts, language_of, load_texts
from sync.audit import Act
from sync.domain.drills import MOMENTS, Rehearsal
from sync.domain.errors import Fault
from sync.domain.model import CredentialKind, ExpirySource, Freshness, RuleKind, Service, Unmatched
from sync.domain.people import PeopleFilter, Reason, Step
from sync.domain.phone_events import CallState
from sync.domain.presence import Effect, LineState, Presence
from sync.domain.reports import Cadence
from sync.domain.roles import Role
from sync.domain.rotation import OldSecretLeft
from sync.domain.schedule import Preset
from sync.people.imports.values import LineFault
from sync.people.scope.rules import ScopeMode, Side
from sync.presence.mapping import MAPPABLE, PRESENCES, Leave
from sync.problems.health import DIRECTORY
from sync.problems.incidents import CLOCK, GROUPS, LISTS, PEOPLE, SUBSCRIPTION
from tests.cards.gallery.gallery import LINKS, example
from tests.support.clocks import NOON
from tests.support.tools import ROOT

TEXTS = load_texts()
ENGLISH, PORTUGUESE = TEXTS[Language.ENGLISH], TEXTS[Language.PORTUGUESE]
BOT = ROOT / "bot"
SOURCES = sorted(source for source in BOT.rglob("*.py") if source.name != "gallery.py")
BRAZILIAN = (
    "você|tela|arquivo|usuário|usuários|gerenciar|senha|salvar|salvo|cadastro|registro|registros|contato|celular|"
    "deletar|equipe|time|conexão|clique|clicar|aplicativo|locatário|habilitado|ativo agora|compartilhar|acessar"
)

ENUMS: Mapping[str, Iterable[str]] = {
    "act.{}": Act,
    "attempt.{}": [act for act in Act if f"attempt.{act}" in ENGLISH.keys],
    "certificate.now.{}": set(CredentialKind) - {CredentialKind.SECRET},
    "apology.{}": ("what", "disk", "database"),
    "credential.{}": CredentialKind,
    "digest.{}": [one or "never" for one in Cadence],
    "button.drill_{}": STEPS,
    "drill.{}": Rehearsal,
    "drill.{}.what": Rehearsal,
    "drill.moment.{}": MOMENTS,
    "expiry.source.{}": set(ExpirySource) - {ExpirySource.UNKNOWN},
    "fault.{}": Fault,
    "fault.{}.remedy": Fault,
    "import.fault.{}": LineFault,
    "line.{}": LineState,
    "mapping.show.{}": [*(each.activity for each in PRESENCES), *Leave, "clear"],
    "mapping.state.{}": MAPPABLE,
    "notice.problem.{}": (CLOCK, DIRECTORY, GROUPS, LISTS, PEOPLE, SUBSCRIPTION),
    "notice.problem.{}.remedy": (DIRECTORY, GROUPS, LISTS, PEOPLE),
    "picture.{}": [name for name, *_ in PARTS],
    "people.filter.{}": PeopleFilter,
    "person.call.{}": set(CallState) - {CallState.ENDED, CallState.UNCHANGED},
    "presence.{}": [each.activity for each in Presence],
    "preview.remedy.{}": Unmatched,
    "proof.{}": set(Effect) - {Effect.AS_WISHED, Effect.UNCLEAR},
    "replay.{}": ("less", "more", "instead"),
    "replay.total.{}": ("less", "more", "instead"),
    "role.{}": set(Role) - {Role.EVERYONE},
    "role.{}.may": set(Role) - {Role.EVERYONE},
    "rotate.old_left.{}": OldSecretLeft,
    "rotate.old_left.{}.remedy": OldSecretLeft,
    "rotate.step.{}": SHOWN_STEPS,
    "schedule.preset.{}": Preset,
    "scope.mode.{}": ScopeMode,
    "scope.rule.{}": (*RuleKind, "only"),
    "scope.{}.who": Side,
    "rules.{}.who": Side,
    "rules.all_{}": Side,
    "button.all_{}": Side,
    "service.{}": Service,
    "status.polling.{}": set(Freshness) - {Freshness.LIVE},
    "unmatched.{}": Unmatched,
    "why.reason.{}": Reason,
    "why.reason.{}.remedy": Reason,
    "why.step.{}": Step,
}
"""The patterns of keys with an enum's value put in, and the values that occur."""

NO_ENUM = frozenset(
    {
        *("alerts.state.{}", "button.{}", "export.column.{}", "export.people.{}", "field.expires_in.{}"),
        *("field.{}", "field.{}.hint", "help.group.{}", "monitors.secret.{}", "notice.closed.{}"),
        *("notice.closed.{}_by", "notice.problem.{}.what", "person.done.{}", "remark.{}", "remark.{}.what"),
        *("schedule.{}", "setup.checking.{}", "setup.{}", "setup.{}.how", "update.{}.name", "update.{}.notes"),
        *(
            "check.{}",
            "check.{}.remedy",
            "{}.remedy",
            "{}.more",
            "export.report.{}",
            "import.{}",
            "report.{}",
            "further.{}",
            "further.{}.remedy",
        ),
        *("people.{}", "scope.{}"),
    }
)


def used() -> Iterator[re.Pattern[str]]:
    """Every key the sources name, and every pattern of keys they put together."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.compile(re.escape(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else None for p in node.values)
                yield re.compile("".join(r"[\w.]+" if part is None else re.escape(str(part)) for part in parts))


def asked_for() -> Iterator[str]:
    """The keys that are written out where a sentence is asked for."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_texts(node.func):
                first = node.args[0]
                literals = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                yield from (str(one.value) for one in literals if isinstance(one, ast.Constant))


def _is_texts(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute) and called.attr in ("plural", "lenient"):
        called = called.value
    return (called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")) == "texts"


def test_both_languages_have_the_same_keys() -> None:
    assert ENGLISH.keys == PORTUGUESE.keys
    assert len(ENGLISH.keys) > 200


@pytest.mark.parametrize("language", TEXTS)
def test_no_key_is_twice_in_a_catalogue(language: Language) -> None:
    lines = (ROOT / f"bot/languages/{language}.po").read_text("utf-8").splitlines()
    keys = Counter(line for line in lines if line.startswith("msgid "))
    assert [key for key, count in keys.items() if count > 1] == []


def test_both_languages_have_the_same_placeholders() -> None:
    keys = sorted(ENGLISH.keys)
    assert [key for key in keys if ENGLISH.placeholders(key) != PORTUGUESE.placeholders(key)] == []


def test_every_used_key_exists() -> None:
    keys = set(asked_for())
    assert len(keys) > 100
    assert keys - ENGLISH.keys == set()


def test_no_key_is_unused() -> None:
    patterns = [pattern for pattern in used() if not pattern.pattern.startswith("[")]
    assert [key for key in sorted(ENGLISH.keys) if not any(p.fullmatch(key) for p in patterns)] == []


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_every_key_of_sync_has_its_words(texts: Texts) -> None:
    for fault in Fault:
        assert {f"fault.{fault}", f"fault.{fault}.remedy"} <= texts.keys
        link = fault_link(example(fault), texts, LINKS)
        assert link is None or link.url.startswith("https://")
    named = [f"probe.{step}" for step in ("account", "users", "token", "directory", "presence")]
    named += [pattern.replace("{}", value) for pattern, values in ENUMS.items() for value in map(str, values)]
    assert set(named) <= texts.keys


def composed() -> Iterator[str]:
    """The keys with one value put in, where a sentence is asked for: ``role.{}``."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_texts(node.func):
                key = node.args[0]
                if isinstance(key, ast.JoinedStr):
                    yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in key.values)


def test_each_enum_in_a_key_is_known_here() -> None:
    """A new pattern belongs to ``ENUMS``, with every value it can have, or to ``NO_ENUM``."""
    found = {pattern for pattern in composed() if pattern.count("{}") == 1}
    assert found - ENUMS.keys() - NO_ENUM == set()


def test_portuguese_is_not_left_in_english() -> None:
    same = {key for key in ENGLISH.keys if ENGLISH.lenient(key, {}) == PORTUGUESE.lenient(key, {})}
    assert same == {"service.cloudlink", "service.entra", "service.graph", "shown.offline"}


def test_portuguese_is_that_of_portugal() -> None:
    said = "\n".join(PORTUGUESE.lenient(key, {}) for key in PORTUGUESE.keys)
    assert re.findall(rf"\b({BRAZILIAN})\b", said, re.IGNORECASE) == []
    assert set(re.findall(r"\b\w+ndo\b", said.lower())) <= {"quando", "comando", "segundo", "incluindo"}, "a gerund"


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("button.save", "Guardar"),
        ("button.cancel", "Cancelar"),
        ("button.remove", "Remover"),
        ("button.done", "Concluído"),
        ("field.name", "Nome"),
        ("field.tenant_id", "ID do Inquilino"),
        ("field.client_id", "ID da Aplicação (Cliente)"),
        ("field.client_secret", "Segredo do Cliente (Valor)"),
        ("setup.microsoft.consent", "consentimento do administrador (permissão de administrador)"),
        ("setup.microsoft.permissions.how", "Permissões da aplicação"),
        ("setup.microsoft.registration.how", "Novo registo"),
        ("setup.microsoft.secret.how", "Certificados e segredos"),
    ],
)
def test_portuguese_uses_microsofts_and_mitels_terms(key: str, word: str) -> None:
    assert word in PORTUGUESE.lenient(key, {})


def test_plurals() -> None:
    assert ENGLISH.plural("setup.found", 1, account="A") == "Found 1 person in A"
    assert ENGLISH.plural("setup.found", 0, account="A") == "Found 0 people in A"
    assert PORTUGUESE.plural("setup.found", 1, account="A") == "Foi encontrada 1 pessoa em A"
    assert PORTUGUESE.plural("setup.found", 12_345, account="A") == "Foram encontradas 12\u00a0345 pessoas em A"


def test_dates_numbers_and_ages_as_the_language_has_them() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    earlier = now - timedelta(minutes=3)
    assert (ENGLISH.date(date(2027, 5, 31)), PORTUGUESE.date(date(2027, 5, 31))) == (
        "31 May 2027",
        "31 de maio de 2027",
    )
    assert (ENGLISH.relative(earlier, now), PORTUGUESE.relative(earlier, now)) == ("3 minutes ago", "há 3 minutos")
    assert (ENGLISH.duration(0.26), PORTUGUESE.duration(0.26), ENGLISH.duration(12.6)) == ("0.3 s", "0,3 s", "13 s")
    assert ENGLISH.duration(0.02) == "0.1 s", "nothing takes no time"
    assert (ENGLISH.span(300), PORTUGUESE.span(300)) == ("5 minutes", "5 minutos")


def test_what_has_just_happened_is_past_also_where_the_clocks_differ() -> None:
    for ahead in (0, 30):
        assert PORTUGUESE.when(NOON + timedelta(seconds=ahead), NOON, "UTC") == "há 1 segundo"


def test_until_a_time_of_today_another_day_and_a_date() -> None:
    said = [PORTUGUESE.until(NOON + timedelta(days=days), NOON, "UTC") for days in (0, 1, 8)]
    assert said == ["às 12:00", "terça-feira às 12:00", PORTUGUESE.moment(NOON + timedelta(days=8), "UTC")]
    assert ENGLISH.until(NOON, NOON, "UTC") == "12:00"


def test_an_unknown_key_is_a_fault_of_ours_and_a_missing_fact_a_dash() -> None:
    with pytest.raises(KeyError):
        ENGLISH("no.such.key")
    assert ENGLISH.lenient("fault.graph.consent_missing", {}) == "Admin consent is missing for –."


def test_a_fact_from_outside_cannot_reach_into_the_sentence() -> None:
    said = ENGLISH.lenient("fault.graph.consent_missing", {"permissions": "{self.__class__}"})
    assert "{self.__class__}" in said


@pytest.mark.parametrize(
    ("locale", "language"),
    [("pt-PT", "pt"), ("pt", "pt"), ("PT-br", "pt"), ("pt_PT", "pt"), ("en", "en"), ("", "en"), ("ptx", "en")],
)
def test_the_language_of_a_locale(locale: str, language: str) -> None:
    assert language_of(locale) == language
