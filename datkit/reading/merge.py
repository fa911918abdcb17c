"""What several readers answered, checked and made one: labels with doubt, agreement, disputes.

Each answer of a file is sealed with the key of that reader's page (HMAC-SHA256), together with the
seal of the answer before it. What is changed, moved, left out or added afterwards without that key
is noticed. It is no proof against a reader who digs the key out of the page, and says nothing about
who sat before it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datkit.errors import ReadingError, UsageError
from datkit.files import read_sealed, replace_atomically, write_json
from datkit.problems import Problem, found_instead, list_some, repeated
from datkit.reading.agreement import cohen_kappa, compare_readers
from datkit.reading.campaign import Campaign
from datkit.reading.pages import FORMAT, KEY

__all__ = ["Merged", "merge_readers", "seal_answers"]

MOST = 2**25  # bytes of a reader's file: a thousand exams with long notes take a thirtieth
AGAIN = "Ask the reader for the file as the page wrote it."


@dataclass(frozen=True)
class Merged:
    """The result of a campaign.

    Attributes
    ----------
    readings : pandas.DataFrame
        A row an answer: uid, reader, again (of a repeat), a column a question, note, seconds, at.
    labels : pandas.DataFrame
        By uid: ``is_pathologic`` of the majority (missing in a tie), ``votes`` for abnormal,
        ``readers``, ``share`` (of votes for abnormal: the label with its doubt), and the median
        class of each ordinal question, the commonest of each nominal one (the lowest of equals).
    agreement : dict
        Of each question: :func:`~datkit.reading.compare_readers`, and ``within``, each reader's
        kappa with itself on the repeats.
    disputed : pandas.DataFrame
        By uid, the nearest to a tie first: who called what, for those to whom it is put.
    """

    readings: pd.DataFrame
    labels: pd.DataFrame
    agreement: dict[str, dict[str, Any]]
    disputed: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write ``readings``, ``votes``, ``disputed`` and the cohort's ``train_labels`` as CSV.

        A tie has no row in ``train_labels.csv``, until it is settled.
        """
        decided = self.labels["is_pathologic"].dropna().astype(int).to_frame()
        tables = {"readings": self.readings.set_index("uid"), "votes": self.labels,
                  "disputed": self.disputed, "train_labels": decided}  # fmt: skip
        for name, table in tables.items():
            with replace_atomically(folder / f"{name}.csv") as part:
                # A page may cut a note amid a character.
                table.to_csv(part, lineterminator="\n", errors="backslashreplace")
        text = json.dumps(self.agreement).replace("NaN", "null")
        write_json(folder / "agreement.json", json.loads(text))


def seal_answers(content: Mapping[str, Any], key: str, names: Iterable[str]) -> list[str]:
    """Return the seal of each answer in a file's content, and that which closes it.

    Parameters
    ----------
    content : mapping
        ``campaign``, ``reader``, ``answers``, ``closed``, as a page writes them.
    key : str
        Of the reader's page, hexadecimal.
    names : iterable of str
        The questions, in the campaign's order.
    """
    names, answers = [*names], content["answers"]
    said = [[one["code"], [one["answers"].get(name) for name in names], one["note"], one["ms"],
             one["at"]] for one in answers]  # fmt: skip
    seals = [_text([FORMAT, content["campaign"], content["reader"]])]
    for part in [*said, [len(answers), content["closed"]]]:
        text = f"{seals[-1]}\n{_text(part)}".encode("utf-8", "surrogatepass")
        seals.append(hmac.new(bytes.fromhex(key), text, hashlib.sha256).hexdigest())
    return seals[1:]


