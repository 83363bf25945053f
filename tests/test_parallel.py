"""Threads, fork, Ctrl-C."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import pylearn
from pylearn import ops

HOME = os.path.dirname(os.path.dirname(pylearn.__file__))
LIMIT = 60  # seconds; a hang is what is looked for


def python(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": HOME, "PYTHONSAFEPATH": "1", **env},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


@pytest.fixture(autouse=True)
def _restore_threads():
    before = pylearn.num_threads()
    yield
    pylearn.set_num_threads(before)


def test_number_of_threads() -> None:
    for n in (1, 2, 7, 256):
        pylearn.set_num_threads(n)
        assert pylearn.num_threads() == n == pylearn._core.info()["threads"]
    for n in (0, -1, 257, 2**62):
        with pytest.raises(ValueError, match="'n'"):
            pylearn.set_num_threads(n)
    for n in ("2", None, 1.5, True):
        with pytest.raises(TypeError, match="'n'"):
            pylearn.set_num_threads(n)


def test_environment_sets_the_number() -> None:
    for value in ("1", "3"):
        assert (
            python("import pylearn; print(pylearn.num_threads())", PYLEARN_NUM_THREADS=value).stdout.strip()
            == value
        )
    for nonsense in ("0", "-2", "many", "", "99999999999999999999"):
        done = python("import pylearn; print(pylearn.num_threads())", PYLEARN_NUM_THREADS=nonsense)
        assert done.returncode == 0 and int(done.stdout) >= 1, done.stderr


FORK = """
    import os, sys, threading
    import numpy as np, pylearn
    from pylearn import ops
    pylearn.set_num_threads(3)
    a = np.random.default_rng(0).standard_normal((400, 400))
    want = ops.matmul(a, a)                        # the pool's threads are running
    def child():
        pid = os.fork()
        if pid == 0:
            ok = np.array_equal(ops.matmul(a, a), want) and np.array_equal(ops.exp(a), np.asarray(ops.exp(a)))
            again = os.fork()
            if again == 0:
                os._exit(0 if np.array_equal(ops.matmul(a, a), want) else 4)
            ok = ok and os.waitstatus_to_exitcode(os.waitpid(again, 0)[1]) == 0
            os._exit(0 if ok else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_fork_after_parallel_work() -> None:
    done = python(FORK + "    child()\n    assert np.array_equal(ops.matmul(a, a), want)\n    print('ok')")
    assert done.stdout == "ok\n", done.stderr


def test_fork_from_a_thread_while_others_work() -> None:
    done = python(
        FORK
        + """
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            ops.matmul(a, a)
            ops.sum(np.ones(100_000))
    workers = [threading.Thread(target=busy) for _ in range(2)]
    for w in workers: w.start()
    failed = []
    def forker():
        try:
            for _ in range(5): child()
        except BaseException as error:
            failed.append(error)
    t = threading.Thread(target=forker); t.start(); t.join()
    stop.set()
    for w in workers: w.join()
    assert not failed, failed
    print('ok')
    """
    )
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import multiprocessing
        import numpy as np, pylearn
        from pylearn import ops
        def work(n):
            return float(ops.sum(ops.matmul(np.ones((n, n)), np.ones((n, n)))))
        if __name__ == "__main__":
            pylearn.set_num_threads(2)
            work(300)
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(work, [200, 300]) == [200.0**3, 300.0**3])
        """)
    )
    env = {**os.environ, "PYTHONPATH": HOME, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize(
    "work",
    [
        "ops.matmul(a, a)",
        "ops.matmul(big, big)",
        "ops.exp(b)",
        "step(a)",
    ],
    ids=["matmul", "one long matmul", "exp", "replay"],
)
def test_ctrl_c(work: str) -> None:
    """SIGINT ends a loop of kernels as KeyboardInterrupt within half a second, and the package still works."""
    code = f"""
        import time
        import numpy as np, pylearn
        from pylearn import ops
        a, b = np.ones((600, 600)), np.ones(3_000_000)
        big = np.ones((3500, 3500)) if "big" in {work!r} else None
        step = pylearn.capture(lambda x: ops.sum(ops.matmul(ops.matmul(x, x), ops.matmul(x, x))))
        for _ in range(4): step(a)
        print("ready", flush=True)
        try:
            while True:
                {work}
        except KeyboardInterrupt:
            print(time.time(), flush=True)
        assert np.allclose(ops.matmul(a, a), 600)
        print("usable", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": HOME, "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    lines = out.split()
    assert lines[-1:] == ["usable"], err
    assert float(lines[0]) - sent < 0.5


def test_an_update_in_place_is_whole_or_not_begun() -> None:
    """Ctrl-C in a loop of updates: every element has seen the same number of them."""
    code = """
        import numpy as np, pylearn
        from pylearn import ops
        p, g = np.zeros(2_000_000), np.ones(2_000_000)
        print("ready", flush=True)
        try:
            while True:
                ops.sgd_update(p, g, lr=1.0)
        except KeyboardInterrupt:
            pass
        print(p.min() == p.max() and p.max() < 0, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": HOME, "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert out.strip() == "True", err


def test_eight_threads_of_mixed_calls() -> None:
    """Shared and separate arrays, kernels of all sizes, one pool: results as from one thread."""
    pylearn.set_num_threads(3)
    shared = np.random.default_rng(0).standard_normal((200, 200))
    f = pylearn.capture(lambda x: ops.sum(ops.tanh(x)))

    def calls(k: int) -> list:
        own = np.random.default_rng(k).standard_normal((60, 80)).astype(np.float32)
        y = [ops.matmul(shared, shared), ops.softmax(own), ops.sum(shared, axis=k % 2), ops.exp(own[::2])]
        y += [
            ops.conv2d(own.reshape(1, 60, 80, 1), np.ones((3, 3, 1, 2), np.float32)),
            ops.sum(np.ones(70_000 + k)),
        ]
        y += [pylearn.grad(lambda x: ops.sum(ops.tanh(x @ x.T)))(own), np.asarray(f(own))]
        return [np.asarray(v) for v in y]

    want = [[v.tobytes() for v in calls(k)] for k in range(8)]
    wrong: list = []

    def work(k: int) -> None:
        try:
            for _ in range(40):
                if [v.tobytes() for v in calls(k)] != want[k]:
                    wrong.append(k)
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(LIMIT)
    assert not any(t.is_alive() for t in threads)
    assert not wrong, wrong[:5]


def test_kernels_release_the_gil() -> None:
    """Another Python thread makes progress while a long product runs."""
    a = np.ones((1500, 1500))
    ticks = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0.0005)

    pylearn.set_num_threads(1)
    t = threading.Thread(target=count)
    t.start()
    time.sleep(0.05)
    before = ticks
    ops.matmul(a, a)
    during = ticks - before
    stop.set()
    t.join()
    assert during >= 3


def test_exit_during_work() -> None:
    """A daemon thread inside a kernel does not keep the interpreter from ending."""
    done = python(
        """
        import threading, time
        import numpy as np
        from pylearn import ops
        a = np.ones((500, 500))
        def busy():
            while True:
                ops.matmul(a, a)
        for _ in range(3):
            threading.Thread(target=busy, daemon=True).start()
        time.sleep(0.2)
        print("end", flush=True)
        """
    )
    assert done.stdout == "end\n" and done.returncode == 0, done.stderr


def test_beside_other_pools() -> None:
    """With torch's and NumPy's threads in the same process, in both orders."""
    pytest.importorskip("torch", reason="torch is not installed")
    for first, second in (("torch", "pylearn"), ("pylearn", "torch")):
        done = python(
            f"""
            import {first}, {second}, torch, pylearn
            import numpy as np
            a = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
            for _ in range(3):
                x = pylearn.ops.matmul(a, a)
                y = (torch.tensor(a) @ torch.tensor(a)).numpy()
                assert np.allclose(x, y, atol=1e-3) and np.allclose(x, a @ a, atol=1e-3)
            print("ok")
            """
        )
        assert done.stdout == "ok\n", done.stderr
