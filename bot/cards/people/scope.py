"""Who is shown in Teams: the form, and the dry run of what was entered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput, ToggleInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import with_errors
from bot.cards.parts import button, capped, card, header, note, plain, row, text, tiles
from bot.languages import Texts
from sync.domain.errors import Fault, SyncError
from sync.domain.model import IntegrationView, Rule, RuleKind, Rules, of_kind
from sync.people.scope.rules import Changes, RuleRefused, Scope, ScopeMode, ScopeView, Side, Site, Someone

MAX_TYPED = 1500
FIELD_OF = {
    RuleKind.EXTENSIONS: "extensions",
    RuleKind.ADDRESS: "addresses",
    RuleKind.SITE: "sites",
    RuleKind.GROUP: "groups",
}
"""The input of each kind of rule."""

SYMBOLS = {Side.COME: "➕", Side.GO: "➖"}


@dataclass(frozen=True, slots=True)
class Typed:
    """The inputs, as entered or as they are: they are carried by the buttons of the dry run."""

    mode: str = ""
    extensions: str = ""
    addresses: str = ""
    sites: str = ""
    groups: str = ""
    may_opt_out: str = ""

    @classmethod
    def of(cls, scope: Scope) -> "Typed":
        own = "true" if scope.may_opt_out else "false"
        return replace(cls.of_rules(scope.rules), mode=scope.mode.value, may_opt_out=own)

    @classmethod
    def of_rules(cls, rules: Rules) -> "Typed":
        return cls(
            extensions=", ".join(rule.value for rule in of_kind(rules, RuleKind.EXTENSIONS)),
            addresses=", ".join(rule.value for rule in of_kind(rules, RuleKind.ADDRESS)),
            sites=",".join(rule.value for rule in of_kind(rules, RuleKind.SITE)),
            groups="\n".join(_group(rule) for rule in of_kind(rules, RuleKind.GROUP)),
        )


MAX_SAID = 8
"""Rules that a dry run names."""

IN_SHORT = 3

FIELDS = tuple(field.name for field in fields(Typed))


def _group(rule: Rule) -> str:
    """The name is for people; the id decides."""
    return f"{capped(rule.name, 40)} ({rule.value})" if rule.name else rule.value


def group_lines(typed: str) -> list[str]:
    """One group a line: names may hold commas."""
    return [line.strip() for line in typed.replace("\r", "\n").split("\n") if line.strip()]


def rule_error(texts: Texts, refused: RuleRefused) -> FormError:
    """What is wrong with a rule, beside the field it was entered in."""
    key = f"scope.refused.{refused.fault}"
    return FormError(
        texts(key, typed=capped(refused.typed, 60)),
        texts(f"{key}.remedy"),
        field=FIELD_OF[refused.kind] if refused.kind else "",
    )


def group_error(texts: Texts, found: FormError, error: SyncError) -> FormError:
    """Why no group could be read: what is missing is most likely the permission for it."""
    if error.fault is not Fault.GRAPH_FORBIDDEN:
        return replace(found, field="groups")
    sentence, remedy = texts("scope.refused.group_forbidden"), texts("scope.refused.group_forbidden.remedy")
    return FormError(sentence, remedy, found.link, "groups")


def form(
    texts: Texts,
    view: IntegrationView,
    found: ScopeView,
    typed: Typed,
    errors: Sequence[FormError] = (),
    *,
    said: str = "",
) -> Card:
    """``said`` is what was saved."""
    title = texts("scope.title")
    body: list[CardElement] = [
        header("🎯", title, f"{capped(view.name, 40)} · {texts.plural('scope.shown', found.shown)}")
    ]
    if said:
        body.append(note("good", "✅", said, texts("preview.closed" if view.closed else "scope.saved.soon")))
    body += unread_groups(texts, found)
    inputs = [_mode(texts, typed), *rule_inputs(texts, found, typed)]
    body += with_errors(inputs, errors)
    body += [_may_opt_out(texts, typed), row("👤", texts("scope.one_person"))]
    return card(texts, title, body, _form_actions(texts, view), wide=True)


def unread_groups(texts: Texts, found: ScopeView) -> list[CardElement]:
    return [
        note("warning", "⚠️", texts("scope.unread", group=capped(each.name, 60)), texts("scope.unread.remedy"))
        for each in found.unread
    ]


def _mode(texts: Texts, typed: Typed) -> ChoiceSetInput:
    return ChoiceSetInput(
        id="mode",
        label=texts("scope.mode"),
        choices=[Choice(title=texts(f"scope.mode.{mode}"), value=mode.value) for mode in ScopeMode],
        value=typed.mode or ScopeMode.EVERYONE.value,
        style="expanded",
        wrap=True,
    )


def rule_inputs(texts: Texts, found: ScopeView, typed: Typed) -> list[TextInput | ChoiceSetInput]:
    inputs: list[TextInput | ChoiceSetInput] = [
        _text(texts, "extensions", typed.extensions, "200-299, 310"),
        _text(texts, "addresses", typed.addresses, "*@sales.example"),
    ]
    if len(found.sites) > 1 or typed.sites:
        inputs.append(_sites(texts, found.sites, typed.sites))
    return [*inputs, _text(texts, "groups", typed.groups, texts("scope.groups.hint"), lines=True)]


def _text(texts: Texts, name: str, value: str, example: str, *, lines: bool = False) -> TextInput:
    return TextInput(
        id=name,
        label=texts(f"scope.{name}"),
        value=value or None,
        placeholder=example,
        is_multiline=lines or None,
        max_length=MAX_TYPED,
    )


def _sites(texts: Texts, sites: Sequence[Site], chosen: str) -> ChoiceSetInput:
    choices = [
        Choice(title=texts.plural("scope.site", site.people, someone=capped(site.someone, 40)), value=site.id)
        for site in sites
    ]
    known = {site.id for site in sites}
    gone = [site for site in chosen.split(",") if site and site not in known]
    choices += [Choice(title=texts("scope.site.gone", site=capped(site, 12)), value=site) for site in gone]
    return ChoiceSetInput(
        id="sites",
        label=texts("scope.sites"),
        choices=choices,
        value=chosen or None,
        is_multi_select=True,
        style="expanded",
        wrap=True,
    )


def _may_opt_out(texts: Texts, typed: Typed) -> ToggleInput:
    return ToggleInput(
        id="may_opt_out",
        label=texts("scope.own_choice"),
        title=texts("scope.may_opt_out"),
        value="false" if typed.may_opt_out == "false" else "true",
        wrap=True,
        spacing="Large",
    )


def _form_actions(texts: Texts, view: IntegrationView) -> list[Action]:
    data = {"integration": view.id}
    revised = {**data, "revision": str(view.revision)}
    return [
        button(texts("button.preview"), "scope.preview", revised, style="positive", inputs=True),
        button(texts("button.people"), "people.show", data),
    ]


def dry_run(
    texts: Texts, view: IntegrationView, wanted: Scope, changes: Changes, sites: Sequence[Site] = ()
) -> Card:
    """Who comes and who goes with ``wanted``, before it is saved; a site is named by someone who is there."""
    title = texts("scope.dry_run")
    body: list[CardElement] = [
        header("🎯", title, capped(view.name, 40)),
        *_said(texts, wanted, sites),
        tiles(
            (texts("scope.come"), texts.number(changes.come)),
            (texts("scope.go"), texts.number(changes.go)),
            (texts("scope.then"), texts.number(changes.shown)),
        ),
    ]
    data = _carried(view, wanted)
    actions: list[Action] = [button(texts("button.save"), "scope.save", data, style="positive")]
    for side, count, first in (
        (Side.COME, changes.come, changes.first_come),
        (Side.GO, changes.go, changes.first_go),
    ):
        body += first_of(texts, f"scope.{side}.who", side, count, first)
        if count > len(first):
            more = {**data, "side": side.value}
            actions.append(button(texts(f"button.all_{side}"), "scope.page", more))
    if changes.go > changes.shown - changes.come:
        body.append(note("warning", "⚠️", texts("scope.most_go"), texts("scope.most_go.remedy")))
    body.append(note("default", "💾", texts("scope.nothing_saved")))
    return card(texts, title, body, [*actions, button(texts("button.change"), "scope.change", data)], wide=True)


def first_of(texts: Texts, title: str, side: Side, count: int, first: Sequence[Someone]) -> list[CardElement]:
    """The first who come, or go, below the text ``title``."""
    if not count:
        return []
    body: list[CardElement] = [text(texts(title), weight="Bolder", spacing="Medium")]
    body += [someone_row(side, each) for each in first]
    more = count - len(first)
    return [*body, plain(texts.plural("preview.more", more), subtle=True)] if more > 0 else body


def side_page(
    texts: Texts, view: IntegrationView, wanted: Scope, side: Side, people: Sequence[Someone], *, has_more: bool
) -> Card:
    """Everyone who comes, or goes, ten a page."""
    title = texts(f"scope.{side}.who")
    body: list[CardElement] = [header("🎯", title, capped(view.name, 40))]
    body += [someone_row(side, each) for each in people] or [text(texts("people.empty"))]
    data = _carried(view, wanted)
    body.append(note("default", "💾", texts("scope.nothing_saved")))
    actions: list[Action] = [button(texts("button.save"), "scope.save", data, style="positive")]
    if has_more:
        after = {**data, "side": side.value, "after": people[-1].id}
        actions.append(button(texts("button.more"), "scope.page", after))
    return card(texts, title, body, [*actions, button(texts("button.change"), "scope.change", data)], wide=True)


def someone_row(side: Side, someone: Someone) -> CardElement:
    name = capped(someone.name, 50) or someone.id
    return row(SYMBOLS[side], " · ".join(part for part in (name, someone.extension) if part))


def _said(texts: Texts, scope: Scope, sites: Sequence[Site] = ()) -> list[CardElement]:
    """The scope in words."""
    said: list[CardElement] = [text(texts(f"scope.mode.{scope.mode}"), weight="Bolder")]
    said += rules_said(texts, scope.rules, sites)
    return said if scope.may_opt_out else [*said, row("•", texts("scope.no_opt_out"))]


def rules_said(texts: Texts, rules: Rules, sites: Sequence[Site] = ()) -> list[CardElement]:
    """Rules in words, one a line; a site is named by someone who is there."""
    someone = {site.id: texts("scope.site.of", someone=capped(site.someone, 40)) for site in sites}
    said: list[CardElement] = [
        row("•", someone.get(rule.value) or rule_words(texts, rule.kind, rule.said)) for rule in rules[:MAX_SAID]
    ]
    more = len(rules) - MAX_SAID
    return [*said, plain(texts.plural("preview.more", more), subtle=True)] if more > 0 else said


def rules_in_short(texts: Texts, rules: Rules) -> str:
    """The first rules in words, in one line."""
    said = [rule_words(texts, rule.kind, capped(rule.said, 30)) for rule in rules[:IN_SHORT]]
    return " · ".join([*said, *(["…"] if len(rules) > IN_SHORT else [])])


def rule_words(texts: Texts, kind: str, value: str) -> str:
    """A rule in words; ``kind`` is a value of ``RuleKind``, or ``only`` for who is in no rule."""
    if kind == RuleKind.EXTENSIONS and value.isdecimal():
        return texts("scope.rule.extension", value=value)
    return texts(f"scope.rule.{kind}", value=capped(value, 60))


def _carried(view: IntegrationView, wanted: Scope) -> Mapping[str, str]:
    typed = asdict(Typed.of(replace(wanted, rules=bare(wanted.rules))))
    return {**typed, "integration": view.id, "revision": str(view.revision)}


def bare(rules: Rules) -> Rules:
    """Without the names of groups, as buttons carry them: the ids decide."""
    return tuple(replace(rule, name="") for rule in rules)
