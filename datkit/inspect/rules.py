"""Where the codes of findings are declared; see :mod:`datkit.rules` for how a rule is written.

A code belongs to the module that finds it: a function there, decorated with a group's ``rule``, or
an entry by ``declare``. The three groups RUN, SCENARIOS and PREDICTIONS wait here for
``replica.assess``, ``replica.scenarios`` and ``submit.predictions``: whoever moves one takes the
group (``RUN: RuleGroup[…] = RuleGroup("The run")``) and its codes along, and names the module in
``datkit.inspect.page.MODULES``. A row moves from here as it is::

    @RUN.rule("log-lines", expected=f"at most {LOG_LINES} lines", remedy=_QUIET)
    def too_many_lines(run: Finished) -> Iterator[Found]:
        \"\"\"The log has more than 300 lines.\"\"\"
        if len(run.log) > LOG_LINES:
            yield Found("the log", f"{len(run.log)}")

and ``RUN.problems(finished)`` makes the problems. Texts are Markdown, for the page of the book;
``datkit.rules.plain`` makes the sentence of the terminal.
"""

from __future__ import annotations

from datkit.rules import RULES, Found, Rule, RuleGroup, finding, plain

__all__ = ["RULES", "Found", "Rule", "RuleGroup", "finding", "plain"]

CONTENT: RuleGroup = RuleGroup("What does not belong there")
CONTENT.declare(
    "volumes",
    "The archive holds exams, or more volumes than templates explain.",
    "Leave exams out: the rules forbid to share them. A template may stay.",
)
CONTENT.declare(
    "exam-table",
    "A table holds one row for each exam: labels, uids, features.",
    "Leave it out: the rules forbid to share anything of single exams.",
)
CONTENT.declare(
    "notebook",
    "A notebook is in the archive.",
    "Leave it out: notebooks carry outputs, and outputs carry exams.",
)
CONTENT.declare(
    "old-predictions",
    "A `submission.csv` is in the archive already.",
    "Leave it out: `main.py` writes it, and an old one would hide that it did not.",
)
CONTENT.declare(
    "data-folder",
    "Members lie in a folder `data`.",
    "Move them: the platform mounts the exams at `data/`, over whatever is there.",
)
CONTENT.declare(
    "version-control",
    "The history of a repository is in the archive.",
    "Leave `.git` out: it holds all that was ever deleted.",
)
CONTENT.declare(
    "secret",
    "A member is named like a file of passwords or keys.",
    "Leave it out, and change what it held if the archive was uploaded.",
)
CONTENT.declare(
    "pickle",
    "Weights are stored as a pickle.",
    "A pickle breaks with another version of its library and can run code: save again.",
)
CONTENT.declare(
    "weights",
    "A file of weights cannot be read.",
    "Save the model again.",
)
CONTENT.declare(
    "run-logs",
    "Logs of a training are in the archive.",
    "Leave them out: they often name exams.",
    "warning",
)
CONTENT.declare(
    "litter",
    "What a desktop or Python leaves behind was packed: `__MACOSX`, `.DS_Store`, `__pycache__`.",
    "Leave it out: it does no work.",
    "warning",
)
CONTENT.declare(
    "environment",
    "A virtual environment or installed packages were packed.",
    "Leave it out: it was built for another machine. Vendor the sources that you need.",
    "warning",
)
CONTENT.declare(
    "nested-archive",
    "An archive lies in the archive.",
    "Unpack it first: the platform unpacks the outer one only.",
    "warning",
)
CONTENT.declare(
    "traced-input",
    "{term}`TorchScript` holds the input that it was traced with.",
    "Trace with random numbers or script the model: an exam must not be shared.",
    "warning",
)
CONTENT.declare(
    "torchscript-device",
    "TorchScript was traced with a device or half precision baked in.",
    "Script the model instead of tracing it, or trace in float32 on the device it runs on.",
    "warning",
)

