"""One thread for PyTorch inside and as many as before outside; work spread over a cluster."""

import pytest
import torch
from joblib import delayed

from datkit import threads
from datkit.errors import UsageError
from datkit.threads import one_thread, workers


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_block_and_a_function_have_one_thread():
    with one_thread():
        assert torch.get_num_threads() == 1
    assert one_thread()(torch.get_num_threads)() == 1
    assert torch.get_num_threads() == 3


def test_the_number_comes_back_after_an_error():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 3


def test_a_cluster_gives_results_in_the_order_of_the_calls(scheduler):
    with workers(scheduler=scheduler) as parallel:
        assert [*parallel(delayed(pow)(number, 2) for number in range(20))] == [
            number**2 for number in range(20)
        ]


def test_no_scheduler_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr(threads, "CONNECT_SECONDS", 0.2)
    with pytest.raises(UsageError, match="start it with 'dask scheduler'"), workers(
        scheduler="tcp://127.0.0.1:9"
    ):  # fmt: skip
        pass
