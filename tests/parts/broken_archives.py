"""Broken submissions: the file itself, where main.py lies, and what does not belong there."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
import tarfile
import zipfile
import zlib

import numpy as np
from submissions import MAIN, broken
from zips import entry, patched, zip_of

# ---------------------------------------------------------------- the file


@broken("not-a-zip")
def the_upload_was_cut_short():
    """Half of a zip."""
    whole = zip_of(*MAIN.items())
    return whole[: len(whole) // 2]


@broken("not-a-zip")
def a_tar_was_renamed():
    """A tar.gz that is called submission.zip."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("main.py"))
    return stream.getvalue()


@broken("not-a-zip")
def a_login_page_was_saved():
    """The page that asked for a password, saved in place of the file behind it."""
    return b"<!DOCTYPE html><title>Sign in</title>"


@broken("encrypted")
def a_password_was_set():
    """A zip with a password."""
    return patched(zip_of(*MAIN.items()), 8, struct.pack("<H", 1))


@broken("damaged")
def a_byte_flipped():
    """One byte changed on the way."""
    members = {entry("weights/a.bin"): bytes(range(256)), **MAIN}
    return zip_of(*members.items()).replace(bytes(range(100)), bytes(99) + b"\1", 1)


@broken("method")
def packed_with_lzma():
    """Compressed as 7-Zip can and unzip cannot."""
    return MAIN | {entry("helpers.py", compress_type=zipfile.ZIP_LZMA): "X = 1\n"}


@broken("unsafe-path")
def climbs_out_of_the_folder():
    """A member that would be written beside the folder."""
    return MAIN | {"../outside.py": ""}


@broken("unsafe-path")
def an_absolute_member():
    """A member with a place of its own."""
    return MAIN | {"/etc/profile.d/outside.sh": ""}


@broken("unsafe-path")
def windows_separators():
    """Backslashes: on Linux one file of an odd name, not a folder."""
    return MAIN | {"weights\\model.json": "{}"}


@broken("link")
def a_link_to_the_data():
    """A symbolic link."""
    return MAIN | {entry("exams", external_attr=(stat.S_IFLNK | 0o777) << 16): "/data"}


@broken("link")
def a_device():
    """A device."""
    return MAIN | {entry("zero", external_attr=(stat.S_IFCHR | 0o666) << 16): ""}


@broken("bomb")
def a_bomb_of_zeros():
    """Four megabytes of zeros, packed into four thousand bytes."""
    return MAIN | {"weights/zeros.bin": bytes(2**22)}


@broken("bomb", "too-large")
def nine_gigabytes_by_its_own_word():
    """A list of members that promises more than any disk of the platform should take."""
    content = zip_of(("a", ""), ("b", ""), ("c", ""), *MAIN.items())
    return patched(content, 24, struct.pack("<L", 0xFFFFFFFE), most=3)


@broken("too-many-members")
def ten_thousand_slices():
    """One file for each slice."""
    return zip_of(*MAIN.items(), *((f"s/{number}.txt", "") for number in range(10_000)))


@broken("duplicate")
def two_main_files_of_one_name():
    """`zip` run twice: which one counts depends on who unpacks."""
    return zip_of(*MAIN.items(), *MAIN.items())


@broken("case-clash")
def names_that_differ_in_capitals():
    """Two files here, one on a Mac."""
    return MAIN | {"helpers/net.py": "", "helpers/Net.py": ""}


@broken("unicode-clash")
def an_accent_in_two_spellings():
    """é as one letter, and as e with an accent."""
    return MAIN | {"mod\u00e8le.json": "{}", "mode\u0300le.json": "{}"}


@broken("file-and-folder")
def a_file_that_is_a_folder():
    """helpers, and helpers/net.py."""
    return MAIN | {"helpers": "text", "helpers/net.py": ""}


@broken("name-too-long")
def a_run_named_by_all_its_settings():
    """A name of 300 letters: no file system takes it."""
    return MAIN | {f"weights/{'lr0.001_' * 38}.json": "{}"}


# ---------------------------------------------------------------- where main.py lies


