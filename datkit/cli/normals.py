"""Make a normal range of your own from normal exams of your own camera.

The kit's own normals are simulated: they say what is normal for its simulated cameras.

first steps:
  datkit normals fit exams --table ages.csv --out mine.json
  datkit report scan.nii.gz --age 67 --sex F --normals mine.json
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit import NOT_CLINICAL
from datkit.cli.command import JOBS, Group, Result, arg, note
from datkit.cli.data import READING, open_exams

NORMALS = Group(__doc__)


@NORMALS.command(
    arg("folder", type=Path, metavar="FOLDER", help="normal exams in any layout"),
    arg("--table", type=Path, required=True, metavar="CSV", help="columns uid, age and sex"),
    arg("--out", type=Path, required=True, metavar="FILE", help="where to write, as JSON"),
    READING,
    JOBS,
)
def fit(args: Namespace) -> Result:
    """Fit a normal range to normal exams of one camera and reconstruction.

    Read every exam as normal before: the fit cannot know it, and leaves out what is labelled
    abnormal, no more. At least 20 good exams are needed, 5 of either sex, over ages of 15 years or
    more; 120 are better, as guidelines ask for (CLSI EP28-A3c). Assumed are a straight line in age,
    the same for women and men, and residuals that are normally distributed. Exams that are not good
    are left out, with one line each, and resolutions that spread as those of several cameras are
    warned of. FILE holds no uid and no image: numbers of the range, the hashes of what it was made
    from, settings and versions. The same exams give the same bytes.

    For example:
      datkit normals fit exams --table ages.csv --out mine.json
      datkit report scan.nii.gz --age 67 --sex F --normals mine.json
    """
    from datkit.files import write_sealed
    from datkit.measure.own_normals import fit_own_normals, limit_error
    from datkit.problems import Problem

    cohort = open_exams(args.folder, args)
    how = {"n_jobs": args.jobs, "progress": not args.json}
    normals, left_out = fit_own_normals(cohort, args.table, **how)
    for uid, reason in left_out.items():
        note(f"left out: {uid}: {reason}")
    for problem in normals["warnings"]:
        note(f"warning: {Problem(**problem)}")
    write_sealed(args.out, normals)
    n, (young, old) = (normals["normals"][name] for name in ("n", "ages"))
    least, most = normals["normals"]["resolution"]
    lines = [
        f"{n} normal exams, {young:.0f} to {old:.0f} years, {least:.1f} to {most:.1f} mm effective "
        f"resolution, {len(left_out)} left out: {args.out}",
        f"The limits are known to {limit_error(n):.2f} SD. Assumed: {normals['assumes']}. "
        f"{NOT_CLINICAL}",
    ]
    return Result(lines, {"file": str(args.out), "left_out": left_out} | normals)
