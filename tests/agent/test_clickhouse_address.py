"""Where a ClickHouse is: read strictly, and never with a password in it."""

from pathlib import Path

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.store.telemetry import places_of
from qmon_agent.store.telemetry.engines.clickhouse.address import Address, address_of
from qmon_agent.store.telemetry.engines.clickhouse.server import can_gather


class TestAddress:
    def test_has_what_most_servers_have_where_nothing_is_said(self):
        assert address_of("clickhouse://box") == Address(host="box", port=8123, database="qmon")

    def test_is_read_whole(self):
        found = address_of("clickhouse://me@box:9/mine?cluster=main&secure=yes")

        assert found == Address(
            host="box", port=9, user="me", database="mine", cluster="main", secure=True
        )

    def test_asks_by_tls_at_its_port(self):
        assert address_of("clickhouse://box?secure=yes").port == 8443

    def test_says_who_gathers(self):
        assert address_of("clickhouse://box?async=yes").gathers
        assert address_of("chdb://here?async=yes") == Address(folder="here", gathers=True)
        assert not address_of("clickhouse://box?async=no").gathers

    @pytest.mark.parametrize(
        "dsn",
        [
            "clickhouse://",
            "clickhouse:///db",
            "clickhouse://box:port/db",
            "clickhouse://box/a-b",
            "clickhouse://box/db?cluster='x",
            "clickhouse://box/db?clusters=x",
            "clickhouse://box/db?cluster=main&async=yes",
            "chdb://",
            "chdb://here?asink=yes",
            "chdb://here?async=yes&cluster=main",
            "chdb://here?cluster='x",
        ],
    )
    def test_is_refused_where_it_is_none(self, dsn):
        with pytest.raises(ConfigError, match=r"^store\.telemetry"):
            address_of(dsn)

    @pytest.mark.parametrize("option", ["secure=yes", "secure=no"])
    def test_of_this_process_has_nothing_that_a_server_is_for(self, option):
        with pytest.raises(ConfigError, match=r"`secure`.*clickhouse://"):
            address_of(f"chdb://here?{option}")

    def test_of_this_process_may_name_a_cluster(self):
        assert address_of("chdb://here?cluster=main") == Address(folder="here", cluster="main")

    def test_has_no_password_and_shows_none(self):
        with pytest.raises(ConfigError, match="telemetry_password") as caught:
            address_of("clickhouse://me:s3cret@box/db")

        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "can"),
    [("24.5.1.1763", False), ("25.12.9.1", False), ("26.1.1.564", True), ("27.0", True)],
)
def test_what_a_server_gathers_it_tells_apart_since_one_release(version, can):
    assert can_gather(version) == can


class TestPlaces:
    def test_are_a_directory_for_both_and_a_server_for_one(self):
        default = Path("/state/telemetry")

        assert places_of("", default) == (default, "")
        assert places_of("duckdb:///data", default) == (Path("/data"), "")
        assert places_of("clickhouse://box", default) == (default, "clickhouse://box")
