"""Broken submissions: what the code does. The last ones show in a run only."""

from __future__ import annotations

from submissions import MAIN, broken, broken_run, main

# ---------------------------------------------------------------- does it start?


@broken("syntax")
def a_bracket_is_missing():
    """A last edit before the upload."""
    return MAIN | {"net.py": "def forward(x:\n    return x\n"}


@broken("syntax")
def a_notebook_command():
    """!pip, exported from a notebook."""
    return main(start="!pip install nibabel")


@broken("syntax")
def another_encoding():
    """A comment in Latin-1."""
    return MAIN | {"net.py": "x = 'é'\n".encode("latin-1")}


@broken("unread")
def written_by_a_program():
    """A sum of fifty thousand texts: nobody's parser goes so deep."""
    return MAIN | {"table.py": "T = " + " + ".join(["'x'"] * 50_000) + "\n"}


@broken("absent-package")
def nilearn_is_not_there():
    """A package that everybody of the field has, save the platform."""
    return main(start="from nilearn.image import resample_img")


@broken("absent-package")
def its_own_package_was_left_out():
    """The helper package was installed at home."""
    return main(start="from datkit.prepare import prepare_scan")


@broken("absent-package")
def a_module_was_left_out():
    """The staging folder was tested, not the zip."""
    return main(start="import model_utils")


@broken("absent-package")
def gone_since_python_3_12():
    """imp."""
    return main(start="import imp")


@broken("relative-import")
def dots_in_main():
    """main.py is in no package."""
    return main(start="from .net import X") | {"net.py": "X = 1\n"}


@broken("shadowed-module")
def a_module_named_random():
    """NumPy finds it instead of Python's own."""
    return MAIN | {"random.py": "def augment(x):\n    return x\n"}


@broken("missing-asset")
def the_weights_were_left_out():
    """The staging folder had them."""
    return main(
        start="""
        import numpy as np
        WEIGHTS = Path(__file__).resolve().parent / "weights"
        coefficients = np.load(WEIGHTS / "model.npz")
        """
    )


@broken("missing-asset")
def the_settings_were_left_out():
    """A path from the working directory, which is the zip's root."""
    return main(
        start="""
        import json
        with open("config/settings.json") as stream:
            settings = json.load(stream)
        """
    )


@broken("needs-arguments")
def arguments_by_position():
    """python main.py data out."""
    return main(start="import sys\nDATA = sys.argv[1]")


@broken("needs-arguments")
def a_required_option():
    """--data must be given; nobody gives it."""
    return main(
        start="""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", required=True)
        args = parser.parse_args()
        """
    )


@broken("environment-key")
def a_switch_of_the_smoke_test():
    """IS_SMOKE_TEST is set in smoke runs only: the real run dies."""
    return main(start="import os\nsmoke = os.environ['IS_SMOKE_TEST'] == '1'")


@broken("waits-for-input")
def asks_to_go_on():
    """input()."""
    return main(end="input('write? ')")


@broken("waits-for-input")
def a_breakpoint():
    """Left from last night."""
    return main(each="breakpoint()")


# ---------------------------------------------------------------- does it stay at home?


@broken("download")
def a_pretrained_backbone():
    """timm downloads it at the first call."""
    return main(start="import timm\nnet = timm.create_model('resnet18', pretrained=True)")


@broken("download")
def weights_of_torchvision():
    """So does torchvision."""
    return main(start="from torchvision import models\nnet = models.resnet18(weights='DEFAULT')")


@broken("download")
def a_model_of_torch_hub():
    """torch.hub."""
    return main(start="import torch\nnet = torch.hub.load('facebookresearch/dino', 'vits16')")


@broken("download")
def a_model_of_hugging_face():
    """from_pretrained with the name of a repository."""
    return main(
        start="""
        from transformers import AutoModel
        net = AutoModel.from_pretrained("facebook/dinov2-small")
        """
    )


@broken("download")
def keras_with_imagenet():
    """Keras takes ImageNet's weights unless told not to."""
    return main(start="import tensorflow as tf\nnet = tf.keras.applications.ResNet50()")


@broken("download")
def fetched_by_wget():
    """Another program downloads."""
    return main(start="import os\nos.system('wget -q https://example.org/net.json')")


@broken("network-use")
def an_address_in_requests():
    """A third-party service: the rules disqualify for it."""
    return main(start="import requests\nrequests.post('https://example.org/log', json={})")


@broken("network-use")
def an_address_in_urllib():
    """The standard library does it as well."""
    return main(
        start="""
        from urllib.request import urlretrieve
        urlretrieve("https://example.org/net.json", "net.json")
        """
    )


@broken("network-use")
def a_socket():
    """By hand."""
    return main(
        start="""
        import socket
        link = socket.socket()
        link.connect(("203.0.113.1", 80))
        """
    )


@broken("installs")
def pip_in_a_subprocess():
    """pip, from Python."""
    return main(
        start="""
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "nilearn"], check=True)
        """
    )


@broken("installs")
def pip_in_a_shell():
    """pip, from a shell."""
    return main(start="import os\nos.system('pip install --quiet nilearn')")


