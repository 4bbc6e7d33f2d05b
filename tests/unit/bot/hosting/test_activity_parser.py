"""Activities as JSON, read without a server."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.activity import Action, Address, AttachedFile, Installed, Message, Removed, Sender
from bot.hosting.activity_parser import ParsedActivity, parse_activity
from bot.hosting.refusals import Refused
from tests.support.properties import unhurried

TEAMS: dict[str, Any] = {
    "type": "message",
    "id": "1",
    "channelId": "msteams",
    "serviceUrl": "https://smba.trafficmanager.net/emea/",
    "from": {"id": "29:alex", "name": "Alex", "aadObjectId": "object-1"},
    "recipient": {"id": "28:bot", "name": "Bot"},
    "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "T-1"},
    "channelData": {"tenant": {"id": "T-1"}},
    "locale": "pt-PT",
    "text": "olá",
}


def _read(**changed: Any) -> ParsedActivity:
    return parse_activity(TEAMS | changed)


def _refusal(**changed: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        _read(**changed)
    return caught.value


def _execute(action: Any) -> Any:
    parsed = _read(type="invoke", name="adaptiveCard/action", value={"action": action}, replyToId="card-1")
    return parsed.event


def test_a_message_is_read_with_all_its_fields() -> None:
    parsed = _read()
    incoming = parsed.incoming(Message("olá"))
    assert parsed.event == Message("olá")
    assert incoming.sender == Sender("29:alex", "object-1", "Alex")
    assert incoming.address == Address(
        "https://smba.trafficmanager.net/emea/", "a:1", "t-1", "29:alex", "28:bot", "msteams"
    )
    assert (incoming.tenant_id, incoming.locale, incoming.personal) == ("t-1", "pt-PT", True)


@pytest.mark.parametrize(
    ("text", "mention", "said"),
    [
        ("  hi  ", None, "hi"),
        ("<at>Bot</at> help", "<at>Bot</at>", "help"),
        ("<at>Bot</at>&nbsp;setup\u00a0integration\n", "<at>Bot</at>", "setup integration"),
        ("<at>B (test) [x]*</at> status", "<at>B (test) [x]*</at>", "status"),
        ("help <at>Bot</at>", None, "help"),
        ("", None, ""),
        ("x" * 10_000, None, "x" * 4_000),
    ],
)
def test_the_bots_mention_and_blanks_are_removed(text: str, mention: str | None, said: str) -> None:
    entities = [{"type": "clientInfo"}, {"type": "mention", "mentioned": {"id": "29:else"}, "text": "help"}]
    if mention:
        entities.append({"type": "mention", "mentioned": {"id": "28:bot"}, "text": mention})
    assert _read(text=text, entities=entities).event == Message(said)


@pytest.mark.parametrize(
    "said",
    [
        "why Ana <at>Bot</at>",
        "why <at>Bot</at> Ana",
        "<at>Bot</at> why <at>Bot</at> Ana",
        'why <at id="0">bot</at> Ana',
        "why Ana @Bot",
        "@bot why Ana",
    ],
)
def test_the_bots_mention_is_removed_wherever_it_is(said: str) -> None:
    entity = {"type": "mention", "mentioned": {"id": "28:bot", "name": "Bot"}, "text": "<at>Bot</at>"}
    assert _read(text=said, entities=[entity]).event == Message("why Ana")
    assert _read(text=said, recipient={"id": "28:bot", "name": "Bot"}).event == Message("why Ana")


@pytest.mark.parametrize("said", ["why ana@bot.example", "why @bot.example", "why @Botelho", "why <at>Ana</at>"])
def test_what_is_no_mention_of_the_bot_is_kept(said: str) -> None:
    assert _read(text=said, recipient={"id": "28:bot", "name": "Bot"}).event == Message(said)


@pytest.mark.parametrize(
    ("conversation", "personal"),
    [
        ({"conversationType": "personal"}, True),
        ({"conversationType": "groupChat"}, False),
        ({"conversationType": "groupChat", "isGroup": False}, False),
        ({"conversationType": "channel", "isGroup": True}, False),
        ({"isGroup": False}, True),
        ({"isGroup": True}, False),
    ],
)
def test_which_conversations_are_personal(conversation: dict[str, Any], personal: bool) -> None:
    assert _read(conversation={"id": "a"} | conversation).personal is personal


@pytest.mark.parametrize(("said", "locale"), [("pt", "pt"), ("en-US", "en-US"), ("zh-Hans-CN", "zh-Hans-CN")])
def test_a_valid_locale_is_kept(said: str, locale: str) -> None:
    assert _read(locale=said).locale == locale


@pytest.mark.parametrize("said", ["", "../../etc/passwd", "english", "pt_PT", "pt-PT\n", "x" * 500])
def test_an_invalid_locale_is_dropped(said: str) -> None:
    assert _read(locale=said).locale == ""


def test_the_tenant_may_be_in_the_conversation_or_missing() -> None:
    assert _read(channelData=None).address.tenant_id == "t-1"
    assert _read(channelData=None, conversation={"id": "a"}).address.tenant_id == ""


def test_an_execute_becomes_an_action_with_its_inputs_as_strings() -> None:
    data = {"text": "a", "on": True, "off": False, "count": 3, "ratio": 1.5, "unset": None}
    assert _execute({"type": "Action.Execute", "verb": "save", "data": data}) == Action(
        "save", {"text": "a", "on": "true", "off": "false", "count": "3", "ratio": "1.5"}, "card-1"
    )


def test_a_submit_carries_its_verb_among_the_data() -> None:
    value = {"verb": "save", "name": "x", "msteams": {"type": "messageBack"}}
    assert _read(text=None, value=value, replyToId="card-2").event == Action("save", {"name": "x"}, "card-2")


def test_a_message_back_without_a_verb_is_its_text() -> None:
    assert _read(value={"other": 1}).event == Message("olá")
    assert _refusal(text=None, value={"other": 1}).status == 400


def test_inputs_at_the_limits_are_accepted() -> None:
    data = {f"{number:064}": "x" * 4_000 for number in range(50)}
    assert _execute({"verb": "save", "data": data}) == Action("save", data, "card-1")


@pytest.mark.parametrize(
    "action",
    [
        None,
        {},
        "save",
        {"verb": ""},
        {"verb": 1},
        {"verb": "x" * 2_000},
        {"verb": "save", "data": []},
        {"verb": "save", "data": {"nested": {}}},
        {"verb": "save", "data": {"listed": ["a"]}},
        {"verb": "save", "data": {"x" * 65: "a"}},
        {"verb": "save", "data": {"a": "x" * 4_001}},
        {"verb": "save", "data": {str(number): "x" for number in range(51)}},
    ],
)
def test_a_malformed_execute_is_refused_in_the_shape_of_its_protocol(action: Any) -> None:
    refusal = _refusal(type="invoke", name="adaptiveCard/action", value={"action": action})
    assert refusal.status == 400
    assert refusal.body is not None
    assert (refusal.body["statusCode"], refusal.body["type"]) == (400, "application/vnd.microsoft.error")


@pytest.mark.parametrize("name", ["task/fetch", "composeExtension/query", "signin/verifyState", "unheard/of"])
def test_other_invokes_are_not_implemented(name: str) -> None:
    assert _refusal(type="invoke", name=name, value={}).status == 501


@pytest.mark.parametrize(("trigger", "automatic"), [("automatic", True), ("manual", False), ("", False)])
def test_a_card_that_refreshes_itself_is_no_press(trigger: str, automatic: bool) -> None:
    value = {"action": {"verb": "status.show"}, "trigger": trigger}
    event = _read(type="invoke", name="adaptiveCard/action", value=value, replyToId="card-1").event
    assert isinstance(event, Action)
    assert event.automatic is automatic


FILE: dict[str, Any] = {
    "contentType": "application/vnd.microsoft.teams.file.download.info",
    "content": {"downloadUrl": "https://contoso-my.sharepoint.com/x?tempauth=hush"},
    "name": "people.csv",
}


def test_a_sent_file_is_read_beside_the_text() -> None:
    event = _read(attachments=[{"contentType": "text/html", "content": "<p>"}, FILE]).event
    assert event == Message("olá", AttachedFile("people.csv", FILE["content"]["downloadUrl"]))


def test_the_address_of_a_file_is_in_no_repr() -> None:
    assert "hush" not in repr(_read(attachments=[FILE]))


@pytest.mark.parametrize("content", [None, {}, "x", {"downloadUrl": 1}, {"downloadUrl": "x" * 4001}])
def test_a_file_without_a_usable_address_is_refused(content: Any) -> None:
    assert _refusal(attachments=[FILE | {"content": content}]).status == 400


def test_an_action_shows_no_value_in_its_repr() -> None:
    assert "hush" not in repr(_execute({"verb": "save", "data": {"secret": "hush"}}))


@pytest.mark.parametrize(
    ("changed", "event"),
    [
        ({"type": "installationUpdate", "action": "add"}, Installed()),
        ({"type": "installationUpdate", "action": "remove"}, Removed()),
        ({"type": "installationUpdate", "action": "add-upgrade"}, None),
        ({"type": "installationUpdate"}, None),
        ({"type": "conversationUpdate", "membersAdded": [{"id": "29:alex"}, {"id": "28:bot"}]}, Installed()),
        ({"type": "conversationUpdate", "membersAdded": [{"id": "29:alex"}]}, None),
        ({"type": "conversationUpdate", "membersRemoved": [{"id": "28:bot"}]}, Removed()),
        ({"type": "conversationUpdate", "membersRemoved": [{"id": "29:alex"}]}, None),
        ({"type": "conversationUpdate", "channelData": {"eventType": "channelRenamed"}}, None),
    ],
)
def test_installation_and_membership(changed: dict[str, Any], event: Installed | Removed | None) -> None:
    assert _read(**changed).event == event


@pytest.mark.parametrize(
    "kind", ["typing", "messageReaction", "event", "endOfConversation", "messageUpdate", "messageDelete"]
)
def test_unused_activity_types_are_ignored(kind: str) -> None:
    assert _read(type=kind).event is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    ["type", "id", "from", "recipient", "conversation", "channelData", "text", "value", "entities", "name",
     "membersAdded", "locale", "replyToId", "serviceUrl", "channelId", "deliveryMode", "action"]
)  # fmt: skip
_KINDS = st.sampled_from(["message", "invoke", "conversationUpdate", "installationUpdate"])


@unhurried
@given(kind=_KINDS, changed=st.dictionaries(_NAMES, _JSON, max_size=4))
def test_any_json_is_parsed_or_refused(kind: str, changed: dict[str, Any]) -> None:
    with suppress(Refused):
        parsed = parse_activity(TEAMS | {"type": kind, "name": "adaptiveCard/action"} | changed)
        assert parsed.address.conversation_id


@pytest.mark.parametrize(
    ("changed", "zone"),
    [
        ({"localTimezone": "Europe/Lisbon"}, "Europe/Lisbon"),
        ({"entities": [{"type": "clientInfo", "timezone": "Asia/Tokyo"}]}, "Asia/Tokyo"),
        (
            {"localTimezone": "Mars/Base", "entities": [{"type": "clientInfo", "timezone": "Asia/Tokyo"}]},
            "Asia/Tokyo",
        ),
        ({"localTimezone": "../../etc/passwd"}, ""),
        ({}, ""),
    ],
)
def test_the_clients_time_zone(changed: dict[str, Any], zone: str) -> None:
    parsed = _read(**changed)
    assert parsed.event is not None
    assert parsed.incoming(parsed.event).time_zone == zone


def test_a_time_zone_of_the_wrong_type_is_refused() -> None:
    assert _refusal(localTimezone=7).status == 400
