"""The processes that read samples: how they start, how they end, and which file each was reading when it failed."""

from __future__ import annotations

import atexit
import ctypes
import multiprocessing.util  # noqa: F401  registers what it does at exit, before we do
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import cv2
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from foveate.datasets.batch import Pick
from foveate.datasets.errors import LoadingError
from foveate.datasets.loading.seeding import seed_generators

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
MEMORY = ("shared memory", "bus error", "shm", "no space left")
LOST = (*MEMORY, "exited unexpectedly", "killed by signal", "timed out after")
SHOWN = 4


def start_worker(worker: int) -> None:
    """Set up a reading process: one thread for OpenCV, deaf to signals, and gone when its parent is.

    A terminal and a cluster send signals to all processes at once. If readers ended by them, the training process would
    see a failure in place of the signal.

    Args:
        worker: Number of the process; not used.
    """
    cv2.setNumThreads(0)  # there are as many processes as cores already
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with suppress(AttributeError, TypeError, OSError):  # no Linux: torch's own watch on the parent is slower
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


def find_lost_workers_when_waiting() -> None:
    """Have torch look for dead readers while it waits for a batch, and not from a signal handler.

    Its handler would raise anywhere in a step, such as between two halves of an optimiser's step.
    """
    signal_handling._SIGCHLD_handler_set = True


_reading: WeakSet[Any] = WeakSet()  # iterators with reading processes


@atexit.register  # after multiprocessing's own, so it runs before: that one would ask readers to end, and wait for good
def kill_workers() -> None:
    """Kill the reading processes that are left. They ignore other signals, and one that was stopped never ends."""
    for iterator in list(_reading):
        for process in getattr(iterator, "_workers", ()):
            process.kill()


def any_worker_lost(iterator: Any) -> bool:
    """Whether a reading process of a DataLoader's iterator has ended by a signal or an error."""
    return any(process.exitcode not in (None, 0) for process in getattr(iterator, "_workers", ()))


@contextmanager
def workers_ended() -> Iterator[None]:
    """End the reading processes that begin in the block, at its end.

    Otherwise they live until the loader is garbage, which is in a cycle with its trainer: each of several trainings in
    one process would leave its own.
    """
    before = WeakSet(_reading)
    try:
        yield
    finally:
        for iterator in list(_reading):
            if iterator not in before:
                _end(iterator)


def _end(iterator: Any) -> None:
    processes = getattr(iterator, "_workers", ())
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    _reading.discard(iterator)


