"""What Teams has to show, worked out from the phones as they really are, and from nothing the product stores."""

from tests.simulation.phones import TALKING, PhoneSystem

IN_A_CALL = "Busy/InACall"
IN_A_CONFERENCE = "Busy/InAConferenceCall"
PRESENTING = "DoNotDisturb/Presenting"


def wish(phones: PhoneSystem, user_id: str) -> str | None:
    """What the phones of one person ask for; None: the person's own Teams client decides."""
    devices = phones.devices_of(user_id)
    talks = [call for device in devices for call in device.calls.values() if call.state in TALKING]
    if any(device.do_not_disturb for device in devices):
        return PRESENTING
    if any(call.conference or call.state == "conferenced" for call in talks):
        return IN_A_CONFERENCE
    return IN_A_CALL if talks else None
