"""Debian's ZooKeeper and ClickHouse of 2018, as a cluster: two replicas of a shard, and another.

Beside what they are, how to say to so old a server what a new one is told.
"""

from __future__ import annotations

import re
import socket
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from ports import free_port
from servers import NotInstalledError, Server, program_here

JAR = Path("/usr/share/java/zookeeper.jar")
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
ZOO = """tickTime=500
dataDir={directory}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
"""
COMMON = """
  <tcp_port>{tcp}</tcp_port>
  <zookeeper><node><host>127.0.0.1</host><port>{keeper}</port></node></zookeeper>
  <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
  <distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>
  <remote_servers><main>{shards}</main></remote_servers>
"""
SHARD = "<shard><internal_replication>true</internal_replication>{}</shard>"
REPLICA = "<replica><host>127.0.0.1</host><port>{}</port></replica>"
OLD = """<yandex>
  <logger><level>warning</level><log>{directory}/log</log></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http}</http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <interserver_http_port>{between}</interserver_http_port>
  <path>{directory}/data/</path><tmp_path>{directory}/tmp/</tmp_path>
  <mark_cache_size>16000000</mark_cache_size>
  <users_config>{directory}/users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>{common}
</yandex>
"""
USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default>
  <password></password><networks><ip>127.0.0.1</ip></networks>
  <profile>default</profile><quota>default</quota>
</default></users></yandex>
"""
INSTEAD = (
    ("codecs", r" CODEC\((?:[^()]|\([^()]*\))*\)", ""),
    ("DateTime64", r"DateTime64\(9, 'UTC'\)", "DateTime"),
    ("LowCardinality", r"LowCardinality\(String\)", "String"),
    ("Map", r"Map\((?:[^()]|\([^()]*\))*\) DEFAULT map\(\)", "String DEFAULT ''"),
    ("Bool", r"Bool DEFAULT \w+", "UInt8 DEFAULT 0"),
    ("bloom filters", r",\n  INDEX [^\n]*?(?=,?\n)", ""),
    ("TTL", r"\nTTL [^\n]*", ""),
    ("settings", r"(, )?(fsync|ttl|materialize)_\w+ = \d+", ""),
)
"""What a server of 2018 does not know, and what it is told instead."""


class RefusedError(Exception):
    """What a server said."""


class Keeper(Server):
    """ZooKeeper, alone."""

    def __init__(self):
        java = program_here("java", package="zookeeper")
        if not JAR.exists():
            raise NotInstalledError("ZooKeeper (apt-get install zookeeper)")
        self.directory, port = Path(tempfile.mkdtemp(prefix="qmon-keeper-")), free_port()
        config = self.directory / "zoo.cfg"
        config.write_text(ZOO.format(directory=self.directory, port=port))
        super().__init__([java, "-Xmx128m", "-cp", JAR, MAIN, config], port=port)
        self.wait(self._serves)

    def _serves(self):
        """It listens before it serves, and a server of 2018 falls over that."""
        try:
            with socket.create_connection(self.address, timeout=1) as asked:
                asked.sendall(b"srvr")
                return b"Mode: standalone" in asked.recv(1 << 16)
        except OSError:
            return False


class Node(Server):
    """A server of 2018, asked by plain HTTP."""

    def __init__(self, common):
        program = program_here("clickhouse-server", package="clickhouse-server")
        self.directory = Path(tempfile.mkdtemp(prefix="qmon-clickhouse-"))
        config, http, between = self.directory / "config.xml", free_port(), free_port()
        config.write_text(
            OLD.format(directory=self.directory, http=http, between=between, common=common)
        )
        (self.directory / "users.xml").write_text(USERS)
        super().__init__([program, f"--config-file={config}"], port=http)
        self.wait()

    def say(self, statement, **settings):
        """Its answer, as text; RefusedError with the first line of what is wrong."""
        url = f"http://127.0.0.1:{self.port}/?{urlencode(settings)}"
        asked = urllib.request.Request(url, data=statement.encode())
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            raise RefusedError(error.read().decode().partition("\n")[0]) from error

    def start_again(self):
        """At the same port, on what is on its disk."""
        self._begin()
        self.wait()


class Cluster:
    """Nodes `a` and `b` are one shard, `c` is another."""

    def __init__(self):
        program_here("clickhouse-server", package="clickhouse-server")
        self.keeper, ports = Keeper(), [free_port() for _ in "abc"]
        shards, self.nodes = [ports[:2], ports[2:]], []
        try:
            for tcp, shard, replica in zip(ports, (1, 1, 2), "abc", strict=True):
                common = common_of(self.keeper, shards, tcp=tcp, shard=shard, replica=replica)
                self.nodes.append(Node(common))
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for each in (*self.nodes, self.keeper):
            each.stop()


def common_of(keeper, shards, *, tcp, shard, replica):
    """What the configuration of an old server has as that of a new one; ports by shard."""
    named = "".join(SHARD.format("".join(map(REPLICA.format, ports))) for ports in shards)
    return COMMON.format(keeper=keeper.port, tcp=tcp, shard=shard, replica=replica, shards=named)


def of_2018(statement, *, but=()):
    """A statement as a server of 2018 takes it, except for some of what it does not know."""
    for name, pattern, other in INSTEAD:
        if name not in but:
            statement = re.sub(pattern, other, statement)
    return re.sub(r"\nSETTINGS (, )?$", "", statement).replace("SETTINGS , ", "SETTINGS ")
