"""A real Alertmanager on loopback, and amtool: asked what they make of alerts."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from datetime import UTC, datetime

import yaml
from backends import HttpServer, room, started
from ports import free_port
from servers import program_here

PACKAGE = "prometheus-alertmanager"


def amtool():
    return program_here("amtool", PACKAGE)


def routed_by_amtool(program, config, labels):
    """The receivers that `amtool config routes test` names for one set of labels."""
    command = [program, "config", "routes", "test", f"--config.file={config}"]
    told = subprocess.run(
        [
            *command,
            *(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return told.stdout.strip().split(",")


def alertmanager(config):
    return started(lambda: Alertmanager(config))


class Alertmanager(HttpServer):
    """Takes alerts and silences, and says what became of them."""

    def __init__(self, config):
        program, port, place = program_here(PACKAGE, PACKAGE), free_port(), room("alertmanager")
        self.config = place / "alertmanager.yml"
        self.write(config)
        command = [program, f"--config.file={self.config}", f"--storage.path={place / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        super().__init__(
            [*command, "--log.level=error"], port=port, directory=place, ready="/-/ready"
        )

    def write(self, config):
        self.config.write_text(yaml.safe_dump(config))

    def take(self, labels):
        """Let these fire, and wait until it knows them all; answers what it says of each."""
        now = datetime.now(UTC).isoformat()
        self.post("/api/v2/alerts", [{"labels": each, "startsAt": now} for each in labels])
        wanted = {frozenset(each.items()) for each in labels}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = {frozenset(each["labels"].items()): each for each in self.get("/api/v2/alerts")}
            if wanted <= found.keys() and not any(
                found[each]["status"]["state"] == "unprocessed" for each in wanted
            ):
                return found
            time.sleep(0.05)
        raise AssertionError("Alertmanager has not processed the alerts in a minute")

    def take_last(self, pair):
        """Of a pair, let the second fire and then what inhibits it; answers when it is inhibited.

        Whoever inhibits has then heard of all that was taken before.
        """
        source, target = pair
        self.take([target])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.take([source, target])
            if found[frozenset(target.items())]["status"]["inhibitedBy"]:
                return found
            time.sleep(0.05)
        raise AssertionError("Alertmanager has not inhibited the last alert in a minute")

    def groups(self):
        return self.get("/api/v2/alerts/groups")

    def silence(self, matchers, starts_at, ends_at):
        """The id of a new silence."""
        said = {"matchers": matchers, "startsAt": starts_at.isoformat(), "createdBy": "test"}
        said |= {"endsAt": ends_at.isoformat(), "comment": "differential"}
        return self.post("/api/v2/silences", said)["silenceID"]

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path, document):
        request = urllib.request.Request(
            self.url + path, json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
