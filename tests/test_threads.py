"""PyTorch works on one thread inside, and on as many as before outside, whatever happens."""

import pytest
import torch

from datkit.threads import one_thread


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
