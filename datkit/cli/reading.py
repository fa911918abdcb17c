"""Let several readers read exams, and merge what they say.

first steps:
  datkit readers init campaign.yaml --cohort cohort --out campaign
  datkit readers merge campaign --answers reading-*.json --out merged
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit.cli.command import Group, Result, arg

READERS = Group(__doc__)


@READERS.command(
    arg("campaign", type=Path, metavar="CAMPAIGN", help="campaign.yaml; or example"),
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="that holds the exams"),
    arg("--out", type=Path, required=True, metavar="FOLDER", help="to be made"),
)
def init(args: Namespace) -> Result:
    """Make one page for each reader, and the key that stays with you.

    A page is whole in one file and needs no network. It shows exams under codes, in an order of
    its reader's own, and no truth. Keep key.json and the campaign's file from readers.

    For example:
      datkit readers init example --cohort cohort --out campaign
      datkit readers init campaign.yaml --cohort cohort --out campaign
    """
    from datkit.data.layouts import open_path
    from datkit.prepare import prepare_cohort
    from datkit.reading.campaign import EXAMPLE, load_campaign
    from datkit.reading.pages import init_campaign

    campaign = load_campaign(EXAMPLE if str(args.campaign) == "example" else args.campaign)
    prepared = prepare_cohort(open_path(args.cohort, require_labels=False))
    key = init_campaign(campaign, prepared, args.out)
    pages = [str(args.out / "pages" / f"{reader}.html") for reader in key["readers"]]
    lines = [f"{page}: for this reader alone" for page in pages]
    lines.append(f"{args.out / 'key.json'}: for you alone; {len(prepared.failures)} exams failed")
    return Result(lines, {"campaign": key["campaign"], "pages": pages})


@READERS.command(
    arg("folder", type=Path, metavar="FOLDER", help="of the campaign, with its key.json"),
    arg("--answers", type=Path, nargs="+", required=True, metavar="FILE", help="one a reader"),
    arg("--out", type=Path, required=True, metavar="DIR", help="for the tables"),
)
def merge(args: Namespace) -> Result:
    """Check what readers handed in; write labels with their doubt, agreement and disputed exams.

    A file that was changed after the page wrote it is noticed, unless by someone who dug the key
    out of that reader's page.

    For example:
      datkit readers merge campaign --answers reading-*.json --out merged
    """
    import numpy as np

    from datkit.reading.merge import merge_readers

    merged = merge_readers(args.folder, args.answers)
    merged.write(args.out)
    readers = ", ".join(merged.readings["reader"].unique())
    told = f"{len(merged.labels)} exams, {len(merged.disputed)} disputed, read by {readers}"
    lines = [f"{args.out}: {told}"]
    for name, its in merged.agreement.items():
        alpha = its["krippendorff"]
        told = "alpha {value:.2f} ({low:.2f} to {high:.2f})".format(**alpha)
        told += f", Fleiss' kappa {its['fleiss']:.2f}"
        none = "no agreement beyond chance can be told of one reader or one class"
        lines.append(f"{name}: {none if np.isnan(alpha['value']) else told}")
    return Result(lines, {"exams": len(merged.labels), "disputed": [*merged.disputed.index]})
