"""One thread: sums that do not depend on the number of cores, and no waiting for neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one CPU thread inside the block or the decorated function.

    A sum split over two threads is rounded otherwise than over one. What is computed here is too
    small to gain from more, and a busy neighbour then costs a fair share instead of a factor of
    ten, since threads wait for each other at every step. Cores are used by processes.

    Examples
    --------
    >>> import torch
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
