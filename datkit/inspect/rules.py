"""Every code of a finding, in one place: how grave it is, what it means, how to mend it.

Whoever reports a fault adds a row here and a row to ``book/chapters/finding_codes.md``; tests hold
the package, this list and that page together.
"""

from __future__ import annotations

from typing import NamedTuple

from datkit.problems import Problem

__all__ = ["CODES", "Code", "finding"]


class Code(NamedTuple):
    """What a code stands for: "error" or "warning", and two sentences."""

    severity: str
    title: str
    remedy: str


_ERROR, _WARNING = "error", "warning"
_REPACK = "Pack again with 'datkit submit pack', or zip the files themselves, not their folder."
_SHRINK = "Leave out what prediction does not need."
_ABSENT = "Leave it out: the rules forbid to share anything of single exams."
_QUIET = "Print counts only, and turn progress bars off."
_FETCH = "Put all that is needed into the zip: the platform has no network."

CODES: dict[str, Code] = {
    # ---- the archive
    "not-a-zip": Code(
        _ERROR,
        "The file is no zip, or it was cut short.",
        "Copy or pack it again, and compare the sizes.",
    ),
    "too-many-members": Code(_ERROR, "The archive lists more members than is sane.", _SHRINK),
    "too-large": Code(_ERROR, "Unpacked, the archive would take more than 8 GiB.", _SHRINK),
    "bomb": Code(_ERROR, "The archive grows more than 200-fold when unpacked.", _SHRINK),
    "encrypted": Code(
        _ERROR, "A member is encrypted; the platform has no password.", "Pack without a password."
    ),
    "method": Code(
        _ERROR,
        "A member is compressed in a way that not every unzip can read.",
        "Pack again, stored or deflated.",
    ),
    "damaged": Code(_ERROR, "A member's bytes do not match its checksum.", "Pack it again."),
    "unsafe-path": Code(
        _ERROR,
        "A member's name is absolute, leaves the folder or holds a backslash.",
        _REPACK,
    ),
    "link": Code(
        _ERROR, "A member is a link or a device.", "Pack a copy of what the link points to."
    ),
    "duplicate": Code(_ERROR, "Two members have the same name.", "Keep the newer one; pack again."),
    "case-clash": Code(
        _ERROR,
        "Two names differ only in capitals.",
        "Rename one: where case does not count they are one file.",
    ),
    "unicode-clash": Code(
        _ERROR,
        "Two names look the same and are written in other Unicode characters.",
        "Rename one, in plain ASCII.",
    ),
    "file-and-folder": Code(_ERROR, "One name is a file and a folder.", "Rename one."),
    "name-too-long": Code(
        _ERROR,
        "A name is longer than a file system allows.",
        "Shorten it to at most 255 bytes between slashes and 1,024 in all.",
    ),
    # ---- main.py
    "main-missing": Code(_ERROR, "There is no main.py in the archive.", _REPACK),
    "main-nested": Code(
        _ERROR, "main.py lies in a folder of the archive, not at its root.", _REPACK
    ),
    "main-case": Code(
        _ERROR,
        "main.py is spelt with capitals.",
        "Rename it to main.py: the platform's file system tells them apart.",
    ),
    "main-folder": Code(
        _ERROR, "main.py is the name of a folder.", "Put the code into a file of that name."
    ),
    # ---- what does not belong there
    "volumes": Code(
        _ERROR,
        "The archive holds exams, or more volumes than templates explain.",
        "Leave exams out: the rules forbid to share them. A template may stay.",
    ),
    "exam-table": Code(
        _ERROR, "A table holds one row for each exam: labels, uids, features.", _ABSENT
    ),  # fmt: skip
    "notebook": Code(
        _ERROR,
        "A notebook is in the archive.",
        "Leave it out: notebooks carry outputs, and outputs carry exams.",
    ),
    "old-predictions": Code(
        _ERROR,
        "A submission.csv is in the archive already.",
        "Leave it out: main.py writes it, and an old one would hide that it did not.",
    ),
    "data-folder": Code(
        _ERROR,
        "Members lie in a folder data.",
        "Move them: the platform mounts the exams at data/, over whatever is there.",
    ),
    "version-control": Code(
        _ERROR,
        "The history of a repository is in the archive.",
        "Leave .git out: it holds all that was ever deleted.",
    ),
    "secret": Code(
        _ERROR,
        "A member is named like a file of passwords or keys.",
        "Leave it out, and change what it held if the archive was uploaded.",
    ),
    "pickle": Code(
        _ERROR,
        "Weights are stored as a pickle.",
        "A pickle breaks with another version of its library and can run code: save again.",
    ),
    "weights": Code(_ERROR, "A file of weights cannot be read.", "Save the model again."),
    "run-logs": Code(
        _WARNING,
        "Logs of a training are in the archive.",
        "Leave them out: they often name exams.",
    ),
    "litter": Code(
        _WARNING,
        "What a desktop or Python leaves behind was packed: __MACOSX, .DS_Store, __pycache__.",
        "Leave it out: it does no work.",
    ),
    "environment": Code(
        _WARNING,
        "A virtual environment or installed packages were packed.",
        "Leave it out: it was built for another machine. Vendor the sources that you need.",
    ),
    "nested-archive": Code(
        _WARNING,
        "An archive lies in the archive.",
        "Unpack it first: the platform unpacks the outer one only.",
    ),
    "traced-input": Code(
        _WARNING,
        "TorchScript holds the input that it was traced with.",
        "Trace with random numbers or script the model: an exam must not be shared.",
    ),
    "torchscript-device": Code(
        _WARNING,
        "TorchScript was traced with a device or half precision baked in.",
        "Script the model instead of tracing it, or trace in float32 on the device it runs on.",
    ),
    # ---- Python
    "syntax": Code(
        _ERROR,
        "A source is not Python, as the platform's version reads it.",
        "Mend the line; notebook commands that begin with ! or % are no Python.",
    ),
    "syntax-unchecked": Code(
        _WARNING,
        "A source may need Python 3.12, and this machine has an older one.",
        "Check again with Python 3.12, which the platform runs.",
    ),
    "unread-source": Code(
        _WARNING,
        "A source is too long, or nested too deeply, to be read.",
        "Keep data in files of their own; what this source does shows in a run only.",
    ),
    "absent-package": Code(
        _ERROR,
        "A package is imported that the platform does not have.",
        "Do without it, or put it into the zip: the platform installs nothing.",
    ),
    "missing-asset": Code(
        _ERROR,
        "The code opens a file beside itself that is not in the archive.",
        "Pack it too, under that path, and test the zip, not the folder that it was made from.",
    ),
    "relative-import": Code(
        _ERROR,
        "main.py imports with a leading dot.",
        "Write 'import helpers' or 'from helpers import …': main.py is in no package.",
    ),
    "shadowed-module": Code(
        _WARNING,
        "A module at the root has the name of one of Python's or the platform's.",
        "Rename it: every import of that name finds yours, those in libraries too.",
    ),
    "download": Code(_ERROR, "Weights or files would be downloaded.", _FETCH),
    "network-use": Code(_ERROR, "The code talks to the network.", _FETCH),
    "installs": Code(
        _ERROR,
        "The code would install packages.",
        "Put the package's sources into the zip, or do without: the platform installs nothing.",
    ),
    "absolute-path": Code(
        _ERROR,
        "A path of one machine is written into the code.",
        "Find assets beside main.py with Path(__file__).parent; data and output are relative.",
    ),
    "pickle-load": Code(
        _ERROR,
        "The code loads a pickle.",
        "Store weights as safetensors, NPZ or JSON, and load those.",
    ),
    "torch-load": Code(
        _WARNING,
        "torch.load is called without weights_only.",
        "Write weights_only=True: the default differs between versions.",
    ),
    "absent-gpu": Code(
        _ERROR,
        "A second graphics card is named.",
        "Use 'cuda' or 'cuda:0': the platform has one.",
    ),
    "cuda-only": Code(
        _WARNING,
        "The code needs a graphics card and never asks whether there is one.",
        "Choose the device with torch.cuda.is_available().",
    ),
    "waits-for-input": Code(
        _ERROR,
        "The code waits for a person: input() or a debugger.",
        "Take it out: nobody sits before the platform.",
    ),
    "needs-arguments": Code(
        _ERROR,
        "main.py asks for arguments on the command line.",
        "Give every argument a default: the platform runs 'python main.py'.",
    ),
    "environment-key": Code(
        _ERROR,
        "An environment variable is read that the platform may not set.",
        "Use os.environ.get with a default; IS_SMOKE_TEST is set in smoke runs only.",
    ),
    "reads-labels": Code(
        _WARNING,
        "The code reads data/train_labels.csv.",
        "Take it out of what predicts: there are no labels on the platform.",
    ),
    "fits-at-inference": Code(
        _WARNING,
        "main.py fits or ranks something.",
        "Fit in training and load the result: nothing may be learnt across test exams.",
    ),
    "flips-differ": Code(
        _WARNING,
        "Exams are flipped along different axes in one source.",
        "Flip left and right only, as in training: no other flip leaves the label as it is.",
    ),
    "lists-data": Code(
        _WARNING,
        "The code lists the folder of exams.",
        "Loop over submission_format.csv and open each exam by its name: the mount may look "
        "empty for 20 s, and a folder has another order.",
    ),
    "uid-as-number": Code(
        _WARNING,
        "uids are read, or turned, into numbers.",
        "Read them as text: pandas.read_csv(…, dtype={'uid': str}).",
    ),
    "prints-uids": Code(
        _WARNING,
        "The code prints or logs uids.",
        "Print counts only: logging anything about test exams disqualifies.",
    ),
    "prints-per-exam": Code(
        _WARNING,
        "The code prints a line for each exam.",
        "Print every hundredth, or nothing: the platform keeps 300 lines, the test set is larger.",
    ),
    # ---- the run
    "exit-code": Code(_ERROR, "main.py ended with an error.", "Read the end of the log."),
    "time-limit": Code(
        _ERROR,
        "The run was stopped at its time limit.",
        "Time one exam on its own; load models once; leave out slow steps.",
    ),
    "log-flood": Code(
        _ERROR, "The log grew past what any platform keeps.", "Find the loop that prints."
    ),
    "log-lines": Code(_ERROR, "The log has more than 300 lines.", _QUIET),
    "log-width": Code(_ERROR, "A line of the log has more than 300 characters.", _QUIET),
    "log-uid": Code(
        _ERROR,
        "The log names exams.",
        "Print nothing about single exams: the rules disqualify for it.",
    ),
    "data-changed": Code(
        _ERROR,
        "The data are not what they were before the run.",
        "Write to the working directory: the platform's data cannot be written to.",
    ),
    "data-written": Code(
        _ERROR,
        "The run tried to write into data/.",
        "Copy what you change to the working directory.",
    ),
    "written-outside": Code(
        _ERROR,
        "The run tried to write outside its folder.",
        "Use a relative path or the module tempfile.",
    ),
    "network": Code(_ERROR, "The run tried to reach the network.", _FETCH),
    "no-guards": Code(
        _ERROR,
        "The replica's guards did not start, so its findings are not whole.",
        "Report this fault of datkit, with the log.",
    ),
    "memory-limit": Code(
        _ERROR,
        "The run used too much memory.",
        "Read one exam at a time; refuse a header that asks for a huge array.",
    ),
    "process-limit": Code(
        _ERROR,
        "The run started too many processes or threads.",
        "Start a fixed number of workers, once.",
    ),
    "disk-limit": Code(
        _ERROR,
        "A folder that the run may write to is full.",
        "Delete what each exam leaves behind.",
    ),
    "process-left": Code(
        _WARNING,
        "Processes outlived main.py.",
        "Wait for workers and end them: the platform counts nothing that comes later.",
    ),
    "read-outside": Code(
        _ERROR,
        "The run reads a file that the platform does not have.",
        "Find assets beside main.py (Path(__file__).parent), exams below data/.",
    ),
    "replica": Code(
        _ERROR,
        "The replica itself failed.",
        "Report this fault of datkit, with the log; another isolation may work.",
    ),
    # ---- several runs
    "not-deterministic": Code(
        _ERROR,
        "Two runs on the same exams wrote other bytes.",
        "Seed every random draw; put networks into eval mode; sum in one order.",
    ),
    "constant-output": Code(
        _WARNING,
        "Every exam gets the same probability.",
        "Find what fails for every exam: weights not found, an exception that is swallowed.",
    ),
    "depends-on-others": Code(
        _ERROR,
        "An exam's probability depends on the other exams of the run.",
        "Predict each exam by itself: no mean, rank, batch statistic or state across exams.",
    ),
    "needs-listing": Code(
        _ERROR,
        "The run fails where the folder of exams cannot be listed.",
        "Open data/niftis/<uid>.nii.gz for each uid of the format file; list nothing.",
    ),
    "late-mount": Code(
        _WARNING,
        "The run does not wait for data that are mounted some seconds late.",
        "Wait for data/submission_format.csv and the first exam before you begin.",
    ),
    "hostile-exam": Code(
        _ERROR,
        "One damaged exam stops the run for all.",
        "Catch every error of one exam and answer with the training prevalence.",
    ),
    "nan-moves": Code(
        _WARNING,
        "One voxel that is not a number moves a probability by more than 0.05.",
        "Set what is not finite to 0 before anything else reads the exam.",
    ),
    "time-projected": Code(
        _WARNING,
        "The whole test set would take longer than the platform allows.",
        "Do less for each exam, or several at once: there are a GPU and 24 cores.",
    ),
    "log-projected": Code(
        _ERROR,
        "On the whole test set the log would have more than 300 lines.",
        "Print every so many exams, not for each: ten lines tell as much.",
    ),
    # ---- submission.csv
    "no-predictions": Code(
        _ERROR,
        "No submission.csv was written.",
        "Write it into the working directory, beside the folder data.",
    ),
    "encoding": Code(_ERROR, "The table is not UTF-8.", "Write it with encoding='utf-8'."),
    "bom": Code(
        _ERROR,
        "The table begins with a byte order mark.",
        "Write it with encoding='utf-8', not 'utf-8-sig'.",
    ),
    "quoting": Code(
        _ERROR,
        "Values stand in quotation marks.",
        "Leave quoting at its default, csv.QUOTE_MINIMAL: no value needs it.",
    ),
    "header": Code(
        _ERROR,
        "The first line is not uid,is_pathologic.",
        "Write exactly this line first; with pandas, to_csv(…, index=False).",
    ),
    "columns": Code(
        _ERROR,
        "A row has more or fewer than two values.",
        "Write uid and probability only, with a decimal point, and no empty rows.",
    ),
    "not-a-number": Code(
        _ERROR, "A probability is no number.", "Write a plain number, such as 0.25."
    ),
    "not-finite": Code(
        _ERROR,
        "A probability is NaN or infinite.",
        "Find the exam that gave it; fall back to the training prevalence.",
    ),
    "out-of-range": Code(
        _ERROR,
        "A probability lies outside 0 to 1.",
        "Write the probability of abnormal, not a logit or a percentage.",
    ),
    "uid-unknown": Code(
        _ERROR,
        "A row's uid is not in the format file.",
        "Predict the uids of submission_format.csv and no others, as text.",
    ),
    "uid-duplicate": Code(_ERROR, "A uid has several rows.", "Write it once."),
    "uid-missing": Code(
        _ERROR,
        "An exam has no row.",
        "Write a row for each exam; one that fails gets the training prevalence.",
    ),
    "order": Code(
        _ERROR,
        "Rows stand in another order than in the format file.",
        "Loop over submission_format.csv; do not sort, and do not list the folder.",
    ),
}


def finding(code: str, where: str, expected: str, found: str, remedy: str = "") -> Problem:
    """Return the problem of a code, as grave as its row says and, by default, mended as it says.

    Raises
    ------
    KeyError
        If the code has no row: each has one, so that every finding can be looked up.

    Examples
    --------
    >>> print(finding("litter", "member '.DS_Store'", "no litter", "a file of macOS"))
    member '.DS_Store': expected no litter, found a file of macOS. Leave it out: it does no work.
    """
    severity, _, usual = CODES[code]
    return Problem(code, where, expected, found, remedy or usual, severity)
