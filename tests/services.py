"""Strict recording services: receivers on loopback that judge messages as the real ones do."""

from __future__ import annotations

import json
import re
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Refusal(Exception):  # noqa: N818 - an answer, and no error
    """What a service says to a message that is not as its documentation has it."""


def want(is_so, why):
    if not is_so:
        raise Refusal(why)


class Service(ThreadingHTTPServer):
    """Answers what is next in `answers`, else as the service would; `got` holds what it took."""

    daemon_threads = True
    OK = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.got, self.calls, self.wrong = [], [], [], []
        self.open = threading.Event()
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_):
        """Clients may leave when they like."""

    def answer(self, call):
        """Status, headers and body of an answer."""
        self.calls.append(call)
        if self.answers:
            status, headers, said = self.answers.pop(0)
            return status, headers, said if isinstance(said, bytes) else json.dumps(said).encode()
        try:
            said = self.take(call)
        except Exception as error:  # noqa: BLE001 - the end of the test tells it
            self.wrong.append(error)
            return 400, {}, repr(error).encode()
        return self.OK, {}, said if isinstance(said, bytes) else json.dumps(said).encode()

    def close(self):
        self.open.set()
        self.shutdown()
        self.server_close()


class Call:
    """One request, read as far as every service reads it."""

    def __init__(self, handler):
        split = urlsplit(handler.path)
        self.method, self.path, self.query = handler.command, split.path, parse_qs(split.query)
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("content-length", 0)))

    @property
    def kind(self):
        return self.headers.get_content_type()

    def document(self):
        want(self.kind == "application/json", f"a document is JSON, and no {self.kind}")
        return json.loads(self.body)

    def form(self):
        """Fields of a form; of a picture the bytes."""
        if self.kind == "application/x-www-form-urlencoded":
            return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + self.body).get_payload()
        names = [part.get_param("name", header="content-disposition") for part in parts]
        found = [part.get_payload(decode=True) for part in parts]
        is_file = [part.get_filename() for part in parts]
        return {n: v if f else v.decode() for n, v, f in zip(names, found, is_file, strict=True)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def _any(self):
        call = Call(self)
        self.server.open.wait(10)
        status, headers, said = self.server.answer(call)
        if not status:  # hangs up without a word
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"content-length": len(said), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_PATCH = do_PUT = _any  # noqa: N815 - names of http.server

    def log_message(self, *_):
        pass


class Webhook(Service):
    """Reads Alertmanager's body of version 4."""

    def options(self):
        return {"url": f"{self.url}/hook/secretsecretsecret"}

    def take(self, call):
        body = call.document()
        want(body["version"] == "4", "version 4")
        want(body["status"] in {"firing", "resolved"}, "two states")
        want(body["groupKey"], "a group has a key")
        for alert in body["alerts"]:
            want(re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"]), "a fingerprint")
            want(alert["labels"]["alertname"], "alerts have names")
        self.got.append((dict(call.headers), body))
        return b""


class Slack(Service):
    """An incoming webhook, and the two methods of a bot."""

    TOKEN = "xoxb-12345678-secretsecret"

    def __init__(self):
        self.messages, self.threads = {}, []
        super().__init__()

    def options(self):
        return {"url": f"{self.url}/services/T0/B0/secretsecretsecret"}

    def bot(self):
        return {"token": self.TOKEN, "channel": "#alerts", "api": f"{self.url}/api"}

    def take(self, call):
        body = call.document()
        self._judge(body)
        self.got.append(body)
        if call.path.startswith("/services/"):
            return b"ok"
        want(call.headers["authorization"] == f"Bearer {self.TOKEN}", "a bot signs in")
        return {"/api/chat.postMessage": self._post, "/api/chat.update": self._update}[call.path](
            body
        )

    def _judge(self, body):
        want(body.get("text") or body.get("blocks"), "no_text")
        want(len(body.get("text", "")) <= 40_000, "msg_too_long")
        blocks = [block for each in body.get("attachments", []) for block in each["blocks"]]
        want(len(blocks) <= 50, "invalid_blocks")
        for block in (each for each in blocks if each["type"] == "image"):
            want(block["alt_text"] and len(block["image_url"]) <= 3000, "invalid_blocks")
        for block in (each for each in blocks if each["type"] != "image"):
            text = block["text"]
            want(block["type"] == "section" and 0 < len(text["text"]) <= 3000, "invalid_blocks")
            want(text["type"] in {"plain_text", "mrkdwn"}, "invalid_blocks")
            want("emoji" not in text or text["type"] == "plain_text", "invalid_blocks")
        texts = [block["text"] for block in blocks if block["type"] != "image"]
        read = [body["text"]] + [each["text"] for each in texts if each["type"] == "mrkdwn"]
        calls = [word for text in read for word in re.findall(r"<[!@#][^>]*>", text)]
        want(not calls, f"somebody is called: {calls}")

    def _post(self, body):
        if body.get("thread_ts"):
            want(body["channel"] == "C024BE91L", "channel_not_found")
            self.threads.append((body["thread_ts"], body["text"]))
        stamp = f"1700000000.{len(self.messages):06}"
        self.messages[stamp] = body["text"]
        return {"ok": True, "channel": "C024BE91L", "ts": stamp}

    def _update(self, body):
        if body["channel"] != "C024BE91L" or body["ts"] not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[body["ts"]] = body["text"]
        return {"ok": True, "channel": body["channel"], "ts": body["ts"]}


class Teams(Service):
    """A workflow that takes Adaptive Cards."""

    OK = 202

    def options(self):
        return {"url": f"{self.url}/workflows/secretsecretsecret/triggers?sig=secretsecret"}

    def take(self, call):
        want(len(call.body) <= 28_000, "RequestEntityTooLarge")
        body = call.document()
        [attachment] = body["attachments"]
        want(body["type"] == "message", "a message")
        want(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "a card")
        card = attachment["content"]
        want(card["type"] == "AdaptiveCard" and card["version"] <= "1.5", "a card Teams knows")
        for action in card["actions"]:
            want(action["type"] == "Action.OpenUrl" and action["url"], "an action has an address")
        known = {"Container", "RichTextBlock", "Image"}
        want(all(part["type"] in known for part in card["body"]), "parts")
        pictures = [part for part in card["body"] if part["type"] == "Image"]
        want(all(each["url"] and each["altText"] for each in pictures), "pictures")
        self.got.append(body)
        return b""


class Discord(Service):
    """A channel's webhook, whose messages can be edited."""

    def __init__(self):
        self.messages = {}
        super().__init__()

    def options(self):
        return {"url": f"{self.url}/api/webhooks/123456/secretsecretsecret"}

    def take(self, call):
        form = {} if call.kind == "application/json" else call.form()
        body = json.loads(form["payload_json"]) if form else call.document()
        self._judge(body, form)
        hook, _, number = call.path.partition("/messages/")
        want(hook == "/api/webhooks/123456/secretsecretsecret", "Unknown Webhook")
        want(call.method == ("PATCH" if number else "POST"), "405")
        want(number in self.messages if number else call.query["wait"] == ["true"], "Unknown")
        number = number or str(1_000 + len(self.messages))
        self.messages[number] = body["embeds"][0]["title"]
        self.got.append(body)
        return {"id": number, "channel_id": "1"}

    def _judge(self, body, form):
        want(body["allowed_mentions"] == {"parse": []}, "nobody is called")
        [embed] = body["embeds"]
        sizes = {"title": 256, "description": 4096}
        want(all(0 < len(embed[name]) <= most for name, most in sizes.items()), "Invalid Form Body")
        fields = [len(f["name"]) + len(f["value"]) for f in embed.get("fields", [])]
        want(all(len(f["value"]) <= 1024 for f in embed.get("fields", [])), "Invalid Form Body")
        whole = len(embed["title"]) + len(embed["description"]) + sum(fields)
        want(whole + len(embed["footer"]["text"]) <= 6000, "Invalid Form Body")
        want(("image" in embed) == ("files[0]" in form), "a picture that is there")


class Telegram(Service):
    """The Bot API: messages, pictures, and buttons that lead to public addresses only."""

    TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

    def options(self):
        return {"token": self.TOKEN, "chat": "-1001", "api": self.url}

    def answer(self, call):
        status, headers, said = super().answer(call)
        if self.wrong and isinstance(self.wrong[-1], Refusal) and "URL" in str(self.wrong[-1]):
            self.wrong.pop()
            said = json.dumps({"ok": False, "error_code": 400, "description": "Wrong HTTP URL"})
            return 400, headers, said.encode()
        return status, headers, said

    def take(self, call):
        method = call.path.removeprefix(f"/bot{self.TOKEN}/")
        form = call.document() if method == "sendMessage" else call.form()
        want(form["chat_id"] == "-1001", "chat not found")
        name, most = {"sendMessage": ("text", 4096), "sendPhoto": ("caption", 1024)}[method]
        want(0 < len(form[name].encode("utf-16-le")) // 2 <= most, "message is too long")
        want("parse_mode" not in form, "plain text")
        want((method == "sendPhoto") == (form.get("photo", b"")[:4] == b"\x89PNG"), "a picture")
        markup = form.get("reply_markup", {})
        markup = json.loads(markup) if isinstance(markup, str) else markup
        for button in (one for row in markup.get("inline_keyboard", []) for one in row):
            want("127.0.0.1" not in button["url"], "Wrong HTTP URL")
        self.got.append(form)
        return {"ok": True, "result": {"message_id": len(self.got)}}


class Pagerduty(Service):
    """The Events API: alerts by their key, and their states."""

    OK = 202
    KEY = "R0123456789ABCDEF0123456789ABCDE"

    def __init__(self):
        self.alerts = {}
        super().__init__()

    def options(self):
        return {"routing_key": self.KEY, "url": f"{self.url}/v2/enqueue"}

    def take(self, call):
        want(len(call.body) <= 512_000, "too large")
        event = call.document()
        want(event["routing_key"] == self.KEY, "Invalid routing key")
        state = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}
        want(0 < len(event["dedup_key"]) <= 255, "Length of dedup_key")
        payload = event["payload"]
        want(0 < len(payload["summary"]) <= 1024, "Length of summary")
        want(payload["severity"] in {"critical", "error", "warning", "info"}, "severity")
        want(payload["source"], "source is missing")
        want(all(link["href"] for link in event.get("links", [])), "a link leads somewhere")
        pictures = event.get("images", [])
        want(all(each["src"].startswith("https://") for each in pictures), "pictures come by TLS")
        self.alerts[event["dedup_key"]] = state[event["event_action"]]
        self.got.append(event)
        return {"status": "success", "dedup_key": event["dedup_key"]}


class Opsgenie(Service):
    """The alerts of a team by their alias, and what becomes of them."""

    OK = 202

    def __init__(self):
        self.alerts = {}
        super().__init__()

    def options(self):
        return {"api_key": "0123-secret-4567", "url": self.url}

    def take(self, call):
        want(call.headers["authorization"] == "GenieKey 0123-secret-4567", "Key is not valid")
        body = call.document()
        if call.path == "/v2/alerts":
            self._judge(body)
            self.alerts[body["alias"]] = "open"
        else:
            _, _, _, alias, action = call.path.split("/")
            want(call.query["identifierType"] == ["alias"], "identifierType")
            want(len(body["note"]) <= 25_000, "note")
            self.alerts[alias] = {"close": "closed", "acknowledge": "acked"}[action]
        self.got.append(body)
        return {"result": "Request will be processed", "requestId": "1"}

    def _judge(self, body):
        want(0 < len(body["message"]) <= 130, "message")
        sizes = {"alias": 512, "description": 15_000, "entity": 512, "source": 100}
        want(all(len(body[name]) <= most for name, most in sizes.items()), "sizes")
        want(body["priority"] in {"P1", "P2", "P3", "P4", "P5"}, "priority")
        want(len(body["tags"]) <= 20 and max(map(len, body["tags"])) <= 50, "tags")
        details = body["details"]
        want(sum(len(k) + len(v) for k, v in details.items()) <= 8_000, "details")


class Ntfy(Service):
    """A server of topics: the newest message of a sequence is the one that is shown."""

    def __init__(self):
        self.shown = {}
        super().__init__()

    def options(self):
        return {"topic": "alerts", "url": self.url, "token": "tk_secretsecretsecret"}

    def take(self, call):
        want(call.path == "/", "documents go to the root")
        want(call.headers["authorization"] == "Bearer tk_secretsecretsecret", "forbidden")
        push = call.document()
        want(len(push["message"].encode()) <= 4096, "it becomes an attachment")
        want(1 <= push["priority"] <= 5, "priority")
        want(re.fullmatch(r"[-_A-Za-z0-9]{1,64}", push["sequence_id"]), "sequence id")
        actions = push.get("actions", [])
        want(len(actions) <= 3, "too many actions")
        want(all(a["action"] == "view" and a["label"] and a["url"] for a in actions), "actions")
        self.shown[push["sequence_id"]] = push["title"]
        self.got.append(push)
        return {"id": "abc"}


class Mattermost(Service):
    """An incoming webhook."""

    def options(self):
        return {"url": f"{self.url}/hooks/secretsecretsecret"}

    def take(self, call):
        body = call.document()
        texts = [body["text"], *(each["text"] for each in body["attachments"])]
        want(sum(map(len, texts)) <= 16_383, "post is too long")
        calls = [word for text in texts for word in re.findall(r"@(?:all|channel|here)\b", text)]
        want(not calls, f"somebody is called: {calls}")
        self.got.append(body)
        return b"ok"


class Twilio(Service):
    """Text messages of an account."""

    OK = 201

    def options(self):
        who = {"account": "AC0123", "auth_token": "secretsecretsecret", "api": self.url}
        return {**who, "sender": "+15550001111", "to": "+15552223333"}

    def take(self, call):
        want(call.path == "/2010-04-01/Accounts/AC0123/Messages.json", "20404")
        want(call.headers["authorization"].startswith("Basic "), "20003")
        form = call.form()
        want(0 < len(form["Body"]) <= 1600, "21617")
        want(("From" in form) != ("MessagingServiceSid" in form), "21603")
        want(re.fullmatch(r"\+[1-9]\d{1,14}", form["To"]), "21211")
        self.got.append(form)
        return {"sid": f"SM{len(self.got)}"}


class Apprise(Service):
    """Whoever takes Apprise's own JSON."""

    def options(self):
        return {"url": f"json://127.0.0.1:{self.server_port}/secretsecretsecret"}

    def take(self, call):
        body = json.loads(call.body)
        want(body["title"] and body["message"], "words")
        self.got.append(body)
        return {}


SERVICES = {
    "apprise": Apprise,
    "discord": Discord,
    "mattermost": Mattermost,
    "ntfy": Ntfy,
    "opsgenie": Opsgenie,
    "pagerduty": Pagerduty,
    "slack": Slack,
    "teams": Teams,
    "telegram": Telegram,
    "twilio": Twilio,
    "webhook": Webhook,
}