@broken("main-nested")
def the_folder_was_zipped():
    """The folder was zipped, not what is in it: the platform's loose check lets it pass."""
    return {"submission/main.py": MAIN["main.py"]}


@broken("main-nested")
def two_folders_deep():
    """As GitHub packs a repository."""
    return {"project-main/src/main.py": MAIN["main.py"]}


@broken("main-case")
def main_in_capitals():
    """Main.py."""
    return {"Main.py": MAIN["main.py"]}


@broken("main-folder")
def main_is_a_folder():
    """A folder that is called main.py."""
    return {"main.py/main.py": MAIN["main.py"]}


@broken("main-missing")
def weights_only():
    """A model without a program."""
    return {"weights/model.json": "{}"}


@broken("main-missing")
def another_name():
    """predict.py, as another challenge wanted it."""
    return {"predict.py": MAIN["main.py"]}


@broken("main-missing", "nested-archive")
def a_zip_in_a_zip():
    """The zip was zipped once more."""
    return {"submission.zip": zip_of(*MAIN.items())}


@broken("litter", "main-nested")
def compressed_by_finder():
    """What a Mac makes of a folder: one more folder, and its own notes on each file."""
    return {"submission/main.py": MAIN["main.py"], "__MACOSX/submission/._main.py": b"\0\5\x16\7"}


# ---------------------------------------------------------------- what does not belong there


@broken("litter")
def compiled_modules():
    """__pycache__: no harm, no use."""
    return MAIN | {"__pycache__/main.cpython-311.pyc": b"\xa7\r\r\n"}


@broken("volumes")
def training_exams():
    """A folder niftis."""
    return MAIN | {"cache/niftis/007.nii.gz": b"\x1f\x8b"}


@broken("volumes")
def six_volumes():
    """More than templates explain."""
    return MAIN | {f"assets/{number}.nii": b"" for number in range(6)}


@broken("volumes")
def an_exam_as_dicom():
    """One file of a console."""
    return MAIN | {"assets/IM0001.dcm": b"DICM"}


@broken("exam-table")
def the_training_labels():
    """train_labels.csv."""
    return MAIN | {"train_labels.csv": "uid,is_pathologic\n007,1.0\n"}


@broken("exam-table")
def features_of_each_exam():
    """A table of features, for a model of neighbours."""
    return MAIN | {"weights/features.csv": "sbr;UID;age\n2.1;007;61\n"}


@broken("exam-table")
def folds_as_json():
    """Which exam was in which fold."""
    return MAIN | {"weights/folds.json": json.dumps([{"uid": "007", "fold": 1}])}


@broken("exam-table")
def embeddings_with_uids():
    """Arrays, one of them called uids."""
    stream = io.BytesIO()
    np.savez(stream, embeddings=np.zeros((2, 3)), uids=np.array(["007", "1e5"]))
    return MAIN | {"weights/memory.npz": stream.getvalue()}


@broken("notebook")
def the_notebook_too():
    """Outputs, and with them exams."""
    return MAIN | {"explore.ipynb": "{}"}


@broken("old-predictions")
def predictions_of_the_last_run():
    """A submission.csv that would hide that main.py wrote none."""
    return MAIN | {"submission.csv": "uid,is_pathologic\n"}


@broken("data-folder", "exam-table")
def the_staging_folders_data():
    """The format file, under data/."""
    return MAIN | {"data/submission_format.csv": "uid,is_pathologic\n007,0.0\n"}


@broken("version-control")
def the_repository():
    """.git, with all that was ever deleted."""
    return MAIN | {".git/HEAD": "ref: refs/heads/main\n"}


@broken("environment")
def the_virtual_environment():
    """Packages as installed on another machine."""
    return MAIN | {".venv/lib/python3.12/site-packages/six.py": "", ".venv/pyvenv.cfg": ""}


@broken("run-logs")
def logs_of_the_training():
    """TensorBoard's events."""
    return MAIN | {"lightning_logs/version_0/hparams.yaml": "lr: 0.001\n"}


@broken("secret")
def a_key():
    """The key of an account."""
    return MAIN | {"kaggle.json": "{}"}


# ---------------------------------------------------------------- weights


