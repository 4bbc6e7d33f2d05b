from sandbox.control.view import world_json
from sandbox.state import World
from sandbox.world.presence import Chosen, Session
from tests.support.clocks import FakeClock


def test_each_person_is_listed_once(world: World) -> None:
    people = world_json(world)["people"]
    assert [row["extension"] for row in people] == [
        *(str(2001 + n) for n in range(24)),
        None,
        "2025",
        "2026",
        "2016",
        None,
    ]
    ids = [row["teams"]["id"] for row in people if row["teams"]]
    assert sorted(ids) == sorted(user.id for user in world.saved.teams)


def test_each_device_has_a_key_of_its_own(world: World) -> None:
    people = world_json(world)["people"]
    keys = [row["key"] for row in people if row["key"]] + [each["key"] for row in people for each in row["others"]]
    assert len(set(keys)) == len(keys)
    assert {"2016", "2016-porto", "5010-porto"} <= set(keys)
    assert [(each["number"], each["kind"]) for each in people[1]["others"]] == [
        ("5002", "softphone"),
        ("7001", "hotDesk"),
    ]


def test_a_teams_user_without_a_phone_has_a_row(world: World) -> None:
    row = world_json(world)["people"][-1]
    assert (row["name"], row["address"]) == ("William Hart (Porto)", "")
    assert row["phone"] == {"registered": False, "doNotDisturb": False, "calls": []}
    assert row["teams"]["upn"] == "william.hart2@valeverde.example"


def test_a_person_unknown_to_teams(world: World) -> None:
    assert [row["name"] for row in world_json(world)["people"] if row["teams"] is None] == [
        "Thomas Reed",
        "Teresa Pinto",
    ]


def test_a_persons_teams(world: World, clock: FakeClock) -> None:
    user = world.saved.teams[0]
    user.session = Session("Busy", "InACall", clock.now, clock.now.replace(hour=10))
    user.chosen = Chosen("Away", "Away")
    assert world_json(world)["people"][0]["teams"] == {
        "id": user.id,
        "upn": "ana.martins@valeverde.example",
        "mail": "ana.martins@valeverde.example",
        "enabled": True,
        "guest": False,
        "refusal": 0,
        "client": "Available",
        "chosen": {"availability": "Away", "activity": "Away"},
        "session": {"availability": "Busy", "activity": "InACall", "expiresAt": "2026-03-02T10:00:00.000Z"},
        "shown": {"availability": "Away", "activity": "Away"},
        "statusMessage": None,
    }
    clock.advance(hours=1)
    assert world_json(world)["people"][0]["teams"]["session"] is None


def test_the_accounts(world: World) -> None:
    state, saved = world_json(world), world.saved
    secret = saved.registration.secrets[0]
    assert state["cloudlink"] == {
        "accountId": saved.account.id,
        "accountName": "Vale Verde",
        "region": "",
        "clientId": saved.account.client_id,
        "clientSecret": saved.account.client_secret,
    }
    assert state["registration"] == {
        "name": "CloudLink Presence",
        "tenantId": saved.registration.tenant_id,
        "clientId": saved.registration.client_id,
        "organisation": "Vale Verde",
        "deleted": False,
        "disabled": False,
        "servicePrincipal": True,
        "conditionalAccess": False,
        "permissions": {
            "User.Read.All": True,
            "Presence.ReadWrite.All": True,
            "Application.Read.All": False,
            "Application.ReadWrite.OwnedBy": False,
            "GroupMember.Read.All": False,
        },
        "secrets": [
            {
                "keyId": secret.key_id,
                "description": "CloudLink Presence",
                "hint": secret.value[:3],
                "value": secret.value,
                "endDateTime": "2026-08-29T09:00:00.000Z",
                "expired": False,
            }
        ],
        "certificates": [],
    }


def test_a_secret_expires_by_itself(world: World, clock: FakeClock) -> None:
    clock.advance(days=180)
    assert world_json(world)["registration"]["secrets"][0]["expired"]


def test_the_rest(world: World) -> None:
    state = world_json(world)
    assert state["traffic"] == {"running": False, "callsPerMinute": 6.0}
    assert state["counts"] == {"webhooks": 0, "batches": 0, "presenceWrites": 0, "throttled": 0}
    assert state["faults"] == world.saved.faults.as_json()


def test_groups_name_their_members(world: World) -> None:
    sales, *_ = world_json(world)["groups"]
    assert (sales["name"], bool(sales["members"])) == ("Sales", True)
    assert set(sales["members"]) <= {user.id for user in world.saved.teams}
