"""Good submissions in other styles than the kit's own: none may be called wrong."""

from __future__ import annotations

import io
import struct

import numpy as np
from broken_archives import torchscript
from submissions import MAIN, good, main


def arrays(**named: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **named)
    return stream.getvalue()


@good
def standard_library_only():
    """No package at all."""
    return MAIN


@good
def numpy_only():
    """A linear model in an NPZ beside main.py, read through NumPy."""
    return main(
        start="""
        import numpy as np
        HERE = Path(__file__).resolve().parent
        MODEL = np.load(HERE / "weights" / "linear.npz")
        """,
        each="""
        x = np.frombuffer(path.read_bytes()[:8].ljust(8, b"\\0"), np.uint8) / 255.0
        probability = float(1 / (1 + np.exp(-(x @ MODEL["w"] + MODEL["b"]))))
        """,
    ) | {"weights/linear.npz": arrays(w=np.linspace(-1, 1, 8), b=np.array(0.1))}


@good
def pandas_with_text():
    """pandas, uids as text, the format's own order."""
    return {
        "main.py": """
import pandas as pd
from pathlib import Path

table = pd.read_csv("data/submission_format.csv", dtype={"uid": str})
sizes = [(Path("data/niftis") / f"{uid}.nii.gz").stat().st_size for uid in table["uid"]]
table["is_pathologic"] = [0.1 + 0.8 * (size % 97) / 97 for size in sizes]
table.to_csv("submission.csv", index=False)
"""
    }


@good
def torchscript_net():
    """A scripted network: no class of ours is needed to load it."""
    start = """
    import os
    import torch
    DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    NET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "net.pt")
    if os.environ.get("DATKIT_LOAD"):
        net = torch.jit.load(NET, map_location=DEVICE).eval()
    """
    return main(start=start) | {"net.pt": torchscript("return torch.sigmoid(torch.mean(x))\n")}


@good
def weights_of_torch_alone():
    """A state dict as safetensors; a graphics card if there is one."""
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    content = struct.pack("<Q", len(header)) + header + struct.pack("<f", 0.5)
    return main(
        start="""
        from safetensors.numpy import load_file
        WEIGHTS = load_file(str(Path(__file__).parent / "weights" / "net.safetensors"))
        """,
        each='probability = float(0.5 * probability + 0.5 * WEIGHTS["w"][0])',
    ) | {"weights/net.safetensors": content}


@good
def sub_packages():
    """A package with packages in it, relative imports inside, settings beside the code."""
    return main(
        start="""
        from dat_park.models.linear import scale
        """,
        each="probability = scale(probability)",
    ) | {
        "dat_park/__init__.py": "",
        "dat_park/models/__init__.py": "from . import linear\n",
        "dat_park/models/linear.py": "from ..settings import load\n\n\n"
        "def scale(p):\n    return load()['slope'] * p\n",
        "dat_park/settings.py": "import json\nfrom pathlib import Path\n\n\n"
        "def load():\n    return json.loads((Path(__file__).parent / 'a.json').read_text())\n",
        "dat_park/a.json": '{"slope": 0.9}',
    }


@good
def code_in_src():
    """The code in src, put on the path by main.py."""
    return main(
        start="""
        import sys
        sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
        from net import bounded
        """,
        each="probability = bounded(probability)",
    ) | {"src/net.py": "def bounded(p):\n    return min(max(p, 0.05), 0.95)\n"}


@good
def relative_assets():
    """Assets by relative paths; one is read only if it is there, another is written first."""
    return main(
        start="""
        import json
        PRIOR = json.loads(Path("assets/prior.json").read_text())["prior"]
        if Path("assets/extra.json").exists():
            PRIOR = json.loads(Path("assets/extra.json").read_text())["prior"]
        Path("scratch.json").write_text(json.dumps({"prior": PRIOR}))
        PRIOR = json.load(open("scratch.json"))["prior"]
        """,
        each="probability = 0.9 * probability + 0.1 * PRIOR",
    ) | {"assets/prior.json": '{"prior": 0.548}', "assets/template.nii.gz": b"\x1f\x8b"}


@good
def slow():
    """It takes its time, inside the limit."""
    return main(start="import time", each="time.sleep(0.05)")


