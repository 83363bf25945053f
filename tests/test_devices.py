"""Devices: where Tensors lie, how they are moved, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_checks import needs_gpu

import pylearn
from pylearn import devices, ops

USABLE = pylearn.device_report()["usable"]


def test_the_cpu_is_the_default() -> None:
    assert devices.current_device() == "cpu"
    assert pylearn.asarray([1.0]).device == "cpu"
    with pylearn.device("cpu") as name:
        assert name == "cpu"
    assert devices.is_available("cpu") and not devices.is_available("tpu")
    pylearn.synchronize()  # nothing to wait for


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="'cpu', 'cuda' or 'auto'"), pylearn.device("gpu"):
        pass
    with pytest.raises(ValueError, match=r"\[to\] argument 'device'"):
        pylearn.asarray([1.0]).to("tpu")
    with pytest.raises(TypeError, match="must be a string"):
        pylearn.asarray([1.0]).to(0)


@pytest.mark.skipif(USABLE, reason="there is a GPU")
def test_an_absent_gpu_is_told_with_the_reason() -> None:
    why = pylearn.device_report()["why"]
    assert why
    with pytest.raises(RuntimeError) as error:
        pylearn.asarray([1.0]).to("cuda")
    assert why in str(error.value)
    with pytest.raises(RuntimeError, match="'cuda' is not available"), pylearn.device("cuda"):
        pass
    with pylearn.device("auto") as name:
        assert name == "cpu"
    assert devices.current_device() == "cpu"


@pytest.mark.gpu
@needs_gpu[1]
class TestGpu:
    def test_there_and_back(self) -> None:
        x = np.arange(12, dtype="float32").reshape(3, 4)
        t = pylearn.asarray(x).to("cuda")
        assert t.device == "cuda" and t.shape == (3, 4)
        assert np.array_equal(t.numpy(), x) and np.array_equal(t.T.to("cpu").numpy(), x.T)
        assert t.to("cuda") is not None and t.to("cpu").device == "cpu"
        assert float(t[1, 2]) == 6.0 and t[:, 1].device == "cuda"

    def test_new_arrays_follow_the_context(self) -> None:
        with pylearn.device("cuda"):
            assert pylearn.asarray([1.0, 2.0]).device == "cuda"
            assert ops.add(np.ones(2), np.ones(2)).tolist() == [2.0, 2.0]  # NumPy in, NumPy out
        assert pylearn.asarray([1.0]).device == "cpu"

    def test_numbers_and_arrays_join_the_tensors(self) -> None:
        t = pylearn.asarray([1.0, 2.0]).to("cuda")
        for y in (t + 1, 1 + t, t * np.ones(2), np.ones(2) * t, ops.maximum(1.5, t), [0.0, 0.0] + t):
            assert y.device == "cuda"

    def test_tensors_of_two_devices_do_not_mix(self) -> None:
        a, b = pylearn.asarray([1.0]), pylearn.asarray([1.0]).to("cuda")
        with pytest.raises(ValueError, match=r"is on '.*', the others are on '.*': move it with \.to"):
            ops.add(a, b)
        with pytest.raises(ValueError, match=r"move it with \.to"):
            _ = b + a

    def test_gradients_flow_back_through_a_move(self) -> None:
        g = pylearn.grad(lambda x: ops.sum(ops.square(x.to("cuda"))).to("cpu"))(np.array([1.0, 3.0]))
        assert isinstance(g, np.ndarray) or g.device == "cpu"
        assert np.array_equal(np.asarray(g), [2.0, 6.0])

    def test_assignment(self) -> None:
        t = pylearn.asarray(np.zeros((2, 3))).to("cuda")
        t[0] = 1.0
        t[:, [0, 2]] = np.full((2, 2), 5.0)
        assert np.array_equal(t.numpy(), [[5, 1, 5], [5, 0, 5]])

    def test_random_numbers_are_the_cpus(self) -> None:
        pylearn.random.seed(3)
        want = [pylearn.random.uniform((5,)).numpy(), pylearn.random.permutation(7).numpy()]
        pylearn.random.seed(3)
        with pylearn.device("cuda"):
            got = [pylearn.random.uniform((5,)).numpy()]
        got.append(pylearn.random.permutation(7).numpy())
        assert all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))

    def test_bad_ids_are_told(self) -> None:
        table = pylearn.asarray(np.zeros((3, 2))).to("cuda")
        with pytest.raises(IndexError, match="out of range"):
            ops.take(table, np.array([0, 5]), 0)
        assert ops.take(table, np.array([0, 2]), 0).shape == (2, 2)

    def test_dlpack(self) -> None:
        t = pylearn.asarray([1.0, 2.0]).to("cuda")
        assert t.__dlpack_device__() == (2, 0)
        again = pylearn.from_dlpack(t)
        assert again.device == "cuda" and again.tolist() == [1.0, 2.0]

    def test_what_is_missing_is_named(self) -> None:
        names = pylearn.device_report()["missing"]
        assert {name.split(".")[0] for name in names} <= {"decomp"}  # and no other op may be skipped
        with pytest.raises(RuntimeError, match=r"'cholesky.*has no cuda version"):
            ops.cholesky(pylearn.asarray(np.eye(2)).to("cuda"))
