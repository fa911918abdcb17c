"""Codabench bundles for tests, as mappings of names to contents: sound ones, to be broken.

They have the structure of those that Codabench's own tests upload, in other words: results alone
in one phase; and code that an ingestion program runs, in two phases of two tasks.
"""

from __future__ import annotations

import copy
from typing import Any

import yaml
from zips import zip_of

__all__ = ["PNG", "bundle_of", "code_bundle", "results_bundle"]

PNG = bytes.fromhex(  # one white pixel
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f8"
    "0f00010101001bb6ee560000000049454e44ae426082"
)
Members = dict[str, Any]
_SCORE = (
    "import json\njson.dump({'accuracy': 1.0, 'seconds': 2.0}, open('/app/output/scores.json'))\n"
)


def results_bundle() -> Members:
    """Return the smallest one: a table is uploaded and scored, in one phase without an end."""
    settings = {
        "version": 2,
        "title": "Count the beans",
        "image": "logo.png",
        "terms": "terms.md",
        "pages": [{"title": "Overview", "file": "overview.md"}],
        "tasks": [
            {
                "index": 0,
                "name": "Beans",
                "scoring_program": "scoring_program",
                "reference_data": "reference_data",
            }
        ],
        "phases": [{"index": 0, "name": "All year", "start": "2026-01-01", "tasks": [0]}],
        "leaderboards": [
            {
                "title": "Results",
                "key": "main",
                "columns": [
                    {"title": "Accuracy", "key": "accuracy", "index": 0, "sorting": "desc"},
                ],
            }
        ],
    }
    return {
        "competition.yaml": settings,
        "logo.png": PNG,
        "terms.md": "Be fair.\n",
        "overview.md": "# Beans\n",
        "scoring_program/metadata.yaml": "command: python3 /app/program/score.py\n",
        "scoring_program/score.py": _SCORE,
        "reference_data/truth.csv": "jar,beans\n1,312\n",
    }


def code_bundle() -> Members:
    """Return one that runs code: zips for programs, two phases of two tasks, a fact sheet."""
    task = {
        "index": 0,
        "name": "Beans of the first shelf",
        "description": "Learn.",
        "scoring_program": "scoring_program.zip",
        "ingestion_program": "programs/ingestion/",
        "input_data": "shelf_1/input",
        "reference_data": "shelf_1/truth",
        "ingestion_only_during_scoring": False,
    }
    settings = {
        "version": "2",
        "title": "Count the beans by code",
        "description": "Beans in jars.",
        "image": "logo.png",
        "terms": "pages/terms.md",
        "docker_image": "codalab/codalab-legacy:py312",
        "registration_auto_approve": True,
        "make_programs_available": "false",
        "contact_email": "beans@example.org",
        "reward": None,
        "fact_sheet": {
            "method": {
                "key": "method",
                "type": "text",
                "title": "How do you count?",
                "selection": "",
                "is_required": "true",
                "is_on_leaderboard": "false",
            }
        },
        "pages": [
            {"title": "Overview", "file": "pages/overview.md"},
            {"title": "Data", "file": "pages/data.html"},
        ],
        "tasks": [
            task,
            task
            | {
                "index": 1,
                "name": "Beans of the second shelf",
                "input_data": "shelf_2/input",
                "reference_data": "shelf_2/truth",
            },
        ],
        "solutions": [{"index": 0, "path": "solution.zip", "tasks": [0, 1]}],
        "phases": [
            {
                "index": 0,
                "name": "Development",
                "start": "2026-01-01 08:00:00",
                "end": "2026-02-01 20:00:00",
                "max_submissions": 50,
                "max_submissions_per_day": 5,
                "execution_time_limit": 300,
                "starting_kit": "starting_kit",
                "public_data": "public_data.zip",
                "tasks": [0],
            },
            {
                "index": 1,
                "name": "Final",
                "start": "2026-02-03 08:00:00",
                "auto_migrate_to_this_phase": True,
                "accepts_only_result_submissions": False,
                "tasks": [1],
            },
        ],
        "leaderboards": [
            {
                "title": "Results",
                "key": "main",
                "submission_rule": "Force_Best",
                "columns": [
                    {"title": "Accuracy", "key": "accuracy", "index": 0, "sorting": "desc"},
                    {"title": "Seconds", "key": "seconds", "index": 1, "sorting": "asc"},
                    {
                        "title": "Both",
                        "key": "both",
                        "index": 2,
                        "precision": 3,
                        "computation": "avg",
                        "computation_indexes": [0, 1],
                    },
                ],
            }
        ],
    }
    program = (("metadata", "command: python3 score.py $input $output\n"), ("score.py", _SCORE))
    return {
        "competition.yaml": settings,
        "logo.png": PNG,
        "pages/terms.md": "Be fair.\n",
        "pages/overview.md": "# Beans\n",
        "pages/data.html": "<p>Jars.</p>\n",
        "scoring_program.zip": zip_of(*program),
        "programs/ingestion/metadata.yaml": (
            "command: python3 /app/program/ingest.py /app/input_data /app/ingested_program\n"
        ),
        "programs/ingestion/ingest.py": "print('run the submission')\n",
        "shelf_1/input/jars.csv": "jar\n1\n",
        "shelf_1/truth/truth.csv": "jar,beans\n1,312\n",
        "shelf_2/input/jars.csv": "jar\n2\n",
        "shelf_2/truth/truth.csv": "jar,beans\n2,17\n",
        "starting_kit/README.md": "Start here.\n",
        "public_data.zip": zip_of(("jars.csv", "jar,beans\n3,4\n")),
        "solution.zip": zip_of(("model.py", "def count(jar):\n    return 300\n")),
    }


def bundle_of(members: Members) -> bytes:
    """Return the bytes of its zip; the settings are written as YAML, unless they are text."""
    members = copy.deepcopy(members)
    for name, content in members.items():
        if isinstance(content, dict):
            members[name] = yaml.safe_dump(content, sort_keys=False)
    return zip_of(*members.items())
