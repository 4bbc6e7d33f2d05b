"""The cards of the scope in every distinct state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from bot.activity import Card
from bot.cards.field_errors import FormError, Link
from bot.cards.people import scope as cards
from bot.cards.people.scope import Typed
from bot.cards.presence import further, rules
from bot.cards.presence.rules import Subject
from bot.languages import Texts
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Concerned, FurtherMapping, IntegrationView, Rule, RuleKind
from sync.domain.presence import LineState, Presence
from sync.integrations.mapping_editor import RulesTrial, WantedRules
from sync.people.scope.rules import (
    MAX_RULES,
    Changes,
    RuleFault,
    RuleRefused,
    Scope,
    ScopeMode,
    ScopeView,
    Side,
    Site,
    Someone,
    UnreadGroup,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400
GROUP = "1b2c3d4e-0000-4000-8000-1234567890ab"
SITES = (Site("s1", 140, "Ana Exemplo"), Site("s2", 1, "Rui Exemplo"))
SOME = Scope(
    ScopeMode.ONLY,
    (
        Rule(RuleKind.EXTENSIONS, "200-299"),
        Rule(RuleKind.EXTENSIONS, "310"),
        Rule(RuleKind.ADDRESS, "*@sales.example"),
        Rule(RuleKind.SITE, "s2"),
        Rule(RuleKind.GROUP, GROUP, "Vendas & Marketing"),
    ),
)
NAMES = ("Ana Lima", "Bea Costa", "Eva Reis", "Gil Pinto", "Ivo Nunes", "Lia Matos", "Marta Dias", "Nuno Alves")
PEOPLE = tuple(Someone(f"p{n}", name, f"2{n:02}") for n, name in enumerate((*NAMES, "Rui Melo", "Tomás Vaz")))
COMING = PEOPLE[:5]
GOING = tuple(replace(each, extension=f"4{n:02}") for n, each in enumerate(PEOPLE[5:]))
"""Whom the rules select, and whom not."""


def samples(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    found = ScopeView(Scope(), 1, 141)
    yield "scope", cards.form(texts, one, found, Typed.of(found.scope))
    some = ScopeView(SOME, 2, 42, SITES)
    yield "scope_saved", cards.form(texts, one, some, Typed.of(SOME), said=texts("scope.saved"))
    unread = replace(some, unread=(UnreadGroup("Vendas & Marketing", NOW),))
    yield "scope_unread", cards.form(texts, one, unread, Typed.of(SOME))
    yield (
        "scope_refused",
        cards.form(texts, one, some, Typed("only", "299-200", "*", "s9", "Nobody"), _errors(texts)),
    )
    yield from _dry_runs(texts, one)
    yield from _rules(texts, one)


def _errors(texts: Texts) -> list[FormError]:
    refused = [
        RuleRefused(RuleFault.EXTENSIONS_BACKWARDS, RuleKind.EXTENSIONS, "299-200"),
        RuleRefused(RuleFault.ADDRESS_EMPTY, RuleKind.ADDRESS, "*"),
        RuleRefused(RuleFault.SITE_UNKNOWN, RuleKind.SITE, "s9"),
    ]
    missing = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
    link = Link(texts("link.permissions"), "https://portal.azure.com/")
    forbidden = cards.group_error(texts, FormError("", link=link), missing)
    return [*(cards.rule_error(texts, each) for each in refused), forbidden]


def _dry_runs(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    changes = Changes(12, 19, 42, COMING, GOING)
    yield "scope_dry_run", cards.dry_run(texts, one, SOME, changes, SITES)
    most = replace(changes, go=31_204)
    yield "scope_dry_run_most", cards.dry_run(texts, one, SOME, most, SITES)
    yield "scope_dry_run_nobody", cards.dry_run(texts, one, Scope(may_opt_out=False), Changes(0, 0, 141))
    yield "scope_page", cards.side_page(texts, one, SOME, Side.GO, GOING * 2, has_more=True)
    groups = tuple(Rule(RuleKind.GROUP, f"{GROUP[:-2]}{n:02}", LONG[:120]) for n in range(MAX_RULES))
    worst = Scope(ScopeMode.EXCEPT, groups, may_opt_out=False)
    people = tuple(Someone(f"p{n}", LONG, LONG[:20]) for n in range(10))
    big = Changes(40_000, 59_000, 41_000, people[:5], people[5:])
    yield "scope_worst", cards.dry_run(texts, replace(one, name=LONG), worst, big)
    view = ScopeView(worst, 2, 100_000, tuple(Site(f"s{n}", 999, LONG) for n in range(10)))
    yield "scope_form_worst", cards.form(texts, replace(one, name=LONG), view, Typed.of(worst))


def _rules(texts: Texts, one: IntegrationView) -> Iterator[tuple[str, Card]]:
    """A mapping for some people: whom it selects."""
    reception = FurtherMapping("Reception", "Reception", rules=(Rule(RuleKind.EXTENSIONS, "100-102"),))
    some = (reception, FurtherMapping("Board", "Board", rules=SOME.rules))
    of = Subject(replace(one, further=some), some[1])
    found, typed = ScopeView(SOME, 2, 42, SITES), Typed.of_rules(SOME.rules)
    yield "mapping_rules", rules.form(texts, of, found, typed, 2)
    refused = Typed(extensions="299-200", addresses="*", sites="s9", groups="Nobody")
    yield "mapping_rules_refused", rules.form(texts, of, found, refused, 1, _errors(texts))
    concerned = tuple(
        Concerned(each.name, LineState.ON_CALL, Presence.IN_A_CALL, Presence.PRESENTING) for each in COMING
    )
    trial = RulesTrial(Changes(12, 19, 42, COMING, GOING), 5, concerned)
    wanted = WantedRules("Board", SOME.rules, 1)
    yield "mapping_rules_dry_run", rules.dry_run(texts, of, wanted, trial, found)
    nobody = RulesTrial(Changes(0, 0, 0), 0)
    yield "mapping_rules_nobody", rules.dry_run(texts, of, replace(wanted, rules=()), nobody, found)
    yield "mapping_rules_page", rules.page(texts, of, wanted, Side.COME, PEOPLE, has_more=True)
    yield "mapping_some_rules", further.listed(texts, of.view, {"Reception": 3, "Board": 42})
    groups = tuple(Rule(RuleKind.GROUP, f"{GROUP[:-2]}{n:02}", LONG[:120]) for n in range(MAX_RULES))
    big = Changes(40_000, 59_000, 41_000, COMING, GOING)
    worst = RulesTrial(big, 99_000, tuple(replace(each, name=LONG) for each in concerned))
    yield "mapping_rules_worst", rules.dry_run(texts, of, replace(wanted, rules=groups), worst, found)
