import pytest

from sandbox.state import World
from tests.sandbox.callers import CloudLink, call
from tests.support.services.sandboxes import SandboxHandle


@pytest.fixture
def account(world: World) -> str:
    return f"/admin/2017-09-01/accounts/{world.saved.account.id}"


async def test_the_account(cloudlink: CloudLink, account: str) -> None:
    assert (await cloudlink.get(account)).body["name"] == "Vale Verde"


async def test_users_come_in_pages(cloudlink: CloudLink, world: World, account: str) -> None:
    url, found = f"{account}/users", []
    while url:
        page = (await cloudlink.get(url)).body
        assert page["count"] == len(page["_embedded"]["items"]) <= 10
        found += page["_embedded"]["items"]
        url = page["_links"].get("next", {}).get("href", "")
    assert [user["userId"] for user in found] == [person.id for person in world.saved.people]
    ana = found[0]
    assert (ana["name"], ana["email"], ana["extension"]) == ("Ana Martins", "ana.martins@valeverde.example", "2001")
    assert len(ana["sipPassword"]) == 16
    assert [user["name"] for user in found if "email" not in user] == ["Teresa Pinto"]
    assert [user["name"] for user in found if "extension" not in user] == ["Frederico Sá"]


async def test_the_list_of_users_can_be_empty(cloudlink: CloudLink, account: str) -> None:
    for is_empty, count in ((True, 0), (False, 10)):
        await cloudlink.sandbox.set_faults(cloudlink_empty_list=is_empty)
        assert (await cloudlink.get(f"{account}/users")).body["count"] == count


async def test_top_and_skip_are_supported(cloudlink: CloudLink, account: str) -> None:
    page = (await cloudlink.get(f"{account}/users?$top=2&$skip=3")).body
    assert [user["extension"] for user in page["_embedded"]["items"]] == ["2004", "2005"]
    assert (await cloudlink.get(f"{account}/users?$top=99")).body["count"] == 10
    beyond = (await cloudlink.get(f"{account}/users?$skip=28")).body
    assert (beyond["count"], beyond["_links"]) == (0, {})


@pytest.mark.parametrize("query", ["$top=x", "$skip=-1", "$top=9999999", "$filter=name"])
async def test_wrong_options(cloudlink: CloudLink, account: str, query: str) -> None:
    assert (await cloudlink.get(f"{account}/users?{query}")).status == 400


async def test_another_account_is_not_found(cloudlink: CloudLink) -> None:
    for path in ("/admin/2017-09-01/accounts/other", "/admin/2017-09-01/accounts/other/users"):
        answer = await cloudlink.get(path)
        assert (answer.status, answer.body["error"]) == (404, "not_found")


async def test_only_an_administrator_may_read(cloudlink: CloudLink, account: str) -> None:
    await cloudlink.sandbox.set_faults(cloudlink_not_admin=True)
    assert (await cloudlink.get("/authentication/2017-09-01/token")).body["role"] == "USER"
    assert (await cloudlink.get(account)).status == 403
    assert (await cloudlink.get(f"{account}/users")).status == 403


async def test_without_a_token_access_is_refused(sandbox: SandboxHandle, account: str) -> None:
    assert (await call(sandbox, "GET", f"{account}/users", token="rubbish")).status == 401
    assert (await call(sandbox, "GET", "/admin/2017-09-01/accounts/other")).status == 401
