"""Tries rules in a child process, so that a block which crashes, hangs or exits does not end the caller.

One process tries all rules, and stays for the next block. If a rule ends the process or takes too long, that rule is
broken, and another process is started for the remaining rules.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import IO, Any

from foveate.plugins.conformance.rule import Outcome, Result, Rule, try_rule
from foveate.plugins.conformance.subject import Subject

PATIENCE = 120.0  # seconds for one rule; the slowest of Foveate's own blocks takes about 10
PATIENCE_AGAIN = 20.0  # seconds for one rule after another took too long, since the next ones probably will too
MEMORY = 8 * 1024**3  # bytes of memory that the process may allocate
ATTEMPTS = 4  # largest number of processes started for one block
SERVE = "from foveate.plugins.conformance.isolation import serve; serve()"

LATE, ENDED = "it does not end", "it ends the process"  # how the reason begins where a rule gave no answer
ABSENT = "absent"  # the child process cannot import the block, although it could be pickled here

Answer = tuple[Outcome, str]


def can_travel(subject: Subject) -> bool:
    """Whether a child process can build the block; it cannot if that is a lambda or a class inside a function.

    Args:
        subject: The block.
    """
    try:
        _pack(subject)
    except Exception:  # pickling an arbitrary object may raise anything
        return False
    return True


def try_apart(rules: Sequence[Rule], subject: Subject) -> list[Result]:
    """Try rules on a block in a child process; a rule that ends the process or takes too long is broken.

    Args:
        rules: The rules to try.
        subject: The block; `can_travel` must hold for it.

    Returns:
        One result for each rule, in order.
    """
    results: list[Result] = []
    attempts, patience = 0, PATIENCE
    while len(results) < len(rules):
        if attempts == ATTEMPTS:
            reason = f"not tried: the block ended or blocked {ATTEMPTS} processes"
            return [*results, *(Result(rule, "skipped", reason) for rule in rules[len(results) :])]
        attempts += 1
        left = rules[len(results) :]
        answers, lost = _Worker.current().ask(left, subject, patience)
        results += [Result(rule, *answer) for rule, answer in zip(left, answers, strict=False)]
        if lost == ABSENT:
            return [*results, *(try_rule(rule, subject) for rule in left)]
        if lost:
            results.append(Result(left[len(answers)], "failed", lost))
            patience = PATIENCE_AGAIN if lost.startswith(LATE) else patience
    return results


class _Worker:
    """The child process that tries rules, started when it is first needed."""

    _only: _Worker | None = None

    def __init__(self) -> None:
        words = [sys.executable, "-P", "-c", SERVE]
        path = os.pathsep.join(entry for entry in sys.path if os.path.exists(entry))
        environment = {**os.environ, "PYTHONPATH": path}
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.answers: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    @classmethod
    def current(cls) -> _Worker:
        """The running process, or a new one."""
        if cls._only is None or cls._only.process.poll() is not None:
            cls._only = cls()
            atexit.register(cls._only.stop)
        return cls._only

    def ask(self, rules: Sequence[Rule], subject: Subject, patience: float) -> tuple[list[Answer], str]:
        """Answers to the rules, in order, and the reason why the next rule has none (empty if all have one)."""
        request = pickle.dumps((list(sys.path), _pack((subject, [rule.name for rule in rules]))))
        answers: list[Answer] = []
        try:
            assert self.process.stdin is not None
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            for _ in rules:
                answer = self.answers.get(timeout=patience)
                if answer is None:
                    return answers, _describe_end(self.process.wait())
                if answer == ABSENT:
                    return answers, ABSENT
                answers.append(answer)
        except Empty:
            self.stop()
            return answers, f"{LATE} within {patience:.0f} s"
        except OSError:
            self.stop()
            return answers, ABSENT
        except BaseException:  # Ctrl-C: a late answer would be taken for the answer to the next request
            self.stop()
            raise
        return answers, ""

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _listen(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(Exception):
            while True:
                self.answers.put(pickle.load(stream))
        self.answers.put(None)


def serve() -> None:
    """Read requests from stdin and write answers to stdout until stdin ends; runs in the child process."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a block prints goes to stderr and is not taken for an answer
    sys.stdout = sys.stderr
    _limit_memory()
    from foveate.plugins.conformance.rules import RULES  # late: the caller does not need what it imports

    rules = {rule.name: rule for rule in RULES}
    requests = sys.stdin.buffer
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        for answer in _answers(request, rules):
            pickle.dump(answer, answers)
            answers.flush()


def _answers(request: bytes, rules: Mapping[str, Rule]) -> Iterator[Answer | str]:
    path, rest = pickle.loads(request)
    sys.path[:] = path
    try:
        subject, names = _unpack(rest)
    except Exception:  # importing a plugin's module may raise anything
        yield ABSENT
        return
    for name in names:
        result = try_rule(rules[name], subject)
        yield result.outcome, result.detail


def _describe_end(code: int) -> str:
    if code >= 0:
        return f"{ENDED} with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{ENDED}: {name}"


def _limit_memory() -> None:
    """Limit the memory of this process, so that a block fails here before the machine runs out of memory."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


class _Packer(pickle.Pickler):
    """Pickles classes and functions with the file of their module, for a process that cannot import it by name."""

    def persistent_id(self, obj: object) -> tuple[str, str, str] | None:
        if not isinstance(obj, type) and type(obj).__name__ != "function":
            return None
        module = sys.modules.get(str(getattr(obj, "__module__", "")))
        file, name = getattr(module, "__file__", None), str(getattr(obj, "__qualname__", ""))
        if module is None or _attribute(module, name) is not obj:
            return None  # pickle's own error explains it
        if module.__name__ == "__main__":
            raise pickle.PicklingError(f"{name} is defined in a script or notebook")
        if file is None:
            return None
        return module.__name__, file, name


class _Unpacker(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        module, file, name = pid
        return _attribute(_import(module, file), name)


def _pack(value: object) -> bytes:
    buffer = io.BytesIO()
    _Packer(buffer).dump(value)
    return buffer.getvalue()


def _unpack(value: bytes) -> Any:
    return _Unpacker(io.BytesIO(value)).load()


def _attribute(module: object, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


def _import(name: str, file: str) -> Any:
    with contextlib.suppress(ImportError):
        found = importlib.import_module(name)
        if getattr(found, "__file__", None) == file:
            return found
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    for depth in range(1, name.count(".") + 1):  # unpickling imports parent packages too
        package = ".".join(name.split(".")[:depth])
        sys.modules.setdefault(package, ModuleType(package))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
