"""A web server for a class: on one laptop or one Wi-Fi, from the folder of a challenge.

What a request can reach is listed here and nowhere else: pages made from the record, the zips of
`train` and of the test exams of the open phase. A team is known by a token, whose sha256 is in the
record; what is a team's own is shown to nobody else. Submissions are marked by another process,
one at a time, so that pages stay quick. Everything that counts goes to the record, so the server
may be switched off at any moment.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import zipfile
from asyncio import timeout
from collections.abc import Mapping
from hmac import compare_digest
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
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datkit.challenge.classroom import Classroom, hash_token
from datkit.challenge.marking import mark_next, receive, waiting
from datkit.challenge.ranking import Board, board_page, make_board
from datkit.challenge.record import Entry
from datkit.errors import ChallengeError
from datkit.files import replace_atomically
from datkit.inspect.findings import count_findings, group_findings
from datkit.problems import Problem, shown
from datkit.replica.sandbox import choose_level
from datkit.view.pages.page import render_page

__all__ = ["make_app", "serve"]

LOG = logging.getLogger(__name__)
OVERHEAD = 2**16  # bytes of a form around its file
UPLOAD_SECONDS = 600  # 200 MiB at 0.35 MB/s
MOST_CLIENTS = 500
LONGEST_QUESTION = 2000  # letters
HEADERS = {
    b"cache-control": b"no-store",
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


class Guard:
    """Refuse a body that is larger than any that is asked for, as it comes in; add headers."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        left = self.most if scope.get("path") == "/submissions" else OVERHEAD

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, "Expected less to be sent. The rules say how much.")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        await self.app(scope, counted, with_headers)


class Pages:
    """What each address answers."""

    def __init__(self, room: Classroom) -> None:
        self.room, self.uploading = room, set[str]()
        self.made: tuple[object, Any] = (None, None)
        self.making = Lock()

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
                self.made = (key, make_board(self.room))
            return self.made[1]

    def home(self, request: Request) -> Response:
        """Rules, data, news; and what a team has handed in."""
        team, said = self.team(request), [*self.room.record.of("said", "asked")]
        news = {one["number"]: one for one in said if one["kind"] == "said"}
        answers = {one["answers"]: one["text"] for one in news.values()}
        questions = [one for one in said if one["kind"] == "asked"]
        told = {"team": team, "news": news, "questions": questions, "answers": answers}
        page = render_page("class_home.html", title="", pages=self, room=self.room, **told)
        return HTMLResponse(page)

    def history(self, team: str) -> list[Entry]:
        """Return what a team handed in, the newest first, each with its state in words."""
        marks = self.now().marks["public"]
        queue = [entry["number"] for entry in waiting(self.room)]
        marked = {one["of"]: one for one in self.room.record.of("marked")}
        held, first = marks.shown(team), self.room.challenge.metrics[0]

        def state(number: int) -> str:
            if number in queue:
                return f"waiting, place {queue.index(number) + 1} of {len(queue)}"
            if not marked[number]["predictions"]:
                return "no score: look at the findings"
            if (best := held.get(number)) is None:
                return "taken; its score is shown at the end"
            if best != number:
                return f"no better by {self.room.challenge.limits.step:g} than no. {best}"
            return (
                f"{first.title} {marks.rounded(marks.tries[team][number])[0][0]:.{first.digits}f}"
            )

        own = [one for one in self.room.record.of("received") if one["team"] == team]
        return [entry | {"state": state(entry["number"])} for entry in reversed(own)]

    def board(self, _: Request) -> Response:
        """Show the board."""
        return HTMLResponse(board_page(self.now()))

    def findings(self, request: Request) -> Response:
        """Show all that is wrong with a submission of the team's own."""
        team, number = self.own(request), request.path_params["number"]
        mine = [one for one in self.history(team) if one["number"] == number]
        if not mine:
            raise HTTPException(404, "Expected a submission of your team, found none.")
        marked = [one for one in self.room.record.of("marked") if one["of"] == number]
        problems = [Problem(**problem) for one in marked for problem in one["problems"]]
        counts = count_findings(problems) if marked else "not marked yet"
        told = {"counts": counts, "groups": group_findings(problems), "entry": mine[0]}
        page = render_page("class_findings.html", title=mine[0]["name"], **told)
        return HTMLResponse(page)

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
        if not place.exists():
            with replace_atomically(place) as made, zipfile.ZipFile(made, "w") as archive:
                for path in sorted((self.room.folder / part).rglob("*.*")):
                    archive.write(path, path.relative_to(self.room.folder))
        return FileResponse(place, filename=place.name)

    async def enter(self, request: Request) -> Response:
        """Keep a token that is a team's in the browser."""
        token = str((await request.form(max_files=0)).get("token", "")).strip()
        answer = RedirectResponse("/", 303)
        answer.set_cookie("token", token, httponly=True, samesite="strict")
        request.cookies["token"] = token
        await run_in_threadpool(self.own, request)
        return answer

    async def submit(self, request: Request) -> Response:
        """Take a submission in, one of a team at a time."""
        team = await run_in_threadpool(self.own, request)
        if team in self.uploading:
            raise HTTPException(429, "Expected one upload of a team at a time; wait for the other.")
        self.uploading.add(team)
        try:
            async with timeout(UPLOAD_SECONDS), request.form(max_files=1, max_fields=1) as form:
                upload = form.get("file")
                if not isinstance(upload, UploadFile):
                    raise HTTPException(400, "Expected a file, found none. Choose one.")
                entry = await run_in_threadpool(self.take, team, upload)
        except TimeoutError:
            raise HTTPException(408, "Expected the upload to end sooner. Try again.") from None
        finally:
            self.uploading.discard(team)
        return RedirectResponse(f"/submissions/{entry['number']}", 303)

    def take(self, team: str, upload: UploadFile) -> Entry:
        """Hand a file that was uploaded to those who mark."""
        with tempfile.NamedTemporaryFile(dir=self.room.folder / "kept", prefix=".part-") as part:
            shutil.copyfileobj(upload.file, part)
            part.flush()
            return receive(self.room, team, Path(part.name), upload.filename or "without a name")

    async def ask(self, request: Request) -> Response:
        """Put a question to who organises; all see it, and nobody sees whose it is."""
        team = await run_in_threadpool(self.own, request)
        text = str((await request.form(max_files=0)).get("text", "")).strip()
        if not 0 < len(text) <= LONGEST_QUESTION:
            raise HTTPException(400, f"Expected a question of 1 to {LONGEST_QUESTION} letters.")
        await run_in_threadpool(self.room.record.add, "asked", team=team, text=shown(text, "\n"))
        return RedirectResponse("/#questions", 303)


