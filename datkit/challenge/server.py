"""A web server for a class: on one laptop or one Wi-Fi, from the folder of a challenge.

What a request can reach is listed here and nowhere else: pages made from the record, the zips of
`train` and of the test exams of the open phase, and notebooks that teams share. A team is known by
a token, whose sha256 is in the record; what is a team's own is shown to nobody else. Submissions
are marked by another process, one at a time, so that pages stay quick. Everything that counts goes
to the record, so the server may be switched off at any moment.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from hmac import compare_digest
from logging.handlers import RotatingFileHandler
from multiprocessing import get_context
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from datkit.challenge.classroom import Classroom, hash_token
from datkit.challenge.marking import MOST_DEATHS, give_up, mark_next, receive, waiting
from datkit.challenge.ranking import Board, Marks, board_page, make_board
from datkit.challenge.sharing import LARGEST, ask, notebooks, share
from datkit.errors import ChallengeError, UsageError
from datkit.files import replace_atomically
from datkit.inspect.findings import count_findings, group_findings
from datkit.problems import Problem, shown
from datkit.replica.sandbox import choose_level
from datkit.view.pages.page import render_page

__all__ = ["make_app", "serve"]

LOG = logging.getLogger(__name__)
OVERHEAD = 2**16  # bytes of a form around its file
UPLOAD_SECONDS = 600  # 200 MiB at 0.35 MB/s
FORM_SECONDS, HEAD_SECONDS = 20, 10  # for what fits into a packet or two
MOST_CLIENTS, MOST_OF_ONE = 500, 200  # connections, and those of one address: it may be a school's
# An address, or a name that no other site can have: one whose own name was made to lead here (DNS
# rebinding) still goes by that.
OWN_HOST = re.compile(r"(?i)([\w-]+(\.local)?|[\d.]+|\[[\da-f:.]+\])(:\d+)?")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'"
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": f"{POLICY}; base-uri 'none'; frame-ancestors 'none'".encode(),
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


class Door(H11Protocol):
    """Hang up on who opens too many connections, or sends no whole head of a request in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let a connection in."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else ""
        if sum(getattr(one, "host", "") == self.host for one in self.connections) > MOST_OF_ONE:
            self.turn_away(f"more than {MOST_OF_ONE} connections")
        else:
            self.loop.call_later(HEAD_SECONDS, self.look_again, None)

    def look_again(self, before: object) -> None:
        """Hang up if no request came since the last one had its answer."""
        if self.cycle is before and (before is None or self.cycle.response_complete):
            self.turn_away("no request in time")
        elif not self.transport.is_closing():
            self.loop.call_later(HEAD_SECONDS, self.look_again, self.cycle)

    def turn_away(self, why: str) -> None:
        """End a connection, and say so in the log."""
        if not self.transport.is_closing():
            LOG.warning("hung up on %s: %s", self.host, why)
            self.transport.abort()


class Guard:
    """Refuse what comes from other sites, and a body that is too large or slow; add headers."""

    def __init__(self, app: ASGIApp, sizes: Mapping[str, int]) -> None:
        self.app, self.sizes = app, sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, clock = scope["path"], asyncio.get_running_loop().time
        left = self.sizes.get(path, 0) + OVERHEAD
        end = clock() + (UPLOAD_SECONDS if path in self.sizes else FORM_SECONDS)

        async def counted() -> Message:
            nonlocal left
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "Expected all of it sooner. Try again.") from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, "Expected less to be sent. The form says how much.")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        request = Request(scope)
        host, origin = (request.headers.get(name, "") for name in ("host", "origin"))
        if not OWN_HOST.fullmatch(host) or origin not in ("", f"{request.url.scheme}://{host}"):
            error = HTTPException(403, "Expected this server's own address; open its first page.")
            return await _refuse(request, error)(scope, counted, with_headers)
        return await self.app(scope, counted, with_headers)


