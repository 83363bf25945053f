import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from pylearn import files


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    files.write_bytes(path, b"old")
    files.write_bytes(path, memoryview(b"new"))
    assert path.read_bytes() == b"new"
    files.write_text(path, "größer\n")
    assert path.read_text(encoding="utf-8") == "größer\n"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_midway_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), files.atomic_open(path) as file:
        file.write(b"half of the ne")
        file.flush()
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_failing_system_call_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_permissions_are_kept_and_new_files_follow_umask(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    files.write_bytes(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    old = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "b.bin", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b.bin").stat().st_mode) == 0o640


def test_symbolic_link_is_followed(tmp_path):
    (tmp_path / "real.bin").write_bytes(b"old")
    link = tmp_path / "link.bin"
    link.symlink_to("real.bin")
    files.write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="mode must be"), files.atomic_open(tmp_path / "a", "a"):
        pass
    with pytest.raises(IsADirectoryError):
        files.write_bytes(tmp_path, b"")
    with pytest.raises(FileNotFoundError):
        files.write_bytes(tmp_path / "none" / "a", b"")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_while_writing_leaves_a_whole_file(tmp_path):
    """Ten kills at different moments: the file always holds one of the contents, whole."""
    path = tmp_path / "a.bin"
    files.write_bytes(path, b"0" * 300_000)
    script = textwrap.dedent(f"""
        from pylearn import files
        print("ready", flush=True)
        for i in range(100_000):
            files.write_bytes({str(path)!r}, bytes([48 + i % 10]) * 300_000)
    """)
    for round_ in range(10):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=tmp_path)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.004 * round_)
        child.kill()
        child.wait()
        child.stdout.close()
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