@good
def chatty_under_the_limit():
    """It prints counts, every hundredth exam, and how many failed."""
    return main(
        start="""
        import logging
        logging.basicConfig(level=logging.INFO)
        logger = logging.getLogger("predict")
        """,
        each="""
        if len(rows) % 100 == 0:
            print(f"{len(rows)} of {len(uids)} exams", flush=True)
        """,
        end="logger.info('%d rows, mean %.3f', len(uids), sum(p for _, p in rows) / len(rows))",
    )


@good
def a_vendored_library():
    """A library copied in with its licence: it could download, print and ask; nobody calls it."""
    library = '''"""Reads images."""
import requests


def fetch(name="template"):
    print(name)
    return requests.get(f"https://example.org/{name}").content


def plot():
    import plotly.express


def cache():
    return open("/home/builder/cache.bin", "rb").read()


def clip(value):
    return min(max(value, 0.01), 0.99)
'''
    return main(start="from tinynifti import clip", each="probability = clip(probability)") | {
        "tinynifti/__init__.py": library,
        "tinynifti/LICENSE": "MIT License\n",
        "tinynifti/tests/test_all.py": "import pytest\n",
    }


@good
def a_library_as_pip_installs_it():
    """Its licence lies in its .dist-info, beside it."""
    return main(start="import tinypng") | {
        "tinypng/__init__.py": "import os\n\n\ndef home():\n    return os.environ['TINY_HOME']\n",
        "tinypng-1.2.dist-info/METADATA": "Name: tinypng\n",
    }


@good
def optional_packages():
    """It tries for a faster package, and goes on without."""
    return main(
        start="""
        try:
            import cupy as xp
        except ImportError:
            import numpy as xp


        def on_card(x):
            import cupy.linalg
            return cupy.linalg.norm(x)
        """,
        each="probability = float(xp.clip(probability, 0.01, 0.99))",
    )


@good
def options_with_defaults():
    """Arguments that may be given, for the desk; none need be."""
    return main(
        start="""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", default="data")
        parser.add_argument("--out", default="submission.csv")
        args = parser.parse_args()
        """
    )


@good
def at_home_on_three_platforms():
    """It looks where it is before it chooses a folder."""
    return main(
        start="""
        import os
        ROOT = "/kaggle/input/dat" if os.path.exists("/kaggle/input") else "data"
        NIFTIS = f"{os.getcwd()}/data/niftis"
        TABLE = os.getcwd() + "/data/submission_format.csv"
        NAME = TABLE.split("/data/")[-1]
        IS_SMOKE = os.environ.get("IS_SMOKE_TEST", "") == "1"
        """
    )


@good
def waits_for_a_late_mount():
    """It asks for one file by its name until it is there."""
    return main(
        start="""
        import time
        deadline = time.monotonic() + 120
        while not Path("data/submission_format.csv").exists() and time.monotonic() < deadline:
            time.sleep(1)
        """
    )


@good
def workers():
    """Processes of its own, on one machine, each exam alone."""
    return {
        "main.py": """
import csv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def predict(uid):
    size = Path("data/niftis", f"{uid}.nii.gz").stat().st_size
    return 0.1 + 0.8 * (size % 97) / 97


if __name__ == "__main__":
    with open("data/submission_format.csv", newline="") as stream:
        uids = [row["uid"] for row in csv.DictReader(stream)]
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(predict, uids))
    lines = [f"{uid},{p}" for uid, p in zip(uids, found)]
    Path("submission.csv").write_text("\\n".join(["uid,is_pathologic", *lines]) + "\\n")
"""
    }


@good
def prints_into_the_table():
    """print writes the table: into a file, not into the log."""
    return {
        "main.py": """
import csv
import sys
from pathlib import Path

rows = csv.DictReader(open("data/submission_format.csv", newline=""))
with open("submission.csv", "w") as out:
    print("uid,is_pathologic", file=out)
    for row in rows:
        size = Path(f"data/niftis/{row['uid']}.nii.gz").stat().st_size
        print(row["uid"], 0.1 + 0.8 * (size % 97) / 97, sep=",", file=out)
print("done", file=sys.stderr)
"""
    }


@good
def weights_in_the_source():
    """Half a megabyte of numbers as a list."""
    return MAIN | {"coefficients.py": f"W = {[*range(100_000)]}\n"}
