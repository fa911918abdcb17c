"""Two processes train as one does: the same batches, changes and statistics."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from datkit.errors import UsageError
from datkit.models.training.processes import start_fabric
from datkit.models.training.settings import TrainingSettings


def test_half_precision_of_3d_convolutions_is_refused_on_a_cpu():
    """PyTorch 2.13 takes the gradient of 128 channels from memory that nobody wrote."""
    settings = TrainingSettings(accelerator="cpu", precision="bf16-mixed")
    with pytest.raises(UsageError, match="3-D convolutions gave gradients beyond"):
        start_fabric(settings, torch.nn.Conv3d(1, 1, 3))
    assert start_fabric(settings, torch.nn.Conv2d(1, 1, 3)).device.type == "cpu"


def test_fabric_says_nothing(capfd):
    start_fabric(TrainingSettings(accelerator="cpu", precision="bf16-mixed"), torch.nn.Linear(1, 1))
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import sys
import torch
from datkit.models.training.augment import STRONG, Augmentation
from datkit.models.training.loop import train
from datkit.models.training.settings import TrainingSettings
from datkit.models.volume import SIZES

def main(path):
    plan = SIZES["standard"]
    torch.manual_seed(0)
    network = plan.network(2)
    y = (torch.arange(11) % 2).float()
    x = 1 + torch.rand(11, 26, 23, 17) * (2 - y)[:, None, None, None]
    settings = TrainingSettings(epochs=2, batch_size=5, ema=0.5, patience=2, accelerator="cpu")
    history = train(network, x, y, settings, change=Augmentation(STRONG, *plan.view))
    torch.save({"history": history, "network": network.state_dict()}, path)
"""


@pytest.fixture
def torchrun():
    """What torchrun tells two processes of one machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}  # fmt: skip
    return [os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in (0, 1)]


def test_two_processes_equal_one_within_rounding(tmp_path, torchrun):
    (tmp_path / "two.py").write_text(SCRIPT + "\nmain(sys.argv[1])\n")
    paths = [tmp_path / "0.pt", tmp_path / "1.pt"]
    started = [
        subprocess.Popen([sys.executable, tmp_path / "two.py", path], env=environment)
        for path, environment in zip(paths, torchrun, strict=True)
    ]
    names: dict = {}
    exec(SCRIPT, names)
    with torch.random.fork_rng():
        names["main"](tmp_path / "one.pt")
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    one = torch.load(tmp_path / "one.pt")
    for two in map(torch.load, paths):
        for a, b in zip(one["history"], two["history"], strict=True):
            assert b == pytest.approx(a, abs=3e-4)
        for name, tensor in one["network"].items():
            torch.testing.assert_close(two["network"][name], tensor, atol=5e-4, rtol=1e-3)
