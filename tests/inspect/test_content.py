"""What a member's bytes tell: pickles, weights that cannot be read, tables of exams."""

from __future__ import annotations

import io
import json
import pickle
import struct

import numpy as np
import pytest
from zips import zip_of


def numpy_bytes(save, *arrays) -> bytes:
    stream = io.BytesIO()
    save(stream, *arrays)
    return stream.getvalue()


def safetensors_of(header: dict, data: bytes) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


NPY = numpy_bytes(np.save, np.arange(4.0))
TENSORS = safetensors_of({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8))
NETWORK = zip_of(("model/data.pkl", pickle.dumps({})))
FINE = {
    "json": ("weights/model.json", '{"kind": "measures"}'),
    "npy": ("weights/a.npy", NPY),
    "npz": ("weights/a.npz", numpy_bytes(np.savez, np.arange(4.0))),
    "safetensors": ("weights/a.safetensors", TENSORS),
    "a_table_without_uids": ("assets/normals.csv", "region,mean\nputamen,2.1\n"),
    "bytes_that_begin_like_a_pickle": ("weights/a.bin", b"\x80\x04 and then no pickle."),
}
FAULTS = {
    "labels": ("exam-table", "train_labels.csv", "uid,is_pathologic\n007,1.0\n"),
    "labels_from_excel": ("exam-table", "x.csv", "\ufeffUID,age\n007,61\n"),
    "labels_with_tabs": ("exam-table", "x.tsv", "uid\tage\n007\t61\n"),
    **{f"a{end}": ("pickle", f"weights/a{end}", b"") for end in (".pkl", ".pt", ".pth", ".ckpt")},
    "a.joblib": ("pickle", "weights/A.JOBLIB", b""),
    "a_pickle_in_disguise": ("pickle", "weights/a.bin", pickle.dumps([1], protocol=4)),
    "an_old_pickle_in_disguise": ("pickle", "weights/a.dat", pickle.dumps([1], protocol=2)),
    "a_torch_file_in_disguise": (
        "pickle",
        "weights/a.weights",
        zip_of(("model/data.pkl", pickle.dumps({}))),
    ),
    "objects_in_npy": ("pickle", "a.npy", numpy_bytes(np.save, np.array([{}], dtype=object))),
    "objects_in_npz": ("pickle", "a.npz", numpy_bytes(np.savez, np.array([{}], dtype=object))),
    "a_broken_json": ("weights", "weights/model.json", '{"kind": '),
    "a_short_npy": ("weights", "weights/a.npy", NPY[:-3]),
    "a_text_npy": ("weights", "weights/a.npy", "no array"),
    "a_short_npz": ("weights", "a.npz", numpy_bytes(np.savez, np.arange(4.0))[:-30]),
    "a_short_safetensors": ("weights", "weights/a.safetensors", TENSORS[:-1]),
    "an_empty_safetensors": ("weights", "weights/a.safetensors", b""),
    "a_git_lfs_pointer": ("weights", "a.safetensors", "version https://git-lfs.github.com/spec"),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_not_flagged(name, codes):
    assert codes(FINE[name]) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_code(name, codes):
    code, path, content = FAULTS[name]
    assert codes((path, content)) == [code]
