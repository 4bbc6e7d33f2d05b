"""The scope of no integration, and choices that nobody has."""

from dataclasses import dataclass, field
from typing import Any

from sync.domain.model import Actor, UnknownIntegration
from sync.people.opt_out import OptOut
from sync.people.scope.editor import ScopeEditor
from sync.people.scope.rules import Changes, Scope, ScopeView, Someone


@dataclass
class FakeScopes(ScopeEditor):
    """``calls`` are the names of the calls that would have changed something; nobody is concerned."""

    calls: list[str] = field(default_factory=list)

    async def view(self, owner_tenant: str, integration_id: str) -> ScopeView:
        return ScopeView(Scope(), 1, 0)

    async def preview(self, *_: Any) -> Changes:
        return Changes(0, 0, 0)

    async def page(self, *_: Any) -> tuple[tuple[Someone, ...], bool]:
        return (), False

    async def save(self, *_: Any) -> None:
        self.calls.append("save")
        raise UnknownIntegration("i1")


@dataclass
class FakeOptOut(OptOut):
    """``calls`` are the choices that nobody's people made."""

    calls: list[bool] = field(default_factory=list)

    async def choose(self, tenant: str, user_id: str, by: Actor, *, opted_out: bool) -> None:
        self.calls.append(opted_out)