class Pages:
    """What each address answers."""

    def __init__(self, room: Classroom) -> None:
        self.room, self.uploading = room, set[str]()
        self.made: tuple[object, Any] = (None, None)
        self.marks = {"public": Marks(room, "public")}
        self.making, self.packing = Lock(), Lock()

    def team(self, request: Request) -> str:
        """Return the team of a request's token; '' without one."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = hash_token(request.cookies.get("token") or bearer)
        known = {entry["name"]: entry["sha256"] for entry in self.room.record.of("team")}
        return next((n for n, digest in known.items() if compare_digest(given, digest)), "")

    def own(self, request: Request) -> str:
        """Return the team, or refuse."""
        if team := self.team(request):
            return team
        raise HTTPException(403, "Expected a team's token. Enter yours on the first page.")

    def now(self) -> Board:
        """Return the board, made anew, by one for all, when the record has grown."""
        with self.making:
            key = (len(self.room.record.entries), self.room.is_over())
            if self.made[0] != key:
                self.made = (key, make_board(self.room, self.marks))
            return self.made[1]

    def home(self, request: Request) -> Response:
        """Rules, data, news; and what a team has handed in."""
        team = self.team(request)
        told = {"team": team, "parts": self.parts(), "notebooks": notebooks(self.room)}
        told |= self.history(team)
        return HTMLResponse(render_page("class_home.html", title="", **told))

    def history(self, team: str) -> dict[str, Any]:
        """Return all that happened, what a team handed in, and what became of it, by number."""
        entries, marks = self.room.record.entries, self.marks["public"]
        with self.making:
            marks.update(entries)
            held, own = marks.shown(team), {**marks.tries.get(team, {})}
        mine = [one for one in entries if one["kind"] == "received" and one["team"] == team]
        return {
            "room": self.room,
            "entries": entries,
            "history": {str(one["number"]): one for one in mine},
            "queue": [one["number"] for one in waiting(entries)],
            "marked": {one["of"]: one for one in entries if one["kind"] == "marked"},
            "best": held,
            "scores": {n: float(marks.rounded(marks.sign * score)) for n, score in own.items()},
            "step": marks.step,
        }

    def board(self, _: Request) -> Response:
        """Show the board."""
        return HTMLResponse(board_page(self.now(), served=True))

    def findings(self, request: Request) -> Response:
        """Show all that is wrong with a submission of the team's own."""
        told, number = self.history(self.own(request)), request.path_params["number"]
        if (entry := told["history"].get(number)) is None:
            raise HTTPException(404, "Expected a submission of your team, found none.")
        marked = told["marked"].get(entry["number"], {"problems": []})
        problems = [Problem(**one) for one in marked["problems"]]
        told |= {"counts": count_findings(problems), "groups": group_findings(problems)}
        page = render_page("class_findings.html", title=entry["name"], entry=entry, **told)
        return HTMLResponse(page)

    def notebook(self, request: Request) -> Response:
        """Show a notebook that a team shares as text, or send it; nothing of it runs here."""
        name = request.path_params["name"]
        if (one := notebooks(self.room).get(name.removesuffix(".ipynb"))) is None:
            raise HTTPException(404, "Expected a notebook that a team shares, found none.")
        if name.endswith(".ipynb"):
            return FileResponse(one["path"], filename=f"notebook-{name}")
        cells = json.loads(one["path"].read_text(encoding="utf-8"))["cells"]
        told = {"title": one["name"], "one": one, "cells": cells}
        return HTMLResponse(render_page("class_notebook.html", **told))

    def parts(self) -> list[str]:
        """Name what teams may download now."""
        phase = self.room.phase()
        tested = phase.scored_on if phase and "table" in self.room.challenge.runtime.takes else ()
        return ["train", *tested]

    def data(self, request: Request) -> Response:
        """Send one of them."""
        part = request.path_params["part"]
        if not self.own(request) or part not in self.parts():
            raise HTTPException(404, "Expected data that are given out now, found none.")
        place = self.room.folder / "served" / f"{part}.zip"
        with self.packing:  # once, whoever asks for it at the same time
            if not place.exists():
                with replace_atomically(place) as made, zipfile.ZipFile(made, "w") as archive:
                    for path in sorted((self.room.folder / part).rglob("*.*")):
                        archive.write(path, path.relative_to(self.room.folder))
        return FileResponse(place, filename=place.name)

    async def enter(self, request: Request) -> Response:
        """Keep a token that is a team's in the browser; forget it on the way out."""
        answer = RedirectResponse("/", 303)
        if request.url.path == "/leave":
            answer.delete_cookie("token")
            return answer
        token = str((await request.form(max_files=0)).get("token", "")).strip()
        request.cookies["token"] = token
        await run_in_threadpool(self.own, request)  # first: what is no token may fit into no cookie
        answer.set_cookie("token", token, httponly=True, samesite="strict")
        return answer

    async def upload(self, request: Request) -> Response:
        """Take a submission in, or a notebook to be shared; one of a team at a time."""
        team = await run_in_threadpool(self.own, request)
        if team in self.uploading:
            raise HTTPException(429, "Expected one upload of a team at a time; wait for the other.")
        self.uploading.add(team)
        try:
            async with request.form(max_files=1, max_fields=1) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise HTTPException(400, "Expected a file, found none. Choose one.")
                name, stream = file.filename or "without a name", file.file
                if request.url.path == "/notebooks":
                    entry = await run_in_threadpool(share, self.room, team, stream, name)
                else:
                    meant = str(form.get("phase", ""))
                    entry = await run_in_threadpool(receive, self.room, team, stream, name, meant)
        finally:
            self.uploading.discard(team)
        return RedirectResponse(f"{request.url.path}/{entry['number']}", 303)

    def nowhere(self, _: Request) -> Response:
        """Refuse any other address."""
        raise HTTPException(404, "Expected a page of this challenge, found none at this address.")

    async def ask(self, request: Request) -> Response:
        """Put a question to who organises; all see it, and nobody sees whose it is."""
        team = await run_in_threadpool(self.own, request)
        text = str((await request.form(max_files=0)).get("text", ""))
        await run_in_threadpool(ask, self.room, team, text)
        return RedirectResponse("/#questions", 303)


