"""What computes side by side: one thread a process, and processes here or on a cluster.

With one thread, sums do not depend on the number of cores, and none waits for its neighbours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from datkit.errors import UsageError

if TYPE_CHECKING:
    from joblib import Parallel

__all__ = ["one_thread", "workers"]

CONNECT_SECONDS = 10  # for a scheduler to answer


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


@contextmanager
def workers(
    n_jobs: int | None = None, scheduler: str | None = None, return_as: str = "generator"
) -> Iterator[Parallel]:
    """Yield what works through delayed calls side by side and gives each result as it comes.

    Parameters
    ----------
    n_jobs : int, optional
        Processes here; by default one for each core.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://node1:8786``, whose workers do it instead.
    return_as : str
        As in joblib: by default in the order of the calls, ``"generator_unordered"`` at once.

    Raises
    ------
    UsageError
        If Dask is not installed, or no scheduler answers there.

    Examples
    --------
    >>> from joblib import delayed
    >>> with workers(n_jobs=1) as parallel:
    ...     list(parallel(delayed(abs)(number) for number in (-1, 2)))
    [1, 2]
    """
    from joblib import Parallel, parallel_config

    if scheduler is None:
        yield Parallel(n_jobs or os.cpu_count(), return_as=return_as)
        return
    try:
        from dask.distributed import Client

        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=True)
    except ImportError as error:
        raise UsageError(
            f"Expected dask.distributed to reach the scheduler at {scheduler}, found none; "
            "install it: pip install 'dat-spect-kit[cluster]'."
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a Dask scheduler at {scheduler}, found none within {CONNECT_SECONDS} s; "
            "start it with 'dask scheduler' and give the address that it prints."
        ) from error
    with client, parallel_config(backend="dask"):
        yield Parallel(-1, return_as=return_as)
