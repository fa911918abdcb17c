"""A class's server in a thread of this process, and the teams that come to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import requests

from datkit.challenge import Classroom, mark_next


@dataclass
class Team:
    """A team at the server: its requests carry its token."""

    base: str
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.get(self.base + path, headers=headers, timeout=10)

    def post(self, path: str, **content) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | content.pop("headers", {})
        how = {"headers": headers, "timeout": 10, "allow_redirects": False}
        return self.session.post(self.base + path, **how, **content)

    def upload(self, content: bytes, name: str = "table.csv") -> requests.Response:
        return self.post("/submissions", files={"file": (name, content)})


@dataclass
class Running:
    """A server in a thread of this process, and the challenge that it serves."""

    room: Classroom
    base: str
    uploading: set[str]

    def team(self, name: str) -> Team:
        return Team(self.base, self.room.issue_token(name))

    def mark(self) -> None:
        while mark_next(self.room):
            pass