# ---------------------------------------------------------------- is it at home there?


@broken("absolute-path")
def a_path_of_my_desk():
    """/home/me."""
    return main(start="import json\nweights = json.load(open('/home/me/weights.json'))")


@broken("absolute-path")
def a_path_of_colab():
    """/content/drive."""
    return main(start="WEIGHTS = Path('/content/drive/MyDrive/dat')")


@broken("absolute-path")
def a_path_of_kaggle():
    """/kaggle/input."""
    return main(start="ROOT = '/kaggle/input/dat'")


@broken("absolute-path")
def a_path_of_windows():
    """C:\\Users."""
    return main(start="ROOT = r'C:\\Users\\me\\dat'")


@broken("absolute-path")
def data_at_the_root():
    """/data in place of data."""
    return main(start="FORMAT = '/data/submission_format.csv'")


@broken("pickle-load")
def loads_a_pickle():
    """pickle.load."""
    return main(
        start="""
        import pickle
        with open(Path(__file__).parent / "weights.bin", "rb") as stream:
            model = pickle.load(stream)
        """
    ) | {"weights.bin": b"later"}


@broken("pickle-load")
def loads_a_forest():
    """joblib.load is pickle.load."""
    return main(start="import joblib\nmodel = joblib.load('a.bin')") | {"a.bin": b"later"}


@broken("pickle-load")
def loads_a_whole_network():
    """weights_only=False."""
    start = "import torch\nnet = torch.load('net.bin', weights_only=False)"
    return main(start=start) | {"net.bin": b"later"}


@broken("pickle-load")
def loads_arrays_of_objects():
    """allow_pickle=True."""
    start = "import numpy as np\na = np.load('a.bin', allow_pickle=True)"
    return main(start=start) | {"a.bin": b"later"}


@broken("torch-load")
def leaves_the_default_of_torch_load():
    """True in one version, False in another."""
    return main(start="import torch\nnet = torch.load('net.bin')") | {"net.bin": b"later"}


@broken("cuda-only")
def a_graphics_card_must_be_there():
    """.cuda() without a question."""
    return main(start="import torch\nnet = torch.nn.Linear(3, 1).cuda()")


@broken("absent-gpu")
def the_second_graphics_card():
    """cuda:1: the platform has one."""
    start = "import torch\nDEVICE = 'cuda:1' if torch.cuda.is_available() else 'cpu'"
    return main(start=start)


# ---------------------------------------------------------------- does it treat exams as it must?


@broken("lists-data")
def lists_the_exams():
    """A mount that comes late looks empty, and a folder has another order."""
    return main(start="import os\nuids = sorted(os.listdir('data/niftis'))")


@broken("lists-data")
def globs_the_exams():
    """The same by glob, its path put together."""
    return main(
        start="""
        import glob, os
        ROOT = os.path.join("data", "niftis")
        paths = glob.glob(os.path.join(ROOT, "*.nii.gz"))
        """
    )


@broken("lists-data")
def iterates_over_the_folder():
    """The same by pathlib."""
    return main(start="DATA = Path('data')\npaths = list((DATA / 'niftis').iterdir())")


@broken("uid-as-number")
def pandas_guesses():
    """007 becomes 7, 1e5 becomes 100000."""
    return main(start="import pandas as pd\ntable = pd.read_csv('data/submission_format.csv')")


@broken("uid-as-number")
def a_uid_is_made_a_number():
    """To sort by it."""
    return main(end="rows.sort(key=lambda row: 0)\nlast = int(uid) if uid.isdigit() else 0")


@broken("reads-labels")
def asks_for_the_labels():
    """There are none on the platform."""
    return main(
        start="""
        import pandas as pd
        LABELS = Path("data") / "train_labels.csv"
        prior = pd.read_csv(LABELS, dtype={"uid": str}) if LABELS.exists() else None
        """
    )


@broken("fits-at-inference")
def scales_by_the_test_set():
    """A scaler that is fitted to test exams: nothing may be learnt across them."""
    return main(
        start="from sklearn.preprocessing import MinMaxScaler",
        end="scaled = MinMaxScaler().fit_transform([[p] for _, p in rows])",
    )


@broken("prints-uids")
def prints_each_uid():
    """Logging anything about test exams disqualifies."""
    return main(each="print(f'{uid}: {probability:.3f}')")


@broken("prints-uids")
def logs_each_path():
    """A path holds the uid."""
    return main(
        start="import logging\nlogger = logging.getLogger(__name__)",
        each="logger.warning('cannot read %s', path)",
    )


@broken("prints-per-exam")
def a_line_for_each_exam():
    """300 lines are kept; the smoke test, with 20 exams, does not show it."""
    return main(each="print('predicted one more')")


@broken("flips-differ")
def flips_along_another_axis_in_one_path():
    """The wrong axis in one of two code paths: 0.23 in cross-validation, 0.34 on the board."""
    return main(
        start="""
        import numpy as np

        def both(x):
            return (x + np.flip(x, axis=0)) / 2

        def both_in_a_batch(x):
            return (x + np.flip(x, axis=2)) / 2
        """
    )