class WatchedLoader(DataLoader[Any]):
    """A DataLoader that says which files were being read when a reading process is lost, or hangs.

    Args:
        dataset: As for DataLoader, like the other arguments. If it has `where`, from a sample's number to its file,
            errors name files.
        patience: Seconds to wait for a batch; 0 waits for good.
        options: The other arguments of DataLoader.
    """

    def __init__(self, dataset: Dataset[Any], *, patience: float = 0.0, **options: Any) -> None:
        find_lost_workers_when_waiting()
        self.patience = patience
        self.sent: deque[Sequence[Any]] = deque()  # batches that were asked for and have not arrived
        if options.get("num_workers"):
            options["collate_fn"] = Shared(options["collate_fn"])
        super().__init__(dataset, worker_init_fn=start_worker, **options)

    @property
    def _index_sampler(self) -> Any:
        """The batches to ask for, which are noted; DataLoader's iterators read this."""
        return _Noted(super()._index_sampler, self.sent)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # Lightning needs an iterator, not torch's own class
        self.sent.clear()
        batches: Any = self._iterator  # None, or readers that are kept from one epoch to the next
        is_begun = False
        with HangWatch(self.patience if self.num_workers else 0.0, lambda: any_worker_lost(batches)) as watch:
            while True:
                try:
                    with watch.waiting():
                        if not is_begun:
                            batches, is_begun = super().__iter__(), True  # waits for readers that are kept
                            _reading.add(batches)
                        batch = next(batches)
                except StopIteration:
                    return
                except (RuntimeError, OSError, EOFError) as error:  # the last two: a reader died while handing over
                    raise self._explain(error, hangs=watch.found_hang) from error
                if self.sent:
                    self.sent.popleft()
                yield batch

    def _explain(self, error: Exception, *, hangs: bool) -> Exception:
        text = " ".join(str(error).split())
        is_full = any(word in text.lower() for word in MEMORY)
        is_loss = any(word in text.lower() for word in LOST) or not isinstance(error, RuntimeError)
        if not self.num_workers or not (hangs or is_full or (is_loss and not text.startswith("Caught "))):
            return error  # what the data set itself raised
        kill_workers()
        if hangs:
            what, advice = (
                f"no batch was read in {self.patience:g} s",
                "if reading is that slow, raise {0}worker_timeout",
            )
        elif is_full:
            what = "the shared memory of the reading processes is full"
            advice = "give more (docker run --shm-size=2g), or read with {0}num_workers 0"
        else:
            what = "a reading process was lost"
            advice = "if memory ran out, lower {0}num_workers or {0}batch_size"
        return LoadingError(f"{what}{self._while_reading()}; {advice.format('--data.')}")

    def _while_reading(self) -> str:
        where = getattr(self.dataset, "where", None)
        numbers = [pick.index if isinstance(pick, Pick) else pick for batch in self.sent for pick in batch]
        try:
            paths = list(dict.fromkeys(str(where(number)) for number in numbers)) if where is not None else []
        except Exception:  # a data set of somebody else
            return ""
        more = f" or {len(paths) - SHOWN} others" if len(paths) > SHOWN else ""
        return f" while reading {', '.join(paths[:SHOWN])}{more}" if paths else ""


class Shared:
    """Makes a batch and moves it into shared memory, in the reading process's own thread.

    Otherwise a thread of its queue does so, and if there is no room the batch is dropped and waited for for good.

    Args:
        collate: Samples -> batch.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        batch = self.collate(samples)
        for value in batch.values() if isinstance(batch, Mapping) else ():
            if isinstance(value, Tensor):
                value.share_memory_()  # type: ignore[no-untyped-call]
        return batch


class _Noted:
    """An iterable of batches of indices that appends each to a list when it is asked for."""

    def __init__(self, batches: Any, sent: deque[Sequence[Any]]) -> None:
        self.batches = batches
        self.sent = sent

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            self.sent.append(batch if isinstance(batch, list | tuple) else [batch])
            yield batch

    def __len__(self) -> int:
        return len(self.batches)


class HangWatch:
    """Kills the reading processes if a batch takes too long: the wait for them then ends with an error.

    Args:
        patience: Seconds; 0 waits for good.
        is_lost: Whether a reading process has ended by itself.

    Attributes:
        found_hang: Whether it did, and all of them were alive until then. The DataLoader looks for dead ones every five
            seconds only, so a shorter patience may end first.
    """

    def __init__(self, patience: float, is_lost: Callable[[], bool]) -> None:
        self.patience = patience
        self.is_lost = is_lost
        self.found_hang = False
        self._since: float | None = None
        self._over = threading.Event()

    def __enter__(self) -> HangWatch:
        if self.patience:
            threading.Thread(target=self._look, daemon=True, name="foveate-reading").start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _look(self) -> None:
        while not self._over.wait(min(1.0, self.patience / 4)):
            since = self._since
            if since is not None and time.monotonic() - since > self.patience:
                self.found_hang = not self.is_lost()
                kill_workers()
                return


class SeededDataset(Dataset[Any]):
    """A data set that reads each sample with generators seeded by its pick, whichever process reads it.

    Args:
        dataset: Takes a Pick.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    @property
    def where(self) -> Any:
        """From a sample's number to where it comes from; None if the data set does not say."""
        return getattr(self.dataset, "where", None)

    def __getitem__(self, pick: Pick) -> Any:
        seed_generators(pick.seed)
        return self.dataset[pick]
