"""A small web page with the live picture and what is missing, for robots without a display."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import cv2

from edge_sdk.errors import ConfigError
from edge_sdk.frames import Image

__all__ = ["WebView"]

_PAGE = b"""<!doctype html><html><head><meta charset="utf-8"><title>edge-sdk calibrate</title>
<style>body{font:16px system-ui,sans-serif;margin:1em;background:#222;color:#eee}
img{max-width:100%;image-rendering:pixelated}#hint{font-size:1.4em;margin:.4em 0}</style></head>
<body><div id="hint"></div><img id="view" alt="live picture"><pre id="state"></pre><script>
async function tick(){try{
const s=await(await fetch('state.json')).json();
document.getElementById('hint').textContent=s.done?'enough: done':s.missing.join('; ');
document.getElementById('state').textContent=s.views+' views, '+s.last;
document.getElementById('view').src='picture.jpg?'+Date.now();}catch(e){
document.getElementById('hint').textContent='edge-sdk is not running';}
setTimeout(tick,300)}tick()</script></body></html>"""


class WebView:
    """Serves the newest picture and state until it is closed.

    There is no password: it listens on this machine alone unless told otherwise (over ssh:
    ``ssh -L 8000:localhost:8000 robot``).

    Args:
        port: 0 for any free one.
        host: address to listen on.

    Raises:
        ConfigError: the port is taken or not allowed.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._lock = threading.Lock()
        self._picture = b""
        self._state: dict[str, Any] = {"views": 0, "missing": [], "last": "", "done": False}
        view = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                view._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is written to the terminal for every request."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except (OSError, OverflowError) as fault:
            raise ConfigError(
                f"--web {port}: cannot listen on {host}:{port} ({fault}); give another port"
            ) from fault
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://{host}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="edge_sdk web", daemon=True
        )
        self._thread.start()

    def show(self, picture: Image, state: dict[str, Any]) -> None:
        """Replace what is served.

        Args:
            picture: (H, W) or (H, W, 3) uint8.
            state: for ``state.json``.
        """
        ok, data = cv2.imencode(".jpg", picture)
        with self._lock:
            self._state = dict(state)
            if ok:
                self._picture = data.tobytes()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        with self._lock:
            found = {
                "/": ("text/html; charset=utf-8", _PAGE),
                "/picture.jpg": ("image/jpeg", self._picture),
                "/state.json": ("application/json", json.dumps(self._state).encode()),
            }.get(path)
        if found is None or not found[1]:
            request.send_error(404)
            return
        kind, body = found
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Cache-Control", "no-store")
        try:
            request.end_headers()
            request.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            return  # the browser went away

    def close(self) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)

    def __enter__(self) -> WebView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
