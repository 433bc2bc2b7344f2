"""From an alert to a tap: links of a real message, their picture, and a proxy before the agent."""

from __future__ import annotations

import urllib.error
import urllib.request

PATIENCE_S = 30
CONFIG = """
[http]
public_url = "http://localhost:1/watch"
[samplers]
enabled = false
[channels.ops]
kind = "mattermost"
url = "{url}"
[[alerts]]
name = "queue is long"
system = "shop"
metric = "waiting"
threshold = "> 5"
channels = ["ops"]
"""
SENDS = """
import time, qmon_sdk as q
q.init(service="shop", metric_interval_s=0.1)
for value in {values}:
    q.gauge("waiting", value)
    time.sleep(0.3)
q.flush(10)
q.shutdown()
"""
WAITING = "SELECT value FROM points WHERE metric = 'waiting'"


def fetched(url, place, *, method="GET"):
    """Status, kind and body, as somebody has it who is not signed in."""
    request = urllib.request.Request(url + place, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def place_of(link):
    """What a proxy that serves us under a path asks us for."""
    return link.removeprefix("http://localhost:1/watch")


class TestLinks:
    def test_of_a_message_show_its_chart_act_once_and_are_revoked(self, home, services):
        service = services.SERVICES["mattermost"]()
        config = home.directory / "links.toml"
        config.write_text(CONFIG.format(**service.options()))
        agent = home.start("--config", str(config))
        url = agent.ready.split("url=")[1].split()[0]
        home.program(SENDS.format(values=(1, 2, 3)))
        # What is stored already can be drawn, however busy the store is.
        home.until(lambda: len(home.ask("query", WAITING)["rows"]) > 1)
        home.program(SENDS.format(values=(9,)))
        home.until(lambda: service.got)
        [attachment] = service.got[0]["attachments"]
        links = dict(_named(attachment["text"]))
        picture = fetched(url, place_of(attachment["image_url"]))
        acknowledged = fetched(url, place_of(links["Acknowledge"]), method="POST")
        [incident] = home.ask("incidents")["incidents"]
        code = home.command("revoke-links").returncode
        after = fetched(url, place_of(links["Mute for 1 h"]), method="POST")
        service.close()

        assert (200, "image/png", b"\x89PNG") == (*picture[:2], picture[2][:4])
        assert 200 == acknowledged[0]  # after it was led back to the page
        assert b"Acknowledged by link sent to mattermost:ops" in acknowledged[2]
        assert "link sent to mattermost:ops" == incident["acked_by"]
        assert (0, 404) == (code, after[0])


def _named(text):
    for part in text.rpartition("\n\n")[2].split(" · "):
        name, _, link = part.partition("](<")
        yield name.removeprefix("["), link.removesuffix(">)")