def _refuse(request: Request, error: Exception) -> Response:
    """Say why in a page, and in the log; never whose token it was."""
    status = getattr(error, "status_code", 409)
    said = str(getattr(error, "detail", error))
    where = request.client.host if request.client else "?"
    LOG.warning(
        "refused %s %s from %s: %d %s",
        request.method,
        shown(request.url.path),
        where,
        status,
        shown(said),
    )
    page = render_page("class_refused.html", title="Refused", said=said)
    return HTMLResponse(page, status, {"connection": "close"})  # what else is sent goes unread


def make_app(room: Classroom) -> Starlette:
    """Return the pages as an ASGI application; it marks nothing itself."""
    pages, most = Pages(room), room.challenge.limits.upload_mib * 2**20 + OVERHEAD
    handlers: Mapping[Any, Any] = {HTTPException: _refuse, ChallengeError: _refuse}
    routes = [
        Route("/", pages.home),
        Route("/board", pages.board),
        Route("/data/{part}.zip", pages.data),
        Route("/enter", pages.enter, methods=["POST"]),
        Route("/questions", pages.ask, methods=["POST"]),
        Route("/submissions", pages.submit, methods=["POST"]),
        Route("/submissions/{number:int}", pages.findings),
    ]
    guard = Middleware(Guard, most=most)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)


def serve(
    room: Classroom, host: str = "127.0.0.1", port: int = 8000, isolation: str | None = None
) -> None:
    """Serve a challenge until it is interrupted, and mark what comes in.

    Raises
    ------
    UsageError
        If code is taken, and no sandbox on this machine keeps it from the labels.
    """
    if "code" in room.challenge.runtime.takes:
        choose_level(isolation)
    Thread(target=_keep_working, args=(room.folder, isolation), daemon=True).start()
    uvicorn.run(
        make_app(room), host=host, port=port, log_level="warning", server_header=False,
        limit_concurrency=MOST_CLIENTS,
    )  # fmt: skip


def _keep_working(folder: Path, isolation: str | None) -> None:
    """Have a process that marks, and another one should it die."""
    while True:
        how = (folder, isolation, os.getpid())
        worker = get_context("spawn").Process(target=work, args=how, daemon=True)
        worker.start()
        worker.join()
        time.sleep(1)


def work(folder: Path, isolation: str | None, parent: int) -> None:
    """Mark what waits, for as long as the server lives."""
    room = Classroom.open(folder)
    while os.getppid() == parent:
        if mark_next(room, isolation) is None:
            time.sleep(0.3)
