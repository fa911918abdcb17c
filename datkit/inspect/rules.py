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
