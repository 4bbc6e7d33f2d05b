"""The rules of a scope as people type them."""

import pytest

from sync.domain.model import Rule, RuleKind
from sync.people.scope.rules import (
    MAX_RULES,
    RuleFault,
    RuleRefused,
    Scope,
    ScopeMode,
    parse_addresses,
    parse_extensions,
    scope_from,
    scope_of,
)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("200-299", ["200-299"]),
        (" 200 – 299 ;310,\u200b 0400-0499\r\n7", ["200-299", "310", "0400-0499", "7"]),
        ("310-310", ["310"]),
        ("", []),
        (" , ;\n", []),
    ],
)
def test_extensions(typed: str, values: list[str]) -> None:
    assert [rule.value for rule in parse_extensions(typed)] == values


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("2xx", RuleFault.EXTENSIONS_MALFORMED),
        ("200-", RuleFault.EXTENSIONS_MALFORMED),
        ("-299", RuleFault.EXTENSIONS_MALFORMED),
        ("200-299-300", RuleFault.EXTENSIONS_MALFORMED),
        ("٢٠٠", RuleFault.EXTENSIONS_MALFORMED),
        ("1" * 21, RuleFault.EXTENSIONS_MALFORMED),
        ("299-200", RuleFault.EXTENSIONS_BACKWARDS),
        ("90-120", RuleFault.EXTENSIONS_WIDTHS),
    ],
)
def test_wrong_extensions_are_refused_with_what_was_typed(typed: str, fault: RuleFault) -> None:
    with pytest.raises(RuleRefused) as refused:
        parse_extensions(f"100, {typed}")
    assert (refused.value.fault, refused.value.kind, refused.value.typed) == (fault, RuleKind.EXTENSIONS, typed)


def test_addresses() -> None:
    found = parse_addresses("*@Sales.Example; ana**@x.example\nrui@x.example")
    assert [rule.value for rule in found] == ["*@sales.example", "ana*@x.example", "rui@x.example"]


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("*", RuleFault.ADDRESS_EMPTY),
        ("**@*", RuleFault.ADDRESS_EMPTY),
        ("@", RuleFault.ADDRESS_EMPTY),
        ("sales.example", RuleFault.ADDRESS_MALFORMED),
        ("ana silva@x.example", RuleFault.ADDRESS_MALFORMED),
        ("*@" + "x" * 100, RuleFault.ADDRESS_MALFORMED),
    ],
)
def test_patterns_that_are_none_or_select_everyone_are_refused(typed: str, fault: RuleFault) -> None:
    with pytest.raises(RuleRefused) as refused:
        parse_addresses(typed)
    assert (refused.value.fault, refused.value.kind) == (fault, RuleKind.ADDRESS)


def test_a_scope_is_stored_and_read_again() -> None:
    rules = (Rule(RuleKind.GROUP, "g1", "Sales"), Rule(RuleKind.SITE, "s1"), Rule(RuleKind.GROUP, "g1", "Sales"))
    scope = scope_from(ScopeMode.ONLY, rules, may_opt_out=False)
    assert scope.rules == rules[:2]
    assert scope_of(scope.as_json()) == scope
    assert scope_of({}) == Scope() == scope_from(ScopeMode.EVERYONE, rules, may_opt_out=True)


def test_a_scope_needs_a_rule_and_has_only_so_many() -> None:
    many = [Rule(RuleKind.EXTENSIONS, str(number)) for number in range(MAX_RULES + 1)]
    for rules, fault in (([], RuleFault.NO_RULES), (many, RuleFault.TOO_MANY)):
        with pytest.raises(RuleRefused) as refused:
            scope_from(ScopeMode.EXCEPT, rules, may_opt_out=True)
        assert refused.value.fault is fault
