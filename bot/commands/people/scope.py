"""``scope``: who is shown in Teams, tried on everyone before it is saved."""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass

from bot.cards.field_errors import FormError
from bot.cards.people import scope as cards
from bot.cards.people.scope import FIELDS, Typed
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.integrations.edit import current, show_outdated
from sync.domain.errors import SyncError
from sync.domain.model import EditedMeanwhile, IntegrationView, Rule, RuleKind, Rules, of_kind
from sync.domain.roles import Role
from sync.people.scope.rules import (
    MAX_RULES,
    RuleFault,
    RuleRefused,
    Scope,
    ScopeMode,
    ScopeView,
    Side,
    limited,
    parse_addresses,
    parse_extensions,
    scope_from,
    separated,
)

MAX_TYPED = 1500
FindGroup = Callable[[str, str, str], Awaitable[Rule]]
"""Of a tenant, an integration and what was typed."""


async def open_scope(context: TurnContext) -> None:
    await choose(context, "scope.show", show_of)


async def show_of(context: TurnContext, view: IntegrationView, said: str = "") -> None:
    found = await context.operations.scopes.view(context.tenant, view.id)
    await context.show(cards.form(context.texts, view, found, Typed.of(found.scope), said=said))


async def show(context: TurnContext) -> None:
    await show_of(context, await context.integration())


@dataclass(frozen=True, slots=True)
class Entered:
    """The scope that was entered in a form of an integration, whose scope is ``found``."""

    view: IntegrationView
    found: ScopeView
    wanted: Scope


async def change(context: TurnContext) -> None:
    """Back from the dry run to what was entered."""
    entered = await _entered(context, context.operations.scopes.known_group)
    if entered:
        typed = Typed.of(entered.wanted)
        await context.show(cards.form(context.texts, entered.view, entered.found, typed))


async def preview(context: TurnContext) -> None:
    scopes = context.operations.scopes
    entered = await _entered(context, scopes.group)
    if entered:
        view, wanted = entered.view, entered.wanted
        changes = await scopes.preview(context.tenant, view.id, wanted)
        await context.show(cards.dry_run(context.texts, view, wanted, changes, entered.found.sites))


async def page(context: TurnContext) -> None:
    """Everyone who would come or go, ten a page."""
    scopes = context.operations.scopes
    entered = await _entered(context, scopes.known_group)
    if entered:
        view, wanted = entered.view, entered.wanted
        side, after = side_of(context), context.data.get("after", "")
        people, has_more = await scopes.page(context.tenant, view.id, wanted, side, after)
        await context.show(cards.side_page(context.texts, view, wanted, side, people, has_more=has_more))


def side_of(context: TurnContext) -> Side:
    return Side.GO if context.data.get("side") == Side.GO else Side.COME


async def save(context: TurnContext) -> None:
    """Store what the dry run showed: its groups are those that were read for it."""
    scopes = context.operations.scopes
    entered = await _entered(context, scopes.known_group)
    if entered is None:
        return None
    view = entered.view
    try:
        await scopes.save(context.tenant, view.id, view.revision, entered.wanted, context.actor)
    except EditedMeanwhile:
        return await show_outdated(context, view, "scope.show")
    return await show_of(context, await context.integration(), said=context.texts("scope.saved"))


async def _entered(context: TurnContext, find: FindGroup) -> Entered | None:
    """What was entered; what is wrong with it, or that the form is outdated, is shown."""
    view, typed = await current(context, "scope.show"), typed_rules(context)
    if view is None:
        return None
    found = await context.operations.scopes.view(context.tenant, view.id)
    wanted = await _scope(context, view, typed, found, find)
    if isinstance(wanted, Scope):
        return Entered(view, found, wanted)
    await context.show(cards.form(context.texts, view, found, typed, wanted))
    return None


def typed_rules(context: TurnContext) -> Typed:
    return Typed(**{name: context.data.get(name, "")[:MAX_TYPED] for name in FIELDS})


async def _scope(
    context: TurnContext, view: IntegrationView, typed: Typed, found: ScopeView, find: FindGroup
) -> Scope | list[FormError]:
    """The scope that was entered, or what is wrong with it."""
    mode = ScopeMode(typed.mode) if typed.mode in set(ScopeMode) else found.scope.mode
    rules: Rules | list[FormError] = ()
    if mode is not ScopeMode.EVERYONE:
        rules = await rules_entered(context, view, typed, known_sites(found, found.scope.rules), find)
    if isinstance(rules, list):
        return rules
    try:
        return scope_from(mode, rules, may_opt_out=typed.may_opt_out != "false")
    except RuleRefused as refused:
        return [cards.rule_error(context.texts, refused)]


async def rules_entered(
    context: TurnContext, view: IntegrationView, typed: Typed, sites: Container[str], find: FindGroup
) -> Rules | list[FormError]:
    """The rules that were entered, each once, or what is wrong with them; ``sites`` can be chosen."""
    rules: list[Rule] = []
    errors: list[FormError] = []
    for kind, parse in (("extensions", parse_extensions), ("addresses", parse_addresses)):
        try:
            rules += parse(getattr(typed, kind))
        except RuleRefused as refused:
            errors.append(cards.rule_error(context.texts, refused))
    try:
        rules += _sites(typed.sites, sites)
        rules += [await find(context.tenant, view.id, line) for line in _groups(typed.groups)]
        limited(rules)
    except RuleRefused as refused:
        errors.append(cards.rule_error(context.texts, refused))
    except SyncError as error:
        errors.append(cards.group_error(context.texts, context.form_error(error, view.client_id), error))
    return errors or limited(rules)


def known_sites(found: ScopeView, chosen: Rules) -> set[str]:
    """The sites where people are, and those that were chosen before."""
    return {site.id for site in found.sites} | {rule.value for rule in of_kind(chosen, RuleKind.SITE)}


def _groups(typed: str) -> list[str]:
    """The groups that were entered. Raises ``RuleRefused`` for too many: each is read from Graph."""
    lines = list(dict.fromkeys(cards.group_lines(typed)))
    if len(lines) > MAX_RULES:
        raise RuleRefused(RuleFault.TOO_MANY)
    return lines


def _sites(typed: str, known: Container[str]) -> list[Rule]:
    """The sites that were ticked. Raises ``RuleRefused`` for one that is not known."""
    wanted = separated(typed)
    for site in wanted:
        if site not in known:
            raise RuleRefused(RuleFault.SITE_UNKNOWN, RuleKind.SITE, site)
    return [Rule(RuleKind.SITE, site) for site in wanted]


COMMAND = Command(
    key="scope",
    titles={"en": "scope", "pt": "âmbito"},
    descriptions={
        "en": "Who is shown in Teams: everyone, only some, or everyone but some",
        "pt": "Quem aparece no Teams: todos, só alguns, ou todos exceto alguns",
    },
    aliases=("who to show", "limit people", "quem mostrar"),
    open=open_scope,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={
        "scope.show": show,
        "scope.change": change,
        "scope.preview": preview,
        "scope.page": page,
        "scope.save": save,
    },
)
