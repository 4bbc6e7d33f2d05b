import io
import json
import re
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest import packer
from manifest.packer import SAMPLE_DEVELOPER, Developer, Refused
from tests.support.properties import unhurried

BOT_ID = "7d0f4a52-3c1e-4c39-9f0b-5a1f9a2c8e11"
DOMAIN = "presence.contoso.com"
DEVELOPER = Developer(
    "Contoso", "https://contoso.com", "https://contoso.com/privacy", "https://contoso.com/terms?of=use"
)


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_package_holds_what_teams_asks_for_at_its_top() -> None:
    files = unzipped(packer.package(BOT_ID, DOMAIN, DEVELOPER))
    assert list(files) == ["manifest.json", "pt.json", "color.png", "outline.png"]


def test_the_package_names_the_bot_the_domain_and_the_developer() -> None:
    manifest = json.loads(unzipped(packer.package(BOT_ID, DOMAIN, DEVELOPER))["manifest.json"])
    assert (manifest["id"], manifest["bots"][0]["botId"]) == (BOT_ID, BOT_ID)
    assert manifest["validDomains"] == [DOMAIN]
    assert manifest["developer"] == {
        "name": "Contoso",
        "websiteUrl": "https://contoso.com",
        "privacyUrl": "https://contoso.com/privacy",
        "termsOfUseUrl": "https://contoso.com/terms?of=use",
    }


def test_no_placeholder_is_left() -> None:
    assert "${" not in json.dumps(packer.manifest(BOT_ID, DOMAIN, DEVELOPER))


def test_every_file_the_manifest_names_is_in_the_package() -> None:
    files = unzipped(packer.package(BOT_ID, DOMAIN, DEVELOPER))
    manifest = json.loads(files["manifest.json"])
    named = {*manifest["icons"].values()} | {
        entry["file"] for entry in manifest["localizationInfo"]["additionalLanguages"]
    }
    assert named == set(files) - {"manifest.json"}


def test_the_same_details_give_the_same_bytes() -> None:
    assert packer.package(BOT_ID, DOMAIN, DEVELOPER) == packer.package(BOT_ID, DOMAIN, DEVELOPER)


def test_the_package_knows_neither_the_day_nor_the_machine_it_was_made_on() -> None:
    with zipfile.ZipFile(io.BytesIO(packer.package(BOT_ID, DOMAIN, DEVELOPER))) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.create_system, entry.compress_type) for entry in entries} == {(3, zipfile.ZIP_STORED)}
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644"}


def test_other_details_give_another_package() -> None:
    assert packer.package(BOT_ID, DOMAIN, DEVELOPER) != packer.package(BOT_ID, "other.contoso.com", DEVELOPER)


def test_a_quotation_mark_in_a_name_stays_inside_its_string() -> None:
    mischief = replace(DEVELOPER, name='X","id":"y')
    manifest = json.loads(unzipped(packer.package(BOT_ID, DOMAIN, mischief))["manifest.json"])
    assert (manifest["developer"]["name"], manifest["id"]) == ('X","id":"y', BOT_ID)


def test_a_placeholder_in_a_name_is_not_filled_in_turn() -> None:
    manifest = packer.manifest(BOT_ID, DOMAIN, replace(DEVELOPER, name="${DOMAIN}"))
    assert manifest["developer"]["name"] == "${DOMAIN}"


def test_a_placeholder_without_a_detail_is_an_error() -> None:
    with pytest.raises(KeyError):
        packer.filled({"a": ["${MISSING}"]}, {})


def test_a_bot_id_is_taken_in_any_case_and_written_in_lower_case() -> None:
    assert packer.checked_bot_id(f" {BOT_ID.upper()}\n") == BOT_ID


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "my-bot",
        BOT_ID[:-1],
        BOT_ID + "0",
        "{" + BOT_ID + "}",
        BOT_ID.replace("-", ""),
        BOT_ID.replace("7", "g"),
        BOT_ID.replace("7", "７"),
        "00000000-0000-0000-0000-000000000000",
        "${BOT_ID}",
    ],
)
def test_a_bad_bot_id_is_refused(bad: str) -> None:
    with pytest.raises(Refused, match="application \\(client\\) ID"):
        packer.package(bad, DOMAIN, DEVELOPER)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "https://presence.contoso.com",
        "presence.contoso.com/",
        "presence.contoso.com:443",
        "*.contoso.com",
        "-a.contoso.com",
        "a-.contoso.com",
        "a..contoso.com",
        ".contoso.com",
        "contoso.com.",
        "pre sence.contoso.com",
        "presença.contoso.com",
        "presence.contoso.com\nevil.com",
        "a" * 64 + ".com",
        ".".join(["a" * 60] * 5) + ".com",
    ],
)
def test_a_bad_domain_is_refused(bad: str) -> None:
    with pytest.raises(Refused, match="public host name"):
        packer.package(BOT_ID, bad, DEVELOPER)


@pytest.mark.parametrize("good", ["a.pt", "presence.contoso.com", "xn--presena-xxa.contoso.com", "x1-y2.a3.pt"])
def test_a_good_domain_is_kept(good: str) -> None:
    assert packer.checked_domain(good.upper()) == good


@pytest.mark.parametrize("field", ["website_url", "privacy_url", "terms_url"])
@pytest.mark.parametrize(
    "bad",
    [
        "",
        "contoso.com",
        "http://contoso.com",
        "javascript:alert(1)",
        "https://localhost/x",
        "https://user:word@contoso.com",
        "https://@contoso.com",
        "https://contoso.com/a b",
        "https://contoso.com/\x00",
        "https://contoso.com:port",
        "https://[",
        "https://contoso.com/" + "x" * 2048,
    ],
)
def test_a_bad_page_is_refused(field: str, bad: str) -> None:
    with pytest.raises(Refused, match="web address"):
        packer.package(BOT_ID, DOMAIN, replace(DEVELOPER, **{field: bad}))


@pytest.mark.parametrize("bad", ["", "  ", "x" * 33, "two\nlines", "a\x00b"])
def test_a_bad_developer_name_is_refused(bad: str) -> None:
    with pytest.raises(Refused, match="developer's name"):
        packer.package(BOT_ID, DOMAIN, replace(DEVELOPER, name=bad))


@unhurried
@given(st.text(max_size=60))
def test_no_text_makes_the_checks_fall_over(text: str) -> None:
    for check in (packer.checked_bot_id, packer.checked_domain, packer.checked_url, packer.checked_name):
        try:
            kept = check(text)
        except Refused:
            continue
        assert re.sub(r"\s", "", kept).lower() in re.sub(r"\s", "", text).lower()


def test_the_sample_developer_is_recognisable() -> None:
    manifest = packer.manifest(BOT_ID, DOMAIN, SAMPLE_DEVELOPER)["developer"]
    assert all(manifest[page].startswith("https://example.com") for page in manifest if page != "name")