def _refuse(request: Request, error: Exception) -> Response:
    """Say why in a page, and in the log; never whose token it was."""
    status, said = getattr(error, "status_code", 409), str(getattr(error, "detail", error))
    asked = f"{request.method} {shown(request.url.path)}"
    where = request.client.host if request.client else "?"
    LOG.warning("refused %s from %s: %d %s", asked, where, status, shown(said) or "it broke off")
    page = render_page("class_refused.html", title="Refused", said=said)
    return HTMLResponse(page, status, {"connection": "close"})  # what else is sent goes unread


def _fail(request: Request, _error: Exception) -> Response:
    """Say that there was a fault, and not which: the log has it whole."""
    answer = _refuse(request, HTTPException(500, "A fault of the server; tell who organises it."))
    answer.raw_headers += HEADERS.items()  # it is sent past the guard
    return answer


def make_app(room: Classroom) -> Starlette:
    """Return the pages as an ASGI application; it marks nothing itself."""
    pages = Pages(room)
    refused = HTTPException, ChallengeError, ClientDisconnect
    handlers: dict[Any, Any] = {**dict.fromkeys(refused, _refuse), Exception: _fail}
    routes = [
        Route("/", pages.home),
        Route("/board", pages.board),
        Route("/data/{part}.zip", pages.data),
        Route("/enter", pages.enter, methods=["POST"]),
        Route("/leave", pages.enter, methods=["POST"]),
        Route("/notebooks", pages.upload, methods=["POST"]),
        Route("/notebooks/{name}", pages.notebook),
        Route("/questions", pages.ask, methods=["POST"]),
        Route("/submissions", pages.upload, methods=["POST"]),
        Route("/submissions/{number}", pages.findings),
        Route("/{path:path}", pages.nowhere),
    ]
    sizes = {"/submissions": room.challenge.limits.upload_mib * 2**20, "/notebooks": LARGEST}
    guard = Middleware(Guard, sizes=sizes)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)


def configure(room: Classroom, host: str, port: int) -> uvicorn.Config:
    """Return how the pages are served."""
    return uvicorn.Config(
        make_app(room), host, port, http=Door, ws="none", log_config=None, log_level="warning",
        server_header=False, proxy_headers=False, limit_concurrency=MOST_CLIENTS,
        timeout_graceful_shutdown=5,
    )  # fmt: skip


def serve(
    room: Classroom, host: str = "127.0.0.1", port: int = 8000, isolation: str | None = None
) -> None:
    """Serve a challenge until it is interrupted, and mark what comes in.

    What is refused is told on standard error and in `log/server.log`.

    Raises
    ------
    UsageError
        If code is taken, and no sandbox on this machine keeps it from the labels; if the address is
        not this machine's, or its port is in use.
    """
    if "code" in room.challenge.runtime.takes:
        try:
            choose_level(isolation)
        except UsageError as error:
            tables = "write takes: [table] in challenge.yaml, then datkit class amend"
            raise UsageError(f"{error} Or take tables alone: {tables} {room.folder}.") from None
    config = configure(room, host, port)  # it reads the labels before another process starts
    try:
        config.bind_socket().close()
    except SystemExit:  # uvicorn has said why
        remedy = "choose another --port, or an address of this machine"
        raise UsageError(f"Expected a free port, found {host}:{port}; {remedy}.") from None
    log = room.folder / "log" / "server.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    kept = RotatingFileHandler(log, maxBytes=2**22, backupCount=3)
    both: list[logging.Handler] = [logging.StreamHandler(), kept]
    logging.basicConfig(format="%(asctime)s %(message)s", handlers=both, force=True)
    Thread(target=_keep_working, args=(room.folder, isolation), daemon=True).start()
    uvicorn.Server(config).run()


def _keep_working(folder: Path, isolation: str | None) -> None:
    """Have a process that marks, and another one should it die; give up what kills it."""
    room, deaths = Classroom.open(folder), Counter[int]()
    while True:
        how = (folder, isolation, os.getpid())
        worker = get_context("spawn").Process(target=work, args=how, daemon=True)
        worker.start()
        worker.join()
        if (worker.exitcode or 0) < 0 and (queue := waiting(room.record.entries)):  # by a signal
            deaths[number := queue[0]["number"]] += 1
            if deaths[number] >= MOST_DEATHS:
                give_up(room, number)
        time.sleep(1)


def work(folder: Path, isolation: str | None, parent: int) -> None:
    """Mark what waits, for as long as the server lives."""
    room = Classroom.open(folder)
    with suppress(KeyboardInterrupt):  # Ctrl-C reaches both; what it was at is marked anew
        while os.getppid() == parent:
            if mark_next(room, isolation) is None:
                time.sleep(0.3)