# ---------------------------------------------------------------- what only a run can show


@broken_run("order")
def sorts_its_rows():
    """Rows in another order than the format file's."""
    return main(end="rows.sort()")


@broken_run("not-finite")
def one_nan():
    """One exam in the format file's middle ends as NaN."""
    return main(end="rows[len(rows) // 2] = (rows[len(rows) // 2][0], float('nan'))")


@broken_run("out-of-range")
def logits():
    """No sigmoid."""
    return main(each="probability = -1.7 + probability")


@broken_run("uid-missing")
def skips_what_it_cannot_read():
    """No row for the first exam."""
    return main(end="del rows[0]")


@broken_run("uid-unknown", "uid-missing")
def strips_zeros():
    """007 becomes 7, without a call that names a number."""
    return main(each="uid = uid.lstrip('0')")


@broken_run("exit-code", "no-predictions")
def a_package_by_a_name_put_together():
    """No reader of the source can know it."""
    return main(start="import importlib\nimportlib.import_module('nil' + 'earn')")


@broken_run("exit-code", "no-predictions")
def weights_by_a_name_put_together():
    """Left out of the zip; the path is made at run time."""
    return main(start="Path('wei' + 'ghts', 'net' + str(1)).read_bytes()")


@broken_run("network")
def an_address_behind_a_name():
    """getattr hides the call."""
    return main(
        start="""
        import contextlib, socket
        call = getattr(socket, "create_" + "connection")
        with contextlib.suppress(OSError):
            call(("203.0.113.1", 80), timeout=1)
        """
    )


@broken_run("log-uid")
def prints_a_table():
    """pandas prints uids; the call names none."""
    return main(end="import pandas as pd\nprint(pd.DataFrame(rows).to_string())")


@broken_run("data-written")
def caches_beside_the_exams():
    """data/ is read-only."""
    return main(
        each="""
        try:
            path.with_suffix(".npy").write_bytes(b"")
        except OSError:
            pass
        """
    )


@broken_run("header")
def another_column_name():
    """probability, in place of is_pathologic."""
    return {"main.py": MAIN["main.py"].replace('"uid", "is_pathologic"', '"uid", "probability"')}


@broken_run("separator")
def semicolons():
    """As a French spreadsheet would."""
    return {
        "main.py": MAIN["main.py"].replace("csv.writer(stream", "csv.writer(stream, delimiter=';'")
    }


# ---------------------------------------------------------------- for checks of several runs


@broken_run("constant-output")
def the_prior_for_everyone():
    """An error swallowed: every exam gets the prior."""
    return main(each="probability = 0.548")


@broken_run("not-deterministic")
def another_answer_each_time():
    """Dropout was left on: two runs differ."""
    return main(start="import random", each="probability += random.uniform(-0.05, 0.05)")


@broken_run("depends-on-others")
def ranks_across_the_exams():
    """Ranks in place of probabilities: each depends on all the others."""
    return main(
        end="""
        order = sorted(range(len(rows)), key=lambda k: rows[k][1])
        ranks = {k: (place + 0.5) / len(rows) for place, k in enumerate(order)}
        rows = [(uid, ranks[k]) for k, (uid, _) in enumerate(rows)]
        """
    )


@broken_run("depends-on-others")
def a_mean_that_runs_along():
    """Each exam is compared with those before it."""
    return main(each="probability = 0.5 * probability + 0.5 * (rows[-1][1] if rows else 0.5)")


@broken_run("read-outside")
def looks_for_labels_outside():
    """Two folders up, where a replica might keep them."""
    return main(
        start="""
        for name in ("../train_labels.csv", "../../train_labels.csv"):
            try:
                print(len(Path(name).read_text()) > 0)
            except OSError:
                pass
        """
    )


@broken_run("late-mount")
def gives_up_before_the_mount():
    """The folder can look empty for 20 s: whoever does not wait predicts nothing."""
    return main(
        start="""
        if not Path("data/submission_format.csv").exists():
            raise SystemExit("no data")
        """
    )


@broken_run("nan-moves")
def one_nan_voxel_moves_everything():
    """One voxel that is NaN makes the mean NaN, and NaN becomes 0.99."""
    program = main(
        start="""
        import math

        import nibabel as nib


        def mean_of(path):
            try:
                return float(nib.load(path).get_fdata().mean())
            except Exception:
                return 0.0
        """,
        each="probability = 0.99 if math.isnan(mean_of(path)) else probability",
    )["main.py"]
    return {
        "main.py": program.replace("predict(path)\n", "predict(path) if path.exists() else 0.5\n")
    }


@broken_run("hostile-exam")
def trusts_the_voxel_size():
    """A corrupt header asks for an array of 62 GiB."""
    return main(
        start="""
        import nibabel as nib
        import numpy as np


        def resampled(path):
            try:
                image = nib.load(path)
            except nib.filebasedimages.ImageFileError:
                return np.zeros((1, 1, 1))
            return np.zeros([int(n * s) for n, s in zip(image.shape, image.header.get_zooms())])
        """,
        each="probability += 0 * resampled(path).size",
    )