CODE: RuleGroup = RuleGroup("The code")
CODE.declare(
    "syntax",
    "A source is not Python, as the platform's version reads it.",
    "Mend the line; notebook commands that begin with `!` or `%` are no Python.",
)
CODE.declare(
    "syntax-unchecked",
    "A source may need Python 3.12, and this machine has an older one.",
    "Check again with Python 3.12, which the platform runs.",
    "warning",
)
CODE.declare(
    "unread-source",
    "A source is too long, or nested too deeply, to be read.",
    "Keep data in files of their own; what this source does shows in a run only.",
    "warning",
)
CODE.declare(
    "absent-package",
    "A package is imported that the platform does not have.",
    "Do without it, or put it into the zip: the platform installs nothing.",
)
CODE.declare(
    "missing-asset",
    "The code opens a file beside itself that is not in the archive.",
    "Pack it too, under that path, and test the zip, not the folder that it was made from.",
)
CODE.declare(
    "relative-import",
    "`main.py` imports with a leading dot.",
    "Write ``import helpers`` or ``from helpers import …``: `main.py` is in no package.",
)
CODE.declare(
    "shadowed-module",
    "A module at the root has the name of one of Python's or the platform's.",
    "Rename it: every import of that name finds yours, those in libraries too.",
    "warning",
)
CODE.declare(
    "download",
    "Weights or files would be downloaded.",
    "Put all that is needed into the zip: the platform has no network.",
)
CODE.declare(
    "network-use",
    "The code talks to the network.",
    "Put all that is needed into the zip: the platform has no network.",
)
CODE.declare(
    "installs",
    "The code would install packages.",
    "Put the package's sources into the zip, or do without: the platform installs nothing.",
)
CODE.declare(
    "absolute-path",
    "A path of one machine is written into the code.",
    "Find assets beside `main.py` with `Path(__file__).parent`; data and output are relative.",
)
CODE.declare(
    "pickle-load",
    "The code loads a pickle.",
    "Store weights as safetensors, NPZ or JSON, and load those.",
)
CODE.declare(
    "torch-load",
    "`torch.load` is called without `weights_only`.",
    "Write `weights_only=True`: the default differs between versions.",
    "warning",
)
CODE.declare(
    "absent-gpu",
    "A second graphics card is named.",
    "Use `'cuda'` or `'cuda:0'`: the platform has one.",
)
CODE.declare(
    "cuda-only",
    "The code needs a graphics card and never asks whether there is one.",
    "Choose the device with `torch.cuda.is_available()`.",
    "warning",
)
CODE.declare(
    "waits-for-input",
    "The code waits for a person: `input()` or a debugger.",
    "Take it out: nobody sits before the platform.",
)
CODE.declare(
    "needs-arguments",
    "`main.py` asks for arguments on the command line.",
    "Give every argument a default: the platform runs ``python main.py``.",
)
CODE.declare(
    "environment-key",
    "An environment variable is read that the platform may not set.",
    "Use `os.environ.get` with a default; `IS_SMOKE_TEST` is set in smoke runs only.",
)
CODE.declare(
    "reads-labels",
    "The code reads `data/train_labels.csv`.",
    "Take it out of what predicts: there are no labels on the platform.",
    "warning",
)
CODE.declare(
    "fits-at-inference",
    "`main.py` fits or ranks something.",
    "Fit in training and load the result: nothing may be learnt across test exams.",
    "warning",
)
CODE.declare(
    "flips-differ",
    "Exams are flipped along different axes in one source.",
    "Flip left and right only, as in training: no other flip leaves the label as it is.",
    "warning",
)
CODE.declare(
    "lists-data",
    "The code lists the folder of exams.",
    "Loop over `submission_format.csv` and open each exam by its name: the mount may look "
    "empty for 20 s, and a folder has another order.",
    "warning",
)
CODE.declare(
    "uid-as-number",
    "uids are read, or turned, into numbers.",
    "Read them as text: `pandas.read_csv(…, dtype={'uid': str})`.",
    "warning",
)
CODE.declare(
    "prints-uids",
    "The code prints or logs uids.",
    "Print counts only: logging anything about test exams disqualifies.",
    "warning",
)
CODE.declare(
    "prints-per-exam",
    "The code prints a line for each exam.",
    "Print every hundredth, or nothing: the platform keeps 300 lines, the test set is larger.",
    "warning",
)

RUN: RuleGroup = RuleGroup("The run")
RUN.declare(
    "exit-code",
    "`main.py` ended with an error.",
    "Read the end of the log.",
)
RUN.declare(
    "time-limit",
    "The run was stopped at its time limit.",
    "Time one exam on its own; load models once; leave out slow steps.",
)
RUN.declare(
    "log-flood",
    "The log grew past what any platform keeps.",
    "Find the loop that prints.",
)
RUN.declare(
    "log-lines",
    "The log has more than 300 lines.",
    "Print counts only, and turn progress bars off.",
)
RUN.declare(
    "log-width",
    "A line of the log has more than 300 characters.",
    "Print counts only, and turn progress bars off.",
)
RUN.declare(
    "log-uid",
    "The log names exams.",
    "Print nothing about single exams: the rules disqualify for it.",
)
RUN.declare(
    "data-changed",
    "The data are not what they were before the run.",
    "Write to the working directory: the platform's data cannot be written to.",
)
RUN.declare(
    "data-written",
    "The run tried to write into `data/`.",
    "Copy what you change to the working directory.",
)
RUN.declare(
    "written-outside",
    "The run tried to write outside its folder.",
    "Use a relative path or the module `tempfile`.",
)
RUN.declare(
    "network",
    "The run tried to reach the network.",
    "Put all that is needed into the zip: the platform has no network.",
)
RUN.declare(
    "no-guards",
    "The replica's guards did not start, so its findings are not whole.",
    "Report this fault of datkit, with the log.",
)
RUN.declare(
    "memory-limit",
    "The run used too much memory.",
    "Read one exam at a time; refuse a header that asks for a huge array.",
)
RUN.declare(
    "process-limit",
    "The run started too many processes or threads.",
    "Start a fixed number of workers, once.",
)
RUN.declare(
    "disk-limit",
    "A folder that the run may write to is full.",
    "Delete what each exam leaves behind.",
)
RUN.declare(
    "process-left",
    "Processes outlived `main.py`.",
    "Wait for workers and end them: the platform counts nothing that comes later.",
    "warning",
)
RUN.declare(
    "read-outside",
    "The run reads a file that the platform does not have.",
    "Find assets beside `main.py` (`Path(__file__).parent`), exams below `data/`.",
)
RUN.declare(
    "replica",
    "The replica itself failed.",
    "Report this fault of datkit, with the log; another isolation may work.",
)

