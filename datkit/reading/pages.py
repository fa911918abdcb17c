"""A campaign made from a cohort: one page a reader, whole in itself, and the organiser's key.

Pages hold no uid, no label and no file's name. A reader's page shows exams under codes, in an order
and with repeats that no other reader has. The codes and the key by which each answer is sealed are
drawn from a secret that only ``key.json`` has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import nibabel as nib
import numpy as np

from datkit import NOT_CLINICAL
from datkit.errors import ReadingError, UsageError
from datkit.files import write_sealed
from datkit.prepare import GRID, PreparedCohort
from datkit.problems import found_instead
from datkit.reading.campaign import Campaign
from datkit.view.live import STATIC, to_base64, vendored_files
from datkit.view.pages.page import write_page

__all__ = ["init_campaign", "pack_volume"]

FORMAT = "datkit-campaign-1"
KEY, PAGES = "key.json", "pages"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another
# What a page shows of the canonical grid: x −59 to +59, y −106 to +40, z −22 to +38 mm.
BOX = (slice(2, 62), slice(3, 77), slice(7, 38))
STEP, STEPS = 0.05, 127  # uptake is stored in steps of 0.05 up to 6.35: half of 256 steps' size
SCRIPTS = ("dat-reading-parts", "dat-reading-form", "dat-reading-view", "dat-campaign")


def pack_volume(volume: np.ndarray) -> str:
    """Return the part that a page shows as base64 of gzipped NIfTI, one byte a voxel.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Prepared volume: uptake, non-specific = 1.
    """
    affine = GRID.affine.copy()
    affine[:3, 3] += [2 * part.start for part in BOX]
    steps = np.clip(np.rint(volume[BOX] / STEP), 0, STEPS).astype(np.uint8)
    image = nib.Nifti1Image(steps, affine)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(STEP, 0)
    return to_base64(image.to_bytes())


def init_campaign(
    campaign: Campaign, prepared: PreparedCohort, folder: Path, secret: str | None = None
) -> dict[str, Any]:
    """Write ``pages/<reader>.html`` for each reader and ``key.json`` for the organiser alone.

    Parameters
    ----------
    campaign : Campaign
    prepared : PreparedCohort
        Of the cohort that holds its exams.
    folder : Path
        New or empty.
    secret : str, optional
        64 hexadecimal digits; drawn by default. The same one gives the same files.

    Returns
    -------
    dict
        What ``key.json`` holds: for each reader the key of its page, and for each code of it
        ``[uid, whether it is the repeat]``, here in the order of reading.

    Raises
    ------
    UsageError
        If the folder holds something.
    ReadingError
        If exams of the campaign are not among those prepared, or lack what is to be shown.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"Expected a new or empty folder, found {folder}; choose another one.")
    uids = list(campaign.exams or prepared.uids)
    _check(campaign, uids, prepared)
    secret = secret or secrets.token_hex(32)
    content = campaign.model_dump(mode="json")
    name = _sign(secret, json.dumps([content, uids]))[:16]
    readers: dict[str, dict[str, Any]] = {
        reader: {"key": _sign(secret, reader), "codes": _plan(campaign, uids, place, secret)}
        for place, reader in enumerate(campaign.readers)
    }
    volumes = {uid: pack_volume(prepared.volumes[prepared.uids.index(uid)]) for uid in uids}
    people = {uid: _person(campaign, dict(prepared.table.loc[uid])) for uid in uids}
    for reader, its in readers.items():
        exams = [{"code": code, "person": people[uid]} for code, (uid, _) in its["codes"].items()]
        shown = {code: volumes[uid] for code, (uid, _) in its["codes"].items()}
        told = {"campaign": name, "reader": reader, "key": its["key"], "exams": exams}
        write_page(_page(campaign, told | {"volumes": shown}), folder / PAGES / f"{reader}.html")
    key = {"format": FORMAT, "campaign": name, "settings": content, "readers": readers}
    write_sealed(folder / KEY, key)
    (folder / KEY).chmod(0o600)
    return key


def _sign(secret: str, text: str) -> str:
    return hmac.new(bytes.fromhex(secret), text.encode(), hashlib.sha256).hexdigest()


def _check(campaign: Campaign, uids: list[str], prepared: PreparedCohort) -> None:
    absent, table = [uid for uid in uids if uid not in prepared.uids], prepared.table
    lacking = [one for one in campaign.shown if one not in table or table[one].isna().any()]
    remedy = "Correct the list, or prepare those exams."
    problems = found_instead("exam-unknown", "exams", "prepared exams", absent, remedy)
    wanted, remedy = "what exams.csv has of every exam", "Take it out, or complete the table."
    problems += found_instead("column-missing", "shown", wanted, lacking, remedy)
    ReadingError.raise_any(problems, where="the campaign")


def _plan(campaign: Campaign, uids: list[str], reader: int, secret: str) -> dict[str, list]:
    """Return code → [uid, again]; repeats are of the first third, among the second half."""
    rng, n = np.random.default_rng([campaign.seed, reader]), len(uids)
    order, count = [uids[place] for place in rng.permutation(n)], round(campaign.repeated * n)
    again = list(rng.choice(order[: max(count, n // 3)], count, replace=False)) if count else []
    late = [[uid, False] for uid in order[n // 2 :]] + [[str(uid), True] for uid in again]
    read = [[uid, False] for uid in order[: n // 2]] + [late[p] for p in rng.permutation(len(late))]
    blind = np.random.default_rng([int(secret, 16), reader])
    numbers = blind.choice(len(LETTERS) ** 4, len(read), replace=False)
    codes = ["".join(LETTERS[number >> 5 * place & 31] for place in range(4)) for number in numbers]
    return dict(zip(codes, read, strict=True))


def _person(campaign: Campaign, exam: Mapping[str, Any]) -> str:
    sex = {"F": "Woman", "M": "Man"}.get(exam["sex"], "") if "sex" in campaign.shown else ""
    age = f"{round(exam['age'])} years" if "age" in campaign.shown else ""
    return ", ".join(filter(None, (sex, age)))


def _choices(classes: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    """Yield number, key and text: the digit that each text begins with, else 1, 2, …."""
    digits = [text[0] for text in classes]
    if len({*digits} & {*"0123456789"}) < len(digits):
        digits = [str(number) for number in range(1, len(classes) + 1)]
    yield from zip(range(len(classes)), digits, classes, strict=True)


def _page(campaign: Campaign, told: dict[str, Any]) -> str:
    questions = [
        {"name": one.name, "legend": one.text, "choices": [*_choices(one.classes)]}
        for one in campaign.questions
    ]
    told |= {"format": FORMAT, "title": campaign.title, "note": campaign.note}
    content = json.dumps(told | {"questions": questions}, separators=(",", ":"))
    scripts = [vendored_files()["niivue.umd.js"], *(STATIC / f"{name}.js" for name in SCRIPTS)]
    texts = [path.read_text(encoding="utf-8").replace("</script", "<\\/script") for path in scripts]
    return Template(Path(__file__).with_name("reader.html").read_text(encoding="utf-8")).substitute(
        title=escape(campaign.title),
        not_clinical=NOT_CLINICAL,
        content=content.replace("<", "\\u003c"),  # a literal one could end the element
        style=(STATIC / "dat-reading.css").read_text(encoding="utf-8"),
        scripts="\n".join(f"<script>{text}</script>" for text in texts),
    )