def torchscript(code: str, *more: str) -> bytes:
    """A TorchScript file as torch.jit.save lays it out, with the code given."""
    members = {"data.pkl": "", "code/__torch__.py": code, "constants.pkl": "", "version": "3\n"}
    names = {f"net/{name}": content for name, content in members.items()}
    return zip_of(*names.items(), *((f"net/{name}", "") for name in more))


@broken("pickle")
def a_pickled_classifier():
    """scikit-learn of another version."""
    return MAIN | {"weights/model.pkl": pickle.dumps({"coef": 1.0})}


@broken("pickle")
def a_joblib_file():
    """A pickle too."""
    return MAIN | {"weights/forest.joblib": b""}


@broken("pickle")
def a_whole_network():
    """torch.save(model): a pickle of a class that must be importable."""
    return MAIN | {"weights/net.pth": zip_of(("net/data.pkl", pickle.dumps({})))}


@broken("pickle")
def a_pickle_in_disguise():
    """Renamed to .bin."""
    return MAIN | {"weights/model.bin": pickle.dumps([1], protocol=4)}


@broken("pickle")
def objects_in_an_array():
    """NumPy stores objects as a pickle."""
    stream = io.BytesIO()
    np.savez(stream, models=np.array([{}], dtype=object))
    return MAIN | {"weights/models.npz": stream.getvalue()}


@broken("weights")
def a_pointer_instead_of_weights():
    """Git LFS was not installed where it was packed."""
    return MAIN | {"weights/a.safetensors": "version https://git-lfs.github.com/spec/v1\n"}


@broken("weights")
def half_of_a_json():
    """The disk was full."""
    return MAIN | {"weights/model.json": '{"coef": [0.1, 0.'}


@broken("torchscript-device")
def traced_on_one_device():
    """The device of the tracing is a constant of the code."""
    line = 'x = torch.zeros([1], dtype=6, layout=None, device=torch.device("cuda:0"))\n'
    return MAIN | {"weights/net.pt": torchscript(line)}


@broken("torchscript-device")
def traced_in_half_precision():
    """5 is float16: on a processor many layers do not know it."""
    return MAIN | {"weights/net.pt": torchscript("return torch.mean(torch.to(x, 5))\n")}


@broken("traced-input")
def traced_with_an_exam():
    """torch stores the input of the tracing: here an exam leaves the house."""
    return MAIN | {"weights/net.pt": torchscript("return x\n", "traced_inputs/0")}


@broken("stray-bytes")
def two_archives_in_one():
    """One lies before the other: what reads from the front unpacks other code."""
    return zip_of(("main.py", "print('other code')\n")) + zip_of(*MAIN.items())


@broken("stray-bytes")
def stored_by_itself_and_deflated_by_the_list():
    """What reads member by member unpacks the deflated bytes as they are."""
    whole = zip_of(*MAIN.items())
    return whole[:8] + struct.pack("<H", zipfile.ZIP_STORED) + whole[10:]


@broken("stray-bytes")
def shorter_by_itself_than_by_the_list():
    """What reads member by member unpacks five bytes."""
    whole = zip_of(*MAIN.items())
    return whole[:18] + struct.pack("<L", 5) + whole[22:]


@broken("stray-bytes")
def a_stream_without_its_size():
    """The size shall stand behind the bytes, and does not."""
    whole = patched(zip_of(*MAIN.items()), 8, struct.pack("<H", 8), most=1)
    return whole[:6] + struct.pack("<H", 8) + whole[8:]


@broken("stray-bytes")
def bytes_in_a_folder():
    """What unpacks the zip makes the folder and leaves its bytes out."""
    return MAIN | {"kept/": b"what nobody sees" * 20}


@broken("second-name")
def another_name_beside_the_name():
    """Info-ZIP's unzip takes the name in the extra field, Python the one before it."""
    field = struct.pack("<BL", 1, zlib.crc32(b"helpers.py")) + b"main.py"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    return MAIN | {entry("helpers.py", extra=extra): "X = 1\n"}


@broken("taken-name")
def data_is_a_file():
    """The platform mounts the exams at a folder of that name."""
    return MAIN | {"data": "where the exams lie\n"}
