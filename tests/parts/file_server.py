"""A server on this machine that behaves well or badly, as the path says."""

from __future__ import annotations

import contextlib
import http.server
import time
from typing import Any
from urllib.parse import urlsplit

GOOD = bytes(range(256)) * 512  # 128 kB: more than one chunk
BAD = GOOD[:-1] + b"!"


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by the first word of the path: /good/…, /bad/…, /cut/…, /gone/…, /away/…

    /whole/… and /lies/… know ranges; /cut40/… too, but closes after 40 % of what it was asked for
    in full.
    """

    asked: list[str]
    ranges: list[str | None]  # the Range of each request
    body = GOOD

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.ranges.append(self.headers["Range"])
        getattr(self, "_" + urlsplit(self.path).path.split("/")[1])()

    def _ranged(self, body: bytes, stop: int | None = None) -> None:
        if asked := self.headers["Range"]:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start < len(body) else 416)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            rest, stop = body[start:], None
        else:
            self.send_response(200)
            rest = body
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:stop])

    def _whole(self) -> None:
        self._ranged(self.body)

    def _cut40(self) -> None:
        self._ranged(self.body, stop=len(self.body) * 2 // 5)

    def _lies(self) -> None:
        self._ranged(self.body[:-1] + b"!")

    def _liescut(self) -> None:
        self._ranged(b"!" + self.body[1:], stop=len(self.body) * 2 // 5)

    def _elsewhere(self) -> None:  # answers with another part than was asked for
        self.send_response(206)
        self.send_header("Content-Range", "bytes 7-9/10")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"abc")

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(10_000):
                self.wfile.write(bytes(2**16))
        except OSError:
            self.asked.append("hung up")

    def _send(self, body: bytes, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def _good(self) -> None:
        self._send(GOOD, len(GOOD))

    def _bad(self) -> None:
        self._send(BAD, len(BAD))

    def _cut(self) -> None:  # promises the whole file, closes half way
        self._send(GOOD[: len(GOOD) // 2], len(GOOD))

    def _silent(self) -> None:  # tells no length, closes half way: only the hash can tell
        self._send(GOOD[: len(GOOD) // 2], None)

    def _trickle(self) -> None:  # the whole, a byte every 10 ms
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self._drip(GOOD)

    def _drippy(self) -> None:  # the same, and does not come to the end of its headers
        self._drip(b"HTTP/1.1 200 OK\r\nX-Long: " + GOOD)

    def _drip(self, content: bytes) -> None:
        try:
            for one in content:
                self.wfile.write(bytes([one]))
                time.sleep(0.01)
        except OSError:
            self.asked.append("hung up")

    def _gone(self) -> None:
        self.send_error(404)

    def _away(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://example.org/map.nii")
        self.end_headers()

    def _moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/good/map.nii")
        self.end_headers()

    def _wordy(self) -> None:
        """Redirect, with 64 MB that say so."""
        self.send_response(302)
        self.send_header("Location", "/good/map.nii")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(64):
                self.wfile.write(bytes(10**6))

    def _garbage(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "many")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output clean."""
