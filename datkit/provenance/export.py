"""A chain as other tools read it: W3C PROV, an RO-Crate, a page. None of them holds a uid.

PROV: https://www.w3.org/TR/prov-dm/. The crate keeps to the Process Run Crate profile 0.5,
https://w3id.org/ro/wfrun/process/0.5: what ran, on what, with what result.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datkit.files import sha256_file
from datkit.provenance.trace import Part, Step

if TYPE_CHECKING:
    from prov.model import ProvDocument

__all__ = ["chain_page", "to_prov", "write_crate"]

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
SOURCE = "https://pypi.org/project/dat-spect-kit/"


def to_prov(step: Step) -> ProvDocument:
    """Return a chain as a PROV document: ``.serialize(path)`` writes PROV-JSON.

    Files and exams are entities by hash or mark; whoever gave an exam's label is an agent to whom
    that label is attributed; each record is an activity that used the inputs.
    """
    from prov.model import PROV, ProvDocument

    document = ProvDocument()
    for prefix, address in (("sha256", "urn:sha256:"), ("mark", "urn:datkit:mark:"),
                            ("dat", "urn:datkit:")):  # fmt: skip
        document.add_namespace(prefix, address)
    kit = document.agent("dat:datkit", {"prov:type": PROV["SoftwareAgent"]})
    for one in step.walk():
        for part in filter(_hashed, one.parts):
            document.entity(_entity(part), {"prov:label": _label(one, part), "dat:is": part.state})
            if part.reader:
                reader = document.agent(f"dat:{part.reader}", {"dat:role": "reader"})
                label = document.entity(f"dat:label-{part.sha256}")
                document.wasDerivedFrom(label, _entity(part))
                document.wasAttributedTo(label, reader)
        if (its := one.record) is None:
            continue
        about = {"dat:settings": json.dumps(its.settings),
                 **{f"dat:{name}": value for name, value in its.versions.items()}}  # fmt: skip
        own = next(filter(_hashed, one.parts)).sha256
        made = document.activity(f"dat:making-{own}", None, its.when, about)
        document.wasAssociatedWith(made, kit)
        if its.who:
            document.wasAssociatedWith(made, document.agent(f"dat:{its.who}"))
        for part in filter(_hashed, one.parts):
            document.wasGeneratedBy(_entity(part), made)
        for part in (part for behind in one.inputs for part in behind.parts if _hashed(part)):
            document.used(made, _entity(part))
    return document.unified()  # a reader of many exams is named once


def write_crate(path: Path, step: Step, folder: Path) -> Path:
    """Write an RO-Crate of a traced file: the file, its chain as PROV, and how it was made.

    Parameters
    ----------
    path : Path
        What was traced: a file, or a model's folder.
    step : Step
        Of :func:`datkit.provenance.trace`.
    folder : Path
        Where the crate goes.
    """
    from rocrate.model import ContextEntity, SoftwareApplication
    from rocrate.rocrate import ROCrate

    crate, its = ROCrate(), step.record
    crate.name, crate.description = f"A {step.kind} and where it came from", "Made by datkit."
    crate.license = str(its.settings.get("licence") if its else "") or "not stated"
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, profile))
    files = {path.name: path} if path.is_file() else {
        part.name: path / part.name for part in filter(_hashed, step.parts)}  # fmt: skip
    dest = {name: f"{step.kind}{Path(name).suffix}" if path.is_file() else f"{step.kind}/{name}"
            for name in files}  # fmt: skip
    result = [crate.add_file(file, dest[name], properties={"sha256": sha256_file(file)})
              for name, file in files.items()]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    to_prov(step).serialize(folder / "prov.json")
    about = {"encodingFormat": "application/json", "name": "The whole chain as W3C PROV"}
    crate.add_file(folder / "prov.json", "prov.json", properties=about)
    used = [crate.add(ContextEntity(crate, f"urn:sha256:{part.sha256}", {
        "@type": "CreativeWork", "name": _label(one, part), "sha256": part.sha256}))
            for one in step.inputs for part in filter(_hashed, one.parts)]  # fmt: skip
    kit = {"name": "datkit", "url": SOURCE, **({"version": its.versions["datkit"]} if its else {})}
    tool = crate.add(SoftwareApplication(crate, "#datkit", kit))
    when = {"endTime": its.when} if its else {}
    crate.add_action(tool, "#making", object=used, result=result,
                     properties={"name": f"Made the {step.kind}", **when})  # fmt: skip
    crate.write(folder)
    return folder


def chain_page(step: Step) -> str:
    """Return a chain as a page with its picture; it holds uids, and is for this machine."""
    from datkit.view.pages.page import render_page

    rows: list[dict[str, Any]] = []

    def place(one: Step, depth: int, parent: int) -> None:
        rows.append({"step": one, "depth": depth, "parent": parent, "row": len(rows)})
        mine = len(rows) - 1
        for behind in one.inputs:
            place(behind, depth + 1, mine)

    place(step, 0, -1)
    return render_page("chain.html", rows=rows, step=step, breaks=step.breaks)


def _hashed(part: Part) -> bool:
    return len(part.sha256) == 64


def _entity(part: Part) -> str:
    return f"{'mark' if part.reader else 'sha256'}:{part.sha256}"


def _label(one: Step, part: Part) -> str:
    """Name a part without the names of exams, and of files that may be named after persons."""
    single = one.record and "" in one.record.files
    return "exam" if part.reader else one.kind if single else f"{one.kind}: {part.name}"