SCENARIOS: RuleGroup = RuleGroup("Several runs")
SCENARIOS.declare(
    "not-deterministic",
    "Two runs on the same exams wrote other bytes.",
    "Seed every random draw; put networks into eval mode; sum in one order.",
)
SCENARIOS.declare(
    "constant-output",
    "Every exam gets the same probability.",
    "Find what fails for every exam: weights not found, an exception that is swallowed.",
    "warning",
)
SCENARIOS.declare(
    "depends-on-others",
    "An exam's probability depends on the other exams of the run.",
    "Predict each exam by itself: no mean, rank, batch statistic or state across exams.",
)
SCENARIOS.declare(
    "needs-listing",
    "The run fails where the folder of exams cannot be listed.",
    "Open `data/niftis/<uid>.nii.gz` for each uid of the format file; list nothing.",
)
SCENARIOS.declare(
    "late-mount",
    "The run does not wait for data that are mounted some seconds late.",
    "Wait for `data/submission_format.csv` and the first exam before you begin.",
    "warning",
)
SCENARIOS.declare(
    "hostile-exam",
    "One damaged exam stops the run for all.",
    "Catch every error of one exam and answer with the training prevalence.",
)
SCENARIOS.declare(
    "nan-moves",
    "One voxel that is not a number moves a probability by more than 0.05.",
    "Set what is not finite to 0 before anything else reads the exam.",
    "warning",
)
SCENARIOS.declare(
    "time-projected",
    "The whole test set would take longer than the platform allows.",
    "Do less for each exam, or several at once: there are a GPU and 24 cores.",
    "warning",
)
SCENARIOS.declare(
    "log-projected",
    "On the whole test set the log would have more than 300 lines.",
    "Print every so many exams, not for each: ten lines tell as much.",
)

PREDICTIONS: RuleGroup = RuleGroup("The table that it wrote")
PREDICTIONS.declare(
    "no-predictions",
    "No `submission.csv` was written.",
    "Write it into the working directory, beside the folder `data`.",
)
PREDICTIONS.declare(
    "encoding",
    "The table is not UTF-8.",
    "Write it with `encoding='utf-8'`.",
)
PREDICTIONS.declare(
    "bom",
    "The table begins with a byte order mark.",
    "Write it with `encoding='utf-8'`, not `'utf-8-sig'`.",
)
PREDICTIONS.declare(
    "quoting",
    "Values stand in quotation marks.",
    "Leave quoting at its default, `csv.QUOTE_MINIMAL`: no value needs it.",
)
PREDICTIONS.declare(
    "header",
    "The first line is not `uid,is_pathologic`.",
    "Write exactly this line first; with pandas, `to_csv(…, index=False)`.",
)
PREDICTIONS.declare(
    "columns",
    "A row has more or fewer than two values.",
    "Write uid and probability only, with a decimal point, and no empty rows.",
)
PREDICTIONS.declare(
    "not-a-number",
    "A probability is no number.",
    "Write a plain number, such as 0.25.",
)
PREDICTIONS.declare(
    "not-finite",
    "A probability is NaN or infinite.",
    "Find the exam that gave it; fall back to the training prevalence.",
)
PREDICTIONS.declare(
    "out-of-range",
    "A probability lies outside 0 to 1.",
    "Write the probability of abnormal, not a logit or a percentage.",
)
PREDICTIONS.declare(
    "uid-unknown",
    "A row's uid is not in the format file.",
    "Predict the uids of `submission_format.csv` and no others, as text.",
)
PREDICTIONS.declare(
    "uid-duplicate",
    "A uid has several rows.",
    "Write it once.",
)
PREDICTIONS.declare(
    "uid-missing",
    "An exam has no row.",
    "Write a row for each exam; one that fails gets the training prevalence.",
)
PREDICTIONS.declare(
    "order",
    "Rows stand in another order than in the format file.",
    "Loop over `submission_format.csv`; do not sort, and do not list the folder.",
)
