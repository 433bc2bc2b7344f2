"""Where this agent runs, in OpenTelemetry's words: host, container, pod, machine of a cloud."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec

from qmon_sdk.detect.container import container_attributes

Facts = dict[str, str]
_VENDORS = {"amazon": "aws", "google": "gcp", "microsoft": "azure", "xen": "aws"}
"""What the firmware calls the maker of the machine → the cloud that may answer."""
_ADDRESS = "169.254.169.254:80"
_MOST_BYTES = 64 * 1024
_LONGEST = 1024


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look; tests look elsewhere."""

    root: Path = Path("/")
    environ: Mapping[str, str] = os.environ
    metadata: str = _ADDRESS
    """Where a machine of a cloud asks about itself."""
    timeout_s: float = 1.0

    def find(self, what: str) -> Facts:
        """What can be found out of one kind; nothing, where there is nothing of it."""
        found = FINDERS[what](self)
        return {key: value[:_LONGEST] for key, value in found.items() if value}

    def text(self, path: str) -> str:
        try:
            with (self.root / path).open("rb") as file:
                return file.read(_MOST_BYTES).decode("utf-8", "replace").strip()
        except OSError:
            return ""


def _host(here: Surroundings) -> Facts:
    return {
        "host.name": platform.node(),
        "host.id": here.text("etc/machine-id"),
        "host.arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        ),
        "os.type": platform.system().lower(),
        "os.version": platform.release(),
    }


def _container(here: Surroundings) -> Facts:
    return {key: value for key, value in _in_container(here).items() if key.startswith("container")}


def _kubernetes(here: Surroundings) -> Facts:
    found = {key: value for key, value in _in_container(here).items() if key.startswith("k8s")}
    # Of the downward API's volume, where one is mounted as its documentation does.
    for line in here.text("etc/podinfo/labels").splitlines():
        key, sign, value = line.partition("=")
        if sign:
            found[f"k8s.pod.label.{key}"] = value.strip('"')
    cluster = here.environ.get("K8S_CLUSTER_NAME", "")
    return {**found, "k8s.cluster.name": cluster}


def _in_container(here: Surroundings) -> Facts:
    namespace = here.root / "var/run/secrets/kubernetes.io/serviceaccount/namespace"
    return container_attributes(
        here.environ, proc=str(here.root / "proc/self"), namespace=str(namespace)
    )


def _cloud(here: Surroundings) -> Facts:
    """The firmware says whose machine it is, so that nobody is asked in vain."""
    vendor = here.text("sys/class/dmi/id/sys_vendor").lower()
    cloud = next((name for maker, name in _VENDORS.items() if maker in vendor), "")
    if not cloud:
        return {}
    asked = ThreadPoolExecutor(1, thread_name_prefix="qmon-cloud")
    try:
        return asked.submit(_CLOUDS[cloud], here).result(2 * here.timeout_s)
    except (OSError, TimeoutError, ValueError, LookupError, AttributeError):
        return {"cloud.provider": cloud}
    finally:
        asked.shutdown(wait=False)


def _aws(here: Surroundings) -> Facts:
    token = _ask(
        here,
        "PUT",
        "/latest/api/token",
        headers={"x-aws-ec2-metadata-token-ttl-seconds": "60"},
    )
    path = "/latest/dynamic/instance-identity/document"
    told = json.loads(_ask(here, "GET", path, headers={"x-aws-ec2-metadata-token": token}))
    return _texts(
        told,
        {
            "cloud.account.id": "accountId",
            "cloud.region": "region",
            "cloud.availability_zone": "availabilityZone",
            "host.id": "instanceId",
            "host.type": "instanceType",
            "host.image.id": "imageId",
        },
        cloud=("aws", "aws_ec2"),
    )


def _gcp(here: Surroundings) -> Facts:
    path = "/computeMetadata/v1/?recursive=true"
    told = json.loads(_ask(here, "GET", path, headers={"metadata-flavor": "Google"}))
    instance = told.get("instance", {})
    zone = str(instance.get("zone", "")).rpartition("/")[2]
    flat = {
        "project": told.get("project", {}).get("projectId"),
        "zone": zone,
        "region": zone.rpartition("-")[0],
        "id": instance.get("id"),
        "type": str(instance.get("machineType", "")).rpartition("/")[2],
    }
    names = {
        "cloud.account.id": "project",
        "cloud.region": "region",
        "cloud.availability_zone": "zone",
        "host.id": "id",
        "host.type": "type",
    }
    return _texts(flat, names, cloud=("gcp", "gcp_compute_engine"))


def _azure(here: Surroundings) -> Facts:
    path = "/metadata/instance/compute?api-version=2021-02-01&format=json"
    told = json.loads(_ask(here, "GET", path, headers={"metadata": "true"}))
    names = {
        "cloud.account.id": "subscriptionId",
        "cloud.region": "location",
        "cloud.availability_zone": "zone",
        "host.id": "vmId",
        "host.type": "vmSize",
        "cloud.resource_id": "resourceId",
    }
    return _texts(told, names, cloud=("azure", "azure_vm"))


def _ask(here: Surroundings, method: str, path: str, *, headers: Mapping[str, str]) -> str:
    """Straight, past every proxy: the address means this machine alone."""
    connection = HTTPConnection(here.metadata, timeout=here.timeout_s)
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
        if answer.status != 200:  # noqa: PLR2004 - all is well
            raise LookupError(answer.status)
        return body.decode("utf-8", "replace")
    finally:
        connection.close()


def _texts(told: Any, names: Mapping[str, str], *, cloud: tuple[str, str]) -> Facts:
    found = {key: str(told[name]) for key, name in names.items() if told.get(name)}
    return {"cloud.provider": cloud[0], "cloud.platform": cloud[1], **found}


_CLOUDS: dict[str, Callable[[Surroundings], Facts]] = {"aws": _aws, "gcp": _gcp, "azure": _azure}
FINDERS: dict[str, Callable[[Surroundings], Facts]] = {
    "host": _host,
    "container": _container,
    "kubernetes": _kubernetes,
    "cloud": _cloud,
}
"""What can be found out, and by whom."""