def _text(value: object) -> str:
    """Write JSON as a browser does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def merge_readers(folder: Path, files: Iterable[Path], *, n_boot: int = 1000) -> Merged:
    """Check what readers handed in, and merge it.

    Parameters
    ----------
    folder : Path
        Where :func:`~datkit.reading.init_campaign` wrote ``key.json``.
    files : iterable of Path
        One a reader.
    n_boot : int
        See :func:`~datkit.reading.compare_readers`.

    Raises
    ------
    UsageError
        If the folder has no sound ``key.json``.
    ReadingError
        With every problem of every file: not one of this campaign, a reader who is unknown or
        comes twice, codes that are unknown, missing or repeated, classes that were not offered,
        answers that are not as the page wrote them.
    """
    try:
        key = read_sealed(folder / KEY)
        campaign = Campaign.model_validate(key["settings"], strict=False)
    except (OSError, ValueError, LookupError) as error:
        raise UsageError(f"Expected a campaign's folder, found {folder}: {error}.") from error
    problems: list[Problem] = []
    read = {path: _read(path, key, problems) for path in files}
    sound = {path: content for path, content in read.items() if content}
    twice = repeated(content["reader"] for content in sound.values())
    remedy = "Keep one file a reader."
    problems += found_instead("reader-twice", "the files", "each reader once", twice, remedy)
    for path, content in sound.items():
        problems += _check(str(path), content, key["readers"][content["reader"]], campaign)
    ReadingError.raise_any(problems, where=folder)
    rows = [row for content in sound.values() for row in _rows(content, key)]
    if not rows:
        raise UsageError("Expected files of readers, found none; name them.")
    return _merge(pd.DataFrame(rows), campaign, n_boot)


def _read(path: Path, key: dict[str, Any], problems: list[Problem]) -> dict[str, Any] | None:
    """Return what a file of this campaign holds, whose form is that of the page."""
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(MOST))
        found = [content[name] for name in ("format", "campaign")]
        expected = [FORMAT, key["campaign"]]
        wrong = found != expected or content["reader"] not in key["readers"]
        told = f"{' '.join(map(str, found))} of {content['reader']}"
        if not wrong:
            # All parts are there.
            seal_answers(content, "00", [one["name"] for one in key["settings"]["questions"]])
            return content
        expected_told = f"{' '.join(expected)} of {list_some(key['readers'])}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        expected_told = "JSON as a page of the campaign writes it"
        told = getattr(error, "strerror", None) or f"{error!r:.80}"
    problems.append(Problem("not-of-campaign", str(path), expected_told, f"{told:.200}", AGAIN))
    return None


def _check(
    where: str, content: dict[str, Any], its: dict[str, Any], campaign: Campaign
) -> Iterator[Problem]:
    """Yield what is wrong with a file of a reader."""
    answers, codes = content["answers"], its["codes"]
    found = [str(one["code"]) for one in answers]
    for code, expected, wrong in (
        ("code-unknown", "codes of the reader's page", [one for one in found if one not in codes]),
        ("answer-twice", "each code once", repeated(found)),
        ("answer-missing", "an answer to each exam, none for", [*(codes.keys() - {*found})]),
    ):
        yield from found_instead(code, where, expected, sorted(wrong), AGAIN)
    offered = {one.name: range(len(one.classes)) for one in campaign.questions}
    strange = [one["code"] for one in answers if one["answers"].keys() != offered.keys() or any(
        type(value) is not int or value not in offered[name]
        for name, value in one["answers"].items())]  # fmt: skip
    yield from found_instead("class-unknown", where, "one class of each question", strange, AGAIN)
    seals = seal_answers(content, its["key"], offered)
    given = [*(one.get("mac") for one in answers), content.get("closing")]
    if edited := [place for place, pair in enumerate(zip(seals, given, strict=True), 1)
                  if pair[0] != pair[1]]:  # fmt: skip
        first = f"answer {edited[0]} ({found[edited[0] - 1]})" if edited[0] <= len(found) else ""
        told = f"{first or 'the end of the file'}, which was written or changed elsewhere"
        yield Problem("edited", where, "answers as the reader's page sealed them", told, AGAIN)


def _rows(content: dict[str, Any], key: dict[str, Any]) -> Iterator[dict[str, Any]]:
    reader = content["reader"]
    for one in content["answers"]:
        uid, again = key["readers"][reader]["codes"][one["code"]]
        told = {"note": one["note"], "seconds": one["ms"] / 1000, "at": one["at"]}
        yield {"uid": uid, "reader": reader, "again": again, **one["answers"], **told}


def _merge(readings: pd.DataFrame, campaign: Campaign, n_boot: int) -> Merged:
    first, again = readings[~readings["again"]], readings[readings["again"]]
    ratings = {one.name: first.pivot(index="uid", columns="reader", values=one.name)
               for one in campaign.questions}  # fmt: skip
    calls = ratings[campaign.questions[0].name] >= campaign.normal
    votes, readers = calls.sum(axis=1), calls.shape[1]
    label = (2 * votes > readers).astype("Int64").mask(2 * votes == readers)
    labels = pd.DataFrame({"is_pathologic": label, "votes": votes, "readers": readers,
                           "share": votes / readers})  # fmt: skip
    agreement = {}
    for one, table in zip(campaign.questions, ratings.values(), strict=True):
        labels[one.name] = table.median(axis=1) if one.scale == "ordinal" else table.mode(axis=1)[0]
        agreement[one.name] = compare_readers(table, one.scale, n_boot=n_boot) | {
            "within": {
                str(reader): cohen_kappa(its[one.name], table[reader].loc[its["uid"]], one.scale)
                for reader, its in again.groupby("reader")
            }
        }
    divided = labels[(votes > 0) & (votes < readers)]
    nearest = (divided["share"] - 0.5).abs().sort_values(kind="stable").index
    said = ratings[campaign.questions[0].name].map(campaign.questions[0].classes.__getitem__)
    notes = first[first["note"] != ""].groupby("uid")[["reader", "note"]].apply(
        lambda its: "; ".join(": ".join(pair) for pair in its.to_numpy()))  # fmt: skip
    disputed = labels.loc[nearest, ["votes", "readers"]].join(said)
    disputed["notes"] = [notes.get(uid, "") for uid in nearest]
    return Merged(readings, labels, agreement, disputed)
