"""A hub on loopback: one commit of each repository in a folder; names of repositories are faults.

gated, private (token hf_secret), busy (503 always), flaky (503 every third time), stall (never
answers), cut (half of every large file, then silence).
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT, TOKEN = "c" * 40, "hf_secret"
_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?")
_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_LARGE = (".safetensors", ".parquet")


class Hub:
    """A hub while it runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        """The path of every request."""
        handler = type("_Bound", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["Hub"]:
        """Answer until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def files(self, kind: str, name: str) -> dict[str, bytes]:
        """Path -> content of a repository; none where there is no such."""
        folder = self.root / kind / name
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.hub.asked.append(path)
        if match := _API.fullmatch(path.rstrip("/")):
            kind, name, what, revision = match.groups()
            if self._may_read(kind, name, revision):
                self._about(kind, name, what == "tree")
        elif match := _FILE.fullmatch(path):
            data, name, revision, file = match.groups()
            kind = "datasets" if data else "models"
            if self._may_read(kind, name, revision):
                self._file(kind, name, file)
        else:
            self._refuse(404, "", "no such path")

    do_HEAD = do_GET  # noqa: N815 - the server's word

    def _may_read(self, kind: str, name: str, revision: str | None) -> bool:
        said = {
            "gated": (403, "GatedRepo", "restricted"),
            "busy": (503, "", "busy"),
        }
        if "stall" in name:
            time.sleep(120)
        token = self.headers.get("Authorization", "")
        refused = next((answer for fault, answer in said.items() if fault in name), None)
        if "flaky" in name and len(self.hub.asked) % 3 == 1:
            refused = said["busy"]
        hidden = "private" in name and token != f"Bearer {TOKEN}"
        if refused is None and (hidden or not self.hub.files(kind, name)):
            refused = (401, "RepoNotFound", "not found")
        if refused is None and revision not in (None, "main", COMMIT):
            refused = (404, "RevisionNotFound", "no such revision")
        if refused is not None:
            self._refuse(*refused)
        return refused is None

    def _about(self, kind: str, name: str, tree: bool) -> None:
        content = self.hub.files(kind, name)
        if tree:
            self._send([_entry(path, data) for path, data in content.items()])
            return
        self._send({
            "id": name, "sha": COMMIT, "private": False, "gated": False, "tags": [],
            "siblings": [{"rfilename": path} for path in content],
            "lastModified": "2026-01-01T00:00:00.000Z", "downloads": 0, "likes": 0,
        })  # fmt: skip

    def _file(self, kind: str, name: str, file: str) -> None:
        content = self.hub.files(kind, name)
        if file not in content:
            self._refuse(404, "EntryNotFound", "no such file")
            return
        data = content[file]
        tag = _entry(file, data)
        headers = {"ETag": f'"{tag["oid"]}"', "X-Repo-Commit": COMMIT}
        if file.endswith(_LARGE):
            etag = f'"{tag["lfs"]["oid"]}"'
            headers |= {"ETag": etag, "X-Linked-Etag": etag, "X-Linked-Size": str(len(data))}
        cut = "cut" in name and file.endswith(_LARGE) and self.command == "GET"
        self._send(data, headers=headers, part=len(data) // 2 if cut else len(data))

    def _refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self._send({"error": message}, status=status, headers=headers)

    def _send(
        self,
        content: Any,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        part: int | None = None,
    ) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:part])
        if part is not None and part < len(body):
            self.close_connection = True


def _entry(path: str, data: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "oid": oid, "size": len(data), "path": path}
    if path.endswith(_LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
        entry["lfs"]["pointerSize"] = 130
    return entry
