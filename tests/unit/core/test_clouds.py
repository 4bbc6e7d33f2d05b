"""Which of Microsoft's addresses belong together."""

import pytest

from core.clouds import CLOUDS, DOD, GCC_HIGH, PUBLIC, Cloud, cloud_of, is_one_cloud

LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_is_found_by_its_graph(cloud: Cloud) -> None:
    assert cloud_of(cloud.graph.upper() + "/") is cloud
    assert is_one_cloud(cloud.graph, cloud.entra, cloud.channel)
    assert cloud.graph_scope == f"{cloud.graph}/.default"


def test_another_address_counts_as_the_public_cloud_and_goes_with_all() -> None:
    assert cloud_of(LOCAL) is PUBLIC
    assert is_one_cloud(LOCAL, LOCAL, LOCAL)
    assert is_one_cloud(GCC_HIGH.graph, LOCAL, LOCAL)


@pytest.mark.parametrize(
    ("graph", "entra", "channel"),
    [
        (GCC_HIGH.graph, PUBLIC.entra, GCC_HIGH.channel),
        (PUBLIC.graph, GCC_HIGH.entra, PUBLIC.channel),
        (DOD.graph, DOD.entra, PUBLIC.channel),
    ],
)
def test_addresses_of_two_clouds(graph: str, entra: str, channel: str) -> None:
    assert not is_one_cloud(graph, entra, channel)
