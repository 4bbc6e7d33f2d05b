"""The remedy of a fault as a button: the main one of its card, the same in the status and in notices."""

from collections.abc import Sequence

from microsoft_teams.cards.core import Action

from bot.cards.field_errors import FormError
from bot.cards.parts import button, open_link
from bot.languages import Texts
from sync.domain.errors import OUTAGES, REPLACES_SECRET, CredentialsWrong, Fault, SyncError
from sync.domain.model import Service, ServiceHealth

CHANGES_IDS = frozenset({Fault.ENTRA_TENANT_UNKNOWN, Fault.ENTRA_CLIENT_UNKNOWN, Fault.ENTRA_REFUSED})
CHANGES_CREDENTIAL = frozenset(
    {
        Fault.ENTRA_CERTIFICATE_UNKNOWN,
        Fault.ENTRA_CERTIFICATE_EXPIRED,
        Fault.GRAPH_SECRETS_FORBIDDEN,
        Fault.GRAPH_SECRET_TOO_LONG,
    }
)

ON_THE_SERVER = frozenset(
    {Fault.ENTRA_CERTIFICATE_UNREADABLE, Fault.ENTRA_FEDERATION_UNKNOWN, Fault.ENTRA_FEDERATION_UNREADABLE}
)
"""The person who runs the bot fixes or knows it; other credentials help too."""

LEADS_ELSEWHERE_TOO = frozenset({Fault.ENTRA_REFUSED, Fault.GRAPH_EVERYONE_REFUSED})
"""A form in this chat may fix it, or a page of Microsoft's."""

CHANGE_CREDENTIAL = "button.change_credential", "certificate.show"


def is_lasting(error: SyncError | None) -> bool:
    """Whether it lasts until an administrator fixes it."""
    return isinstance(error, CredentialsWrong)


def is_suspected(error: SyncError) -> bool:
    """Whether it is a refusal that nothing has confirmed yet (``sync.problems.health.is_suspected``)."""
    return not is_lasting(error) and error.fault not in OUTAGES


def known(service_health: Sequence[ServiceHealth]) -> list[ServiceHealth]:
    """Without Graph while Entra ID fails: nothing is known of Graph then, unless it has a fault itself."""
    is_in = not any(each.error for each in service_health if each.service is Service.ENTRA)
    return [each for each in service_health if is_in or each.error or each.service is not Service.GRAPH]


def remedies(
    texts: Texts, error: SyncError, service: Service, said: FormError, integration_id: str
) -> list[Action]:
    """The main button; after one that leads elsewhere, another to check whether it helped. ``said``: in words."""
    data = {"integration": integration_id}
    if error.fault in OUTAGES or not is_lasting(error):
        return [button(texts("button.try_again"), "test.run", data, style="positive")]
    here = _here(error.fault, service)
    if here:
        key, verb = here
        page = [open_link(said.link)] if error.fault in LEADS_ELSEWHERE_TOO and said.link else []
        return [button(texts(key), verb, data, style="positive"), *page]
    links = [open_link(said.link, style="positive")] if said.link else []
    again = button(texts("button.check_again"), "test.run", data, style=None if links else "positive")
    key, verb = CHANGE_CREDENTIAL
    is_other = error.fault in ON_THE_SERVER or error.fault is Fault.ENTRA_CERTIFICATE_UNKNOWN
    others = [button(texts(key), verb, data)] if is_other else []
    return [*links, again, *others]


def _here(fault: Fault, service: Service) -> tuple[str, str] | None:
    """The key and verb of the form in this chat that fixes the fault; None if it is fixed elsewhere."""
    if service is Service.CLOUDLINK and fault is not Fault.CLOUDLINK_FORBIDDEN:
        return "button.edit_cloudlink", "edit.cloudlink"
    if fault is Fault.GRAPH_EVERYONE_REFUSED:
        return "button.left_out", "people.left_out"
    if fault in REPLACES_SECRET or fault is Fault.ENTRA_HOST_NOT_ALLOWED:
        return "button.rotate", "rotate.ask"
    if fault in CHANGES_IDS:
        return "button.edit_teams", "edit.teams"
    is_here = fault in CHANGES_CREDENTIAL and fault is not Fault.ENTRA_CERTIFICATE_UNKNOWN
    return CHANGE_CREDENTIAL if is_here else None
