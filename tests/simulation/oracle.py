"""What Teams has to show, worked out from the phones and directories as they really are.

Nothing of it is read from what the product stores, but which integrations its administrator sees as enabled.
"""

from collections.abc import Iterable, Mapping

from tests.simulation.models.graph import GraphModel, TeamsUser
from tests.simulation.models.phones import TALKING, PhoneSystem

IN_A_CALL = "Busy/InACall"
IN_A_CONFERENCE = "Busy/InAConferenceCall"
PRESENTING = "DoNotDisturb/Presenting"

WEAKEST_FIRST = (None, IN_A_CALL, IN_A_CONFERENCE, PRESENTING)


def wish(phones: PhoneSystem, user_id: str) -> str | None:
    """What the phones of one person ask for; None: the person's own Teams client decides."""
    devices = phones.devices_of(user_id)
    talks = [call for device in devices for call in device.calls.values() if call.state in TALKING]
    if any(device.do_not_disturb for device in devices):
        return PRESENTING
    if any(call.conference or call.state == "conferenced" for call in talks):
        return IN_A_CONFERENCE
    return IN_A_CALL if talks else None


def right(enabled: Iterable[PhoneSystem], graph: GraphModel) -> dict[str, str | None]:
    """For each Teams user, what our session has to show: the strongest wish of all who share it."""
    found: dict[str, str | None] = dict.fromkeys(graph.users)
    for phones in enabled:
        for colleague in phones.colleagues.values():
            teams_id = teams_user(colleague.address, graph.users)
            if teams_id and not graph.is_refused(teams_id):
                found[teams_id] = max(found[teams_id], wish(phones, colleague.user_id), key=WEAKEST_FIRST.index)
    return found


def teams_user(address: str, users: Mapping[str, TeamsUser]) -> str | None:
    """The one active member of the tenant who has this address."""
    same = [user for user in users.values() if address in (user.principal_name, user.mail) and not user.guest]
    return same[0].id if len(same) == 1 and same[0].enabled else None
