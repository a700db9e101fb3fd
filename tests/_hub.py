"""A hub on loopback: as much of it as creating a repository and committing to it needs."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "b" * 40


class Hub:
    """What the hub holds: repositories with their visibility and files."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits: list[list[str]] = []
        self.url = ""

    def decide(self, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the content of an answer."""
        routes: tuple[tuple[str, Callable[..., tuple[int, Any]]], ...] = (
            (r"/api/repos/create", lambda: self.create(json.loads(body))),
            (r"/api/validate-yaml", lambda: (200, {"errors": [], "warnings": []})),
            (r"/api/models/([^/]+/[^/]+)/preupload/main", lambda _: self.modes(json.loads(body))),
            (
                r"/api/models/([^/]+/[^/]+)/commit/main",
                lambda name: self.commit(name, [json.loads(line) for line in body.splitlines()]),
            ),
            (r"/api/models/([^/]+/[^/]+)(?:/revision/main)?", self.info),
        )
        for pattern, answer in routes:
            if found := re.fullmatch(pattern, path):
                return answer(*found.groups())
        return 404, {"error": "no such path"}

    def modes(self, asked: dict[str, Any]) -> tuple[int, Any]:
        mode = {"uploadMode": "regular", "shouldIgnore": False}
        return 200, {"files": [{"path": file["path"]} | mode for file in asked["files"]]}

    def create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.url}/{name}"}
        if name in self.private:
            return 409, {"error": "You already created this model repo"} | url
        self.private[name] = asked.get("visibility") == "private"
        self.files[name] = {}
        return 200, url

    def info(self, name: str) -> tuple[int, Any]:
        siblings = [{"rfilename": file} for file in self.files.get(name, {})]
        about = {"id": name, "modelId": name, "_id": "1", "sha": COMMIT, "tags": []}
        return 200, about | {"private": self.private[name], "siblings": siblings}

    def commit(self, name: str, lines: list[dict[str, Any]]) -> tuple[int, Any]:
        files = [line["value"] for line in lines if line["key"] == "file"]
        self.commits.append([file["path"] for file in files])
        for file in files:
            self.files[name][file["path"]] = base64.b64decode(file["content"])
        return 200, {"commitUrl": f"{self.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT}


@contextmanager
def running(token: str) -> Iterator[Hub]:
    """Serve a hub that knows one token, until the end of the block."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = self.headers.get("Authorization") == f"Bearer {token}"
            path = self.path.partition("?")[0]
            code, content = hub.decide(path, body) if known else (401, {"error": "who are you?"})
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the names that the server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
