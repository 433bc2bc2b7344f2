"""Who is told by webhook, on loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook(ThreadingHTTPServer):
    """Takes every message; what is made of it is the business of who inherits."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hear(self, path, body):
        """One message, as bytes, and the path it was sent to."""
        raise NotImplementedError


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.hear(self.path, body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass
