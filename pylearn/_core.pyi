# Written by cpp/bindings/stubs.py with pybind11-stubgen 3.0.0: do not edit.
"""
The compiled core of pylearn: tensors, ops, autograd, capture.
"""
from __future__ import annotations
import collections.abc
import numpy.typing
import numpy as np
import typing
__all__: list[str] = ['Plan', 'PlanState', 'Tensor', 'Update', 'Vocabulary', 'abandon_recording', 'abs', 'absolute_error', 'adadelta_update', 'adagrad_update', 'adam_update', 'adamax_update', 'adaptive_avg_pool2d', 'adaptive_max_pool2d', 'add', 'all', 'any', 'arccos', 'arcsin', 'arctan', 'arctan2', 'argmax', 'argmin', 'argsort', 'asarray', 'assign', 'assign_add', 'avg_pool1d', 'avg_pool2d', 'batch_norm', 'batch_norm_backward', 'batch_norm_inference', 'binary_cross_entropy', 'bincount', 'broadcast_to', 'cast', 'ceil', 'cholesky', 'clip', 'concatenate', 'conv1d', 'conv1d_transpose', 'conv2d', 'conv2d_backward', 'conv2d_transpose', 'copy', 'copysign', 'cos', 'cosh', 'count_numbers', 'csr_matmul', 'cuda_info', 'cumsum', 'current_device', 'default_generator', 'depthwise_conv2d', 'det', 'detach', 'diag', 'diagonal', 'digamma', 'divide', 'dropout', 'eigh', 'elu', 'embedding', 'embedding_backward', 'embedding_backward_sparse', 'enter_grad', 'equal', 'erf', 'erfc', 'exit_grad', 'exp', 'expand_dims', 'expm1', 'flip', 'floor', 'floor_divide', 'fma_peak', 'fmod', 'from_dlpack', 'gelu', 'global_avg_pool1d', 'global_avg_pool2d', 'global_max_pool1d', 'global_max_pool2d', 'grad_enabled', 'grad_scope', 'gradients', 'gram', 'greater', 'greater_equal', 'group_norm', 'group_norm_backward', 'gru', 'gru_backward', 'gru_cell', 'hard_sigmoid', 'huber', 'hypot', 'info', 'inv', 'is_recording', 'isfinite', 'isinf', 'isnan', 'layer_norm', 'layer_norm_backward', 'leaky_relu', 'less', 'less_equal', 'lgamma', 'linear', 'linear_backward', 'lion_update', 'log', 'log10', 'log1p', 'log2', 'log_softmax', 'log_softmax_backward', 'logaddexp', 'logdet', 'logical_and', 'logical_not', 'logical_or', 'logical_xor', 'logits_of', 'logsumexp', 'lstm', 'lstm_backward', 'lstm_cell', 'lstm_cell_backward', 'lstsq', 'make_generator', 'matmul', 'matmul_backward', 'matmul_bf16', 'max', 'max_pool1d', 'max_pool2d', 'maximum', 'mean', 'memory', 'min', 'minimum', 'move_to_device', 'multiply', 'nadam_update', 'negative', 'no_grad', 'not_equal', 'num_threads', 'one_hot', 'op_names', 'pad', 'pinv', 'pixel_shuffle', 'pixel_unshuffle', 'pointwise_loss', 'pointwise_loss_backward', 'power', 'prod', 'qr', 'random_draw', 'random_integers', 'random_seed', 'reciprocal', 'relu', 'remainder', 'reshape', 'resize2d', 'rms_norm', 'rms_norm_backward', 'rmsprop_update', 'round', 'rsqrt', 'scaled_dot_product_attention', 'scaled_dot_product_attention_backward', 'searchsorted', 'selu', 'set_device', 'set_fusion', 'set_num_threads', 'sgd_update', 'sigmoid', 'sign', 'silu', 'simple_rnn', 'simple_rnn_backward', 'simple_rnn_cell', 'sin', 'sinh', 'slice', 'slogdet', 'softmax', 'softmax_backward', 'softmax_cross_entropy', 'softmax_cross_entropy_backward', 'softplus', 'softsign', 'solve', 'solve_triangular', 'sort', 'sparse_adagrad_update', 'sparse_adam_update', 'sparse_sgd_update', 'split', 'sqrt', 'square', 'squared_error', 'squeeze', 'stack', 'std', 'stop_gradient', 'stream', 'subtract', 'sum', 'svd', 'synchronize', 'take', 'take_along_axis', 'tan', 'tanh', 'topk', 'trace', 'transpose', 'tril', 'trim_memory', 'triu', 'trunc', 'upsample1d', 'upsample2d', 'var', 'watch', 'watch_parameter', 'where']
class Tensor:
    """
    An array that ops can be recorded on.

    Made with pylearn.asarray from NumPy arrays (sharing their memory), lists and numbers. Ops follow NumPy's broadcasting and type promotion; Python numbers take the type of the array beside them.
    """
    __array_priority__: typing.ClassVar[int] = 1000
    name: str
    def __abs__(self) -> Tensor:
        ...
    def __add__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __and__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __array__(self, dtype: typing.Any = None, copy: typing.Any = None) -> typing.Any:
        ...
    def __array_ufunc__(self, ufunc: typing.Any, method: str, *inputs: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """
        ``np.exp(tensor)``, ``ndarray @ tensor``: the op of that name, so that gradients are kept.
        """
    def __bool__(self) -> bool:
        ...
    def __copy__(self) -> Tensor:
        ...
    def __deepcopy__(self, arg0: typing.Any) -> Tensor:
        ...
    def __dlpack__(self, *, stream: typing.Any = None, max_version: typing.Any = None, dl_device: typing.Any = None, copy: typing.Any = None) -> typing.Any:
        ...
    def __dlpack_device__(self) -> tuple[int, int]:
        ...
    def __eq__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __float__(self) -> float:
        ...
    def __floordiv__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __format__(self, arg0: str) -> typing.Any:
        ...
    def __ge__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __getitem__(self, arg0: typing.Any) -> Tensor:
        ...
    def __getstate__(self) -> tuple[np.ndarray, str]:
        ...
    def __gt__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, x: typing.Any, dtype: typing.Any = None) -> None:
        ...
    def __int__(self) -> int:
        ...
    def __invert__(self) -> Tensor:
        ...
    def __iter__(self) -> collections.abc.Iterator:
        ...
    def __le__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __len__(self) -> int:
        ...
    def __lt__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __matmul__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __mod__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __mul__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __ne__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __neg__(self) -> Tensor:
        ...
    def __or__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __pos__(self) -> Tensor:
        ...
    def __pow__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __radd__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rand__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __repr__(self) -> str:
        ...
    def __rfloordiv__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rmatmul__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rmod__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rmul__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __ror__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rpow__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rsub__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rtruediv__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __rxor__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __setitem__(self, arg0: typing.Any, arg1: typing.Any) -> None:
        ...
    def __setstate__(self, arg0: tuple) -> None:
        ...
    def __sub__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __truediv__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __xor__(self, arg0: typing.Any) -> typing.Any:
        ...
    def all(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def any(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def argmax(self, axis: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def argmin(self, axis: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def astype(self, dtype: typing.Any) -> Tensor:
        ...
    def backward(self) -> None:
        ...
    def copy(self) -> Tensor:
        ...
    def flatten(self) -> Tensor:
        ...
    def item(self) -> typing.Any:
        """
        The one element as a Python number.
        """
    def max(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def mean(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def min(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def numpy(self) -> np.ndarray:
        """
        A NumPy view of the same memory; a copy of what lies on a device.
        """
    def prod(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def ravel(self) -> Tensor:
        ...
    def reshape(self, *args) -> Tensor:
        ...
    def squeeze(self, axis: typing.Any = None) -> Tensor:
        ...
    def std(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, ddof: typing.SupportsFloat | typing.SupportsIndex = 0.0, keepdims: bool = False) -> Tensor:
        ...
    def sum(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, keepdims: bool = False) -> Tensor:
        ...
    def to(self, device: typing.Any) -> Tensor:
        ...
    def tolist(self) -> typing.Any:
        ...
    def transpose(self, *args) -> Tensor:
        ...
    def var(self, axis: typing.Any = None, dtype: typing.Any = None, out: typing.Any = None, ddof: typing.SupportsFloat | typing.SupportsIndex = 0.0, keepdims: bool = False) -> Tensor:
        ...
    @property
    def T(self) -> Tensor:
        ...
    @property
    def device(self) -> str:
        ...
    @property
    def dtype(self) -> np.dtype[typing.Any]:
        ...
    @property
    def mT(self) -> Tensor:
        ...
    @property
    def nbytes(self) -> int:
        ...
    @property
    def ndim(self) -> int:
        ...
    @property
    def readonly(self) -> bool:
        ...
    @property
    def shape(self) -> tuple:
        ...
    @property
    def size(self) -> int:
        ...
    @property
    def strides(self) -> tuple:
        """
        Bytes from one element to the next along each axis.
        """
class grad_scope:
    """
    Context in which ops on watched tensors are recorded; scopes nest.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, *args) -> None:
        ...
    def __init__(self) -> None:
        ...
class no_grad:
    """
    Context in which nothing is recorded for gradients.
    """
    def __enter__(self) -> None:
        ...
    def __exit__(self, *args) -> None:
        ...
    def __init__(self) -> None:
        ...
class PlanState:
    pass
class Plan:
    """
    A recorded step. begin(inputs) gives fixed places holding copies; what is computed from them until end(outputs) is written down; run() repeats it.
    """
    def __init__(self) -> None:
        ...
    def begin(self, inputs: collections.abc.Iterable) -> list[Tensor]:
        ...
    def check(self) -> None:
        """
        Raises what kernels of earlier runs met: on a device, run_rows does not wait for it.
        """
    def end(self, outputs: collections.abc.Iterable) -> str:
        """
        '' when the plan can be run, else why not.
        """
    def profile(self, rounds: typing.SupportsInt | typing.SupportsIndex = 9) -> list[tuple[str, float]]:
        """
        (kernel, seconds) of each launch, in order: medians of so many runs on the inputs of the last one, whose effects on weights and counters are undone. ValueError for rounds outside [1, 1000].
        """
    def restore_state(self, state: PlanState) -> None:
        ...
    def run(self, inputs: collections.abc.Iterable, copy: bool = True) -> list[Tensor]:
        ...
    def run_rows(self, sources: collections.abc.Iterable, index: typing.Any, begin: typing.SupportsInt | typing.SupportsIndex, end: typing.SupportsInt | typing.SupportsIndex) -> list[Tensor]:
        """
        Feed rows index[begin:end] of the sources and run; the outputs are not copied.
        """
    def run_steps(self, sources: collections.abc.Iterable, index: typing.Any, begin: typing.SupportsInt | typing.SupportsIndex, count: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        On a device: that many batches of rows index[begin:] of the sources, as one graph.
        """
    def save_state(self, at_most: typing.SupportsInt | typing.SupportsIndex = -1) -> PlanState:
        """
        A copy of everything outside that the step writes; of arrays up to `at_most` bytes, if that is given.
        """
    def state_equals(self, state: PlanState) -> bool:
        """
        Is it now what it was then, bit for bit?
        """
    def swap_state(self, state: PlanState) -> None:
        """
        What is now and what was then change places.
        """
    @property
    def launches(self) -> list[str]:
        """
        The kernels called, in order.
        """
    @property
    def memory(self) -> int:
        """
        Bytes of the step's own memory.
        """
    @property
    def state_size(self) -> int:
        """
        Bytes of everything outside that the step writes.
        """
class Update:
    """
    One fused optimizer update of many parameters (kind 'sgd', 'adam', 'adagrad', ...). Construction moves the parameters into one arena; gradients are written to .grads; .apply() is one launch.
    """
    def __init__(self, kind: str, params: collections.abc.Iterable, hyper: dict = {}) -> None:
        ...
    def apply(self, loss: typing.Any = None) -> None:
        """
        Update every parameter from .grads; skipped when a gradient or loss is not finite.
        """
    def load_state(self, state: dict) -> None:
        ...
    def set_segment(self, i: typing.SupportsInt | typing.SupportsIndex, rate: typing.SupportsFloat | typing.SupportsIndex = 1.0, decay: typing.SupportsFloat | typing.SupportsIndex = 0.0, frozen: bool = False) -> None:
        ...
    def state(self) -> dict:
        """
        Copies: step, rate, with accumulation the gradients waiting, and each slot as 'm/0', ...
        """
    @property
    def finite(self) -> bool:
        ...
    @property
    def grads(self) -> list[Tensor]:
        ...
    @property
    def rate(self) -> float:
        ...
    @rate.setter
    def rate(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def skipped(self) -> int:
        ...
    @skipped.setter
    def skipped(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def slots(self) -> dict:
        ...
    @property
    def step(self) -> int:
        ...
    @step.setter
    def step(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def waiting(self) -> int:
        ...
    @waiting.setter
    def waiting(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
class Vocabulary:
    """
    Words in the order they were first seen, counted. Texts are strings or lists of words; separators are ASCII characters.
    """
    def __init__(self) -> None:
        ...
    def add(self, words: typing.Any, counts: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], documents: typing.Annotated[numpy.typing.ArrayLike, numpy.int64]) -> None:
        """
        Add words counted elsewhere.
        """
    def by_count(self) -> numpy.typing.NDArray[numpy.int64]:
        """
        Positions of the words, most frequent first, then first seen.
        """
    def count(self, texts: typing.Any, separators: str, lower: bool, characters: bool) -> None:
        """
        Count the words of these documents. TypeError for anything but text.
        """
    def counts(self) -> numpy.typing.NDArray[numpy.int64]:
        ...
    def documents(self) -> numpy.typing.NDArray[numpy.int64]:
        ...
    def encode(self, texts: typing.Any, separators: str, lower: bool, characters: bool, limit: typing.SupportsInt | typing.SupportsIndex, other: typing.Any) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.int64]]:
        """
        (numbers, starts): of document d, numbers[starts[d]:starts[d + 1]]. A word that is unknown, or whose number is `limit` or more (0: no limit), becomes `other`, or is left out.
        """
    def encode_lists(self, texts: typing.Any, separators: str, lower: bool, characters: bool, limit: typing.SupportsInt | typing.SupportsIndex, other: typing.Any) -> list:
        """
        encode, as a list of integers for each document.
        """
    def set_numbers(self, numbers: typing.Annotated[numpy.typing.ArrayLike, numpy.int64]) -> None:
        """
        The number of each word, for encode.
        """
    def words(self) -> list:
        ...
def abandon_recording(why: str) -> None:
    ...
def abs(x, *, out = None) -> typing.Any:
    """
    |x|; its slope at 0 is 0.
    """
def absolute_error(x1, x2, *, out = None) -> typing.Any:
    """
    |x1 - x2|; shapes must agree.
    """
def adadelta_update(p, g, accumulated_grad, accumulated_delta, lr = 0.001, rho = 0.95, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One Adadelta step (Zeiler 2012) on p and both slots in place.
    """
def adagrad_update(p, g, accumulator, lr = 0.001, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One Adagrad step (Duchi et al. 2011) on p and accumulator in place.
    """
def adam_update(p, g, m, v, step, lr = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07, weight_decay = 0.0, decoupled = False, vhat = None) -> typing.Any:
    """
    One Adam step (Kingma & Ba 2014) on p, m and v in place; step counts from 1. With vhat AMSGrad (Reddi et al. 2018).
    """
def adamax_update(p, g, m, u, step, lr = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One Adamax step (Kingma & Ba 2014, section 7) on p, m and u in place; step counts from 1.
    """
def adaptive_avg_pool2d(x, output_size, *, out = None) -> typing.Any:
    """
    Mean of windows chosen so that images (N, H, W, C) become (N, *output_size, C).
    """
def adaptive_max_pool2d(x, output_size, *, out = None) -> typing.Any:
    """
    Largest of windows chosen so that images (N, H, W, C) become (N, *output_size, C).
    """
def add(x1, x2, *, out = None) -> typing.Any:
    """
    x1 + x2.
    """
def all(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Is everything not 0 over the axes?
    """
def any(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Is anything not 0 over the axes?
    """
def arccos(x, *, out = None) -> typing.Any:
    """
    Inverse cosine, in radians.
    """
def arcsin(x, *, out = None) -> typing.Any:
    """
    Inverse sine, in radians.
    """
def arctan(x, *, out = None) -> typing.Any:
    """
    Inverse tangent, in radians.
    """
def arctan2(x1, x2, *, out = None) -> typing.Any:
    """
    Angle of the point (x2, x1), in radians.
    """
def argmax(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Position of the first largest along the axis; over the flat array by default.
    """
def argmin(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Position of the first smallest along the axis; over the flat array by default.
    """
def argsort(x, axis = -1, descending = False, *, out = None) -> typing.Any:
    """
    The positions that sort x along the axis; equal elements stay in order.
    """
def asarray(x: typing.Any, dtype: typing.Any = None, copy: bool = False) -> Tensor:
    """
    A Tensor over x's memory where that is possible, else over a copy.
    """
def assign(dst, value) -> typing.Any:
    """
    Write value, broadcast, into dst in place; returns dst.
    """
def assign_add(dst, value) -> typing.Any:
    """
    Add value, broadcast, to dst in place; returns dst.
    """
def avg_pool1d(x, pool_size = 2, strides = None, padding = 'valid', *, out = None) -> typing.Any:
    """
    Mean of each window of sequences (N, T, C), over what is in the sequence.
    """
def avg_pool2d(x, pool_size = 2, strides = None, padding = 'valid', *, out = None) -> typing.Any:
    """
    Mean of each window of images (N, H, W, C), over what is in the image.
    """
def batch_norm(x, gamma = None, beta = None, epsilon = 0.001, activation = None) -> typing.Any:
    """
    (y, mean, var): each channel of x (batch, ..., C) over all other axes, biased variance.
    """
def batch_norm_backward(dy, x, gamma, beta, mean, var, epsilon = 0.001, activation = None, training = True) -> typing.Any:
    """
    Gradients (dx, dgamma, dbeta) of batch_norm, or with training=False of batch_norm_inference.
    """
def batch_norm_inference(x, gamma, beta, mean, var, epsilon = 0.001, activation = None, *, out = None) -> typing.Any:
    """
    activation(gamma (x - mean) / sqrt(var + epsilon) + beta) with the statistics given.
    """
def binary_cross_entropy(logits, targets, *, out = None) -> typing.Any:
    """
    max(z, 0) - z t + log(1 + exp(-|z|)), elementwise, from logits z; shapes must agree.
    """
def bincount(x, weights = None, length = None, *, out = None) -> typing.Any:
    """
    How often each id below `length` occurs, or the sum of its weights; up to the largest id by default.
    """
def broadcast_to(x, shape, *, out = None) -> typing.Any:
    """
    x repeated to a shape; a view.
    """
def cast(x, dtype, *, out = None) -> typing.Any:
    """
    x as another type; float to integer truncates and saturates.
    """
def ceil(x, *, out = None) -> typing.Any:
    """
    Smallest integer not below x.
    """
def cholesky(a, upper = False, *, out = None) -> typing.Any:
    """
    L of A = L L' (or U of U'U), A symmetric positive definite; reads that triangle of A only. The gradient is symmetric.
    """
def clip(x, min = None, max = None, *, out = None) -> typing.Any:
    """
    min(max(x, min), max); give one bound or both.
    """
def concatenate(xs, axis = 0, *, out = None) -> typing.Any:
    """
    Joined along an axis.
    """
def conv1d(x, w, b = None, strides = 1, padding = 'valid', dilation = 1, groups = 1, activation = None, *, out = None) -> typing.Any:
    """
    activation(convolution + b) of sequences x (N, T, C) with kernels w (K, C / groups, F). padding is 'valid', 'same', 'causal', an integer or (before, after).
    """
def conv1d_transpose(x, w, b = None, strides = 1, padding = 'valid', output_padding = None, dilation = 1, activation = None, *, out = None) -> typing.Any:
    """
    The adjoint of conv1d: x (N, T, C), w (K, F, C).
    """
def conv2d(x, w, b = None, strides = 1, padding = 'valid', dilation = 1, groups = 1, activation = None, *, out = None) -> typing.Any:
    """
    activation(convolution + b) of images x (N, H, W, C) with kernels w (KH, KW, C / groups, F). padding is 'valid', 'same', an integer or ((top, bottom), (left, right)); activation None, 'relu', 'sigmoid' or 'tanh'.
    """
def conv2d_backward(dy, x, w, strides = 1, padding = 'valid', dilation = 1, groups = 1) -> typing.Any:
    """
    Gradients (dx, dw, db) of conv2d without activation.
    """
def conv2d_transpose(x, w, b = None, strides = 1, padding = 'valid', output_padding = None, dilation = 1, activation = None, *, out = None) -> typing.Any:
    """
    activation(transposed convolution + b), the adjoint of conv2d: x (N, H, W, C), w (KH, KW, F, C). The output has H * strides rows for padding 'same', and max(KH - strides, 0) more for 'valid'.
    """
def copy(x, *, out = None) -> typing.Any:
    """
    x in new, contiguous memory.
    """
def copysign(x1, x2, *, out = None) -> typing.Any:
    """
    |x1| with the sign of x2.
    """
def cos(x, *, out = None) -> typing.Any:
    """
    Cosine, x in radians.
    """
def cosh(x, *, out = None) -> typing.Any:
    """
    Hyperbolic cosine.
    """
def count_numbers(values: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], starts: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], columns: typing.SupportsInt | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.int64]]:
    """
    How often each number below `columns` occurs in each row: (indptr, indices, counts) of a CSR matrix.
    """
def csr_matmul(indptr, indices, values, rows, cols, x, transpose = False, *, out = None) -> typing.Any:
    """
    Sparse times dense. The index arrays must have been checked: use pylearn.CSR.
    """
def cuda_info() -> dict:
    """
    What became of the CUDA library, and which kernels it lacks.
    """
def cumsum(x, axis = None, *, out = None) -> typing.Any:
    """
    Running sum along the axis; of the flat array by default.
    """
def current_device() -> str:
    ...
def default_generator() -> Tensor:
    """
    The state that dropout and initializers draw from.
    """
def depthwise_conv2d(x, w, b = None, strides = 1, padding = 'valid', dilation = 1, activation = None, *, out = None) -> typing.Any:
    """
    conv2d of each channel by itself: w (KH, KW, C, multiplier), output channel c * multiplier + m.
    """
def det(a, *, out = None) -> typing.Any:
    """
    Determinant of each matrix.
    """
def detach(t: Tensor) -> Tensor:
    ...
def diag(x, k = 0, *, out = None) -> typing.Any:
    """
    The matrix with x on diagonal k, or that diagonal of a matrix.
    """
def diagonal(x, offset = 0, *, out = None) -> typing.Any:
    """
    A diagonal of each matrix; a view.
    """
def digamma(x, *, out = None) -> typing.Any:
    """
    Slope of lgamma.
    """
def divide(x1, x2, *, out = None) -> typing.Any:
    """
    x1 / x2; integers give float64.
    """
def dropout(x, rate, generator = None, *, out = None) -> typing.Any:
    """
    Each element is 0 with probability rate, else divided by 1 - rate.
    """
def eigh(a) -> typing.Any:
    """
    (w, V) of A V = V diag(w), A symmetric (its lower triangle is read), w ascending. In each vector the first component of (within 1 %) the largest magnitude is positive. Gradients: distinct eigenvalues.
    """
def elu(x, alpha = 1.0, *, out = None) -> typing.Any:
    """
    x above 0, alpha (exp(x) - 1) below (Clevert et al. 2015).
    """
def embedding(ids, table, *, out = None) -> typing.Any:
    """
    Rows of a table (rows, D) by id: ids (...) give (..., D); IndexError when out of range.
    """
def embedding_backward(dy, ids, num_embeddings, *, out = None) -> typing.Any:
    """
    Gradient of embedding with respect to its table of num_embeddings rows.
    """
def embedding_backward_sparse(dy, ids) -> typing.Any:
    """
    The rows of embedding_backward that have an id: (ids growing, then -1, to ids.size; their sums, then zeros).
    """
def enter_grad() -> None:
    ...
def equal(x1, x2, *, out = None) -> typing.Any:
    """
    x1 == x2.
    """
def erf(x, *, out = None) -> typing.Any:
    """
    Error function.
    """
def erfc(x, *, out = None) -> typing.Any:
    """
    1 - erf(x), exact for large x.
    """
def exit_grad() -> None:
    ...
def exp(x, *, out = None) -> typing.Any:
    """
    e ** x.
    """
def expand_dims(x, axis, *, out = None) -> typing.Any:
    """
    A new axis of size 1.
    """
def expm1(x, *, out = None) -> typing.Any:
    """
    exp(x) - 1, exact near 0.
    """
def flip(x, axis = None, *, out = None) -> typing.Any:
    """
    Order reversed along the axes; a view.
    """
def floor(x, *, out = None) -> typing.Any:
    """
    Largest integer not above x.
    """
def floor_divide(x1, x2, *, out = None) -> typing.Any:
    """
    floor(x1 / x2); integers by 0 give 0.
    """
def fma_peak(seconds: typing.Any = 0.2) -> float:
    """
    Floating-point operations a second, float32, of independent multiply-adds in registers on all threads: the best of many bursts. ValueError for a time outside (0, 60].
    """
def fmod(x1, x2, *, out = None) -> typing.Any:
    """
    Remainder with the sign of x1.
    """
def from_dlpack(x: typing.Any) -> Tensor:
    """
    A Tensor over the memory of any object that speaks DLPack.
    """
def gelu(x, approximate = False, *, out = None) -> typing.Any:
    """
    x Phi(x) (Hendrycks & Gimpel 2016), by erf or by the tanh approximation.
    """
def global_avg_pool1d(x, keepdims = False, *, out = None) -> typing.Any:
    """
    Mean of each channel over time.
    """
def global_avg_pool2d(x, keepdims = False, *, out = None) -> typing.Any:
    """
    Mean of each channel of each image.
    """
def global_max_pool1d(x, keepdims = False, *, out = None) -> typing.Any:
    """
    Largest of each channel over time.
    """
def global_max_pool2d(x, keepdims = False, *, out = None) -> typing.Any:
    """
    Largest of each channel of each image.
    """
def grad_enabled() -> bool:
    ...
def gradients(y: Tensor, xs: typing.Any, out: typing.Any = None, seed: typing.Any = None) -> list[Tensor]:
    """
    Gradients of y (one number, or weighted by seed) for each x; written into `out` where given.
    """
def gram(x, *, out = None) -> typing.Any:
    """
    Products of x's columns with each other, x' x: (..., N, K) to (..., K, K), symmetric to the last bit.
    """
def greater(x1, x2, *, out = None) -> typing.Any:
    """
    x1 > x2.
    """
def greater_equal(x1, x2, *, out = None) -> typing.Any:
    """
    x1 >= x2.
    """
def group_norm(x, groups, gamma = None, beta = None, epsilon = 0.001, activation = None, *, out = None) -> typing.Any:
    """
    Each group of neighbouring channels of each x[i] (batch, ..., C); groups=C is instance norm.
    """
def group_norm_backward(dy, x, groups, gamma = None, beta = None, epsilon = 0.001, activation = None) -> typing.Any:
    """
    Gradients (dx, dgamma, dbeta) of group_norm.
    """
def gru(x, w, u, b = None, h = None, activation = 'tanh', recurrent_activation = 'sigmoid', reset_after = True, mask = None, reverse = False) -> typing.Any:
    """
    States (y, h) of a GRU over x (B, T, F): w (F, 3H), u (H, 3H), b (2, 3H), or (3H) without reset_after, h (B, H); gates z, r, h. mask and reverse as in simple_rnn.
    """
def gru_backward(dy, dh, x, w, u, b = None, h = None, activation = 'tanh', recurrent_activation = 'sigmoid', reset_after = True, mask = None, reverse = False) -> typing.Any:
    """
    Gradients [dx, dw, du, db, dh] of gru.
    """
def gru_cell(x, h, w, u, b = None, activation = 'tanh', recurrent_activation = 'sigmoid', reset_after = True, *, out = None) -> typing.Any:
    """
    One step of gru: x (B, F), h (B, H).
    """
def hard_sigmoid(x, *, out = None) -> typing.Any:
    """
    clip(x / 6 + 0.5, 0, 1).
    """
def huber(x1, x2, delta = 1.0, *, out = None) -> typing.Any:
    """
    d**2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond; shapes must agree (Huber 1964).
    """
def hypot(x1, x2, *, out = None) -> typing.Any:
    """
    sqrt(x1**2 + x2**2), without overflow.
    """
def info() -> dict:
    """
    Version, ISA in use, ISAs usable here, threads, and why there is no CUDA.
    """
def inv(a, *, out = None) -> typing.Any:
    """
    Inverse of each matrix; solve is faster and more accurate where it will do.
    """
def is_recording() -> bool:
    ...
def isfinite(x, *, out = None) -> typing.Any:
    """
    Is x neither NaN nor infinite?
    """
def isinf(x, *, out = None) -> typing.Any:
    """
    Is x infinite?
    """
def isnan(x, *, out = None) -> typing.Any:
    """
    Is x NaN?
    """
def layer_norm(x, gamma = None, beta = None, axis = -1, epsilon = 0.001, activation = None, *, out = None) -> typing.Any:
    """
    Over the last axes of x: activation(gamma (x - mean) / sqrt(var + epsilon) + beta).
    """
def layer_norm_backward(dy, x, gamma = None, beta = None, axis = -1, epsilon = 0.001, activation = None) -> typing.Any:
    """
    Gradients (dx, dgamma, dbeta) of layer_norm.
    """
def leaky_relu(x, negative_slope = 0.2, *, out = None) -> typing.Any:
    """
    x above 0, negative_slope * x below.
    """
def less(x1, x2, *, out = None) -> typing.Any:
    """
    x1 < x2.
    """
def less_equal(x1, x2, *, out = None) -> typing.Any:
    """
    x1 <= x2.
    """
def lgamma(x, *, out = None) -> typing.Any:
    """
    log |Gamma(x)|.
    """
def linear(x, w, b = None, activation = None, residual = None, *, out = None) -> typing.Any:
    """
    activation(x @ w + b + residual): x (..., in), w (in, out), b (out), residual (..., out). Activations: None, 'relu', 'sigmoid', 'tanh', 'leaky_relu' (slope 0.2), 'elu', 'selu', 'softplus', 'gelu', 'gelu_tanh', 'silu'.
    """
def linear_backward(dy, x, w, y, activation = None) -> typing.Any:
    """
    Gradients (dx, dw, db, dz) of linear; dz is that of x @ w + b + residual. y is linear's output, or for 'gelu', 'gelu_tanh' and 'silu' what the activation was applied to.
    """
def lion_update(p, g, m, lr = 0.001, beta_1 = 0.9, beta_2 = 0.99, weight_decay = 0.0) -> typing.Any:
    """
    One Lion step (Chen et al. 2023) on p and m in place.
    """
def log(x, *, out = None) -> typing.Any:
    """
    Natural logarithm; -inf at 0, NaN below.
    """
def log10(x, *, out = None) -> typing.Any:
    """
    Logarithm to base 10.
    """
def log1p(x, *, out = None) -> typing.Any:
    """
    log(1 + x), exact near 0.
    """
def log2(x, *, out = None) -> typing.Any:
    """
    Logarithm to base 2.
    """
def log_softmax(x, axis = -1, *, out = None) -> typing.Any:
    """
    log of softmax, without overflow.
    """
def log_softmax_backward(dy, y, axis = -1, *, out = None) -> typing.Any:
    """
    Gradient of log_softmax from its output y.
    """
def logaddexp(x1, x2, *, out = None) -> typing.Any:
    """
    log(exp(x1) + exp(x2)), without overflow.
    """
def logdet(a, *, out = None) -> typing.Any:
    """
    log(det A) of a symmetric positive definite A, by cholesky.
    """
def logical_and(x1, x2, *, out = None) -> typing.Any:
    """
    Both not 0.
    """
def logical_not(x, *, out = None) -> typing.Any:
    """
    x == 0.
    """
def logical_or(x1, x2, *, out = None) -> typing.Any:
    """
    Either not 0.
    """
def logical_xor(x1, x2, *, out = None) -> typing.Any:
    """
    Exactly one not 0.
    """
def logits_of(y: Tensor) -> typing.Any:
    """
    (logits, 'softmax' or 'sigmoid') when y is that function's own output, else None.
    """
def logsumexp(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    log(sum(exp(x))) over the axes, without overflow.
    """
def lstm(x, w, u, b = None, h = None, c = None, activation = 'tanh', recurrent_activation = 'sigmoid', mask = None, reverse = False) -> typing.Any:
    """
    States (y, h, c) of an LSTM over x (B, T, F): w (F, 4H), u (H, 4H), b (4H), h and c (B, H); gates i, f, c, o. mask and reverse as in simple_rnn.
    """
def lstm_backward(dy, dh, dc, x, w, u, b = None, h = None, c = None, activation = 'tanh', recurrent_activation = 'sigmoid', mask = None, reverse = False) -> typing.Any:
    """
    Gradients [dx, dw, du, db, dh, dc] of lstm.
    """
def lstm_cell(x, h, c, w, u, b = None, activation = 'tanh', recurrent_activation = 'sigmoid') -> typing.Any:
    """
    One LSTM step (h, c): x (B, F), h and c (B, H), w (F, 4H), u (H, 4H), b (4H); gates i, f, c, o.
    """
def lstm_cell_backward(dh, dc, x, h, c, w, u, b = None, activation = 'tanh', recurrent_activation = 'sigmoid') -> typing.Any:
    """
    Gradients [dx, dh, dc, dw, du(, db)] of lstm_cell.
    """
def lstsq(a, b, rcond = None) -> typing.Any:
    """
    (x, residuals, rank, s): the x of least norm that minimises |A x - b|, squared residuals per column (also where NumPy gives none), rank and singular values of A.
    """
def make_generator(seed: typing.Any) -> Tensor:
    ...
def matmul(x1, x2, *, out = None) -> typing.Any:
    """
    Matrix product, as NumPy's matmul: (..., M, K) @ (..., K, N).
    """
def matmul_backward(dy, x1, x2) -> typing.Any:
    """
    Gradients (dx1, dx2) of matmul.
    """
def matmul_bf16(x1, x2, *, out = None) -> typing.Any:
    """
    matmul of float32 arrays, rounded to bfloat16 (to nearest, ties to even) and summed in float32; the gradients are such products too.
    """
def max(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Largest over the axes; NaN wins. Ties share the gradient.
    """
def max_pool1d(x, pool_size = 2, strides = None, padding = 'valid', *, out = None) -> typing.Any:
    """
    Largest of each window of sequences (N, T, C); its first place takes the gradient.
    """
def max_pool2d(x, pool_size = 2, strides = None, padding = 'valid', *, out = None) -> typing.Any:
    """
    Largest of each window of images (N, H, W, C); its first place takes the gradient.
    """
def maximum(x1, x2, *, out = None) -> typing.Any:
    """
    The larger; NaN wins. Ties share the gradient.
    """
def mean(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Mean over the axes; NaN when there is nothing to average.
    """
def memory() -> dict:
    """
    Bytes that the allocator of the thread's device holds from the system, and uses.
    """
def min(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Smallest over the axes; NaN wins. Ties share the gradient.
    """
def minimum(x1, x2, *, out = None) -> typing.Any:
    """
    The smaller; NaN wins. Ties share the gradient.
    """
def move_to_device(t: Tensor, device: typing.Any) -> None:
    """
    The same Tensor object with its elements on that device.
    """
def multiply(x1, x2, *, out = None) -> typing.Any:
    """
    x1 * x2.
    """
def nadam_update(p, g, m, v, step, lr = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One Nadam step (Dozat 2016) on p, m and v in place; step counts from 1.
    """
def negative(x, *, out = None) -> typing.Any:
    """
    -x.
    """
def not_equal(x1, x2, *, out = None) -> typing.Any:
    """
    x1 != x2.
    """
def num_threads() -> int:
    """
    Threads that kernels may use.
    """
def one_hot(x, num_classes, dtype = 'float32', *, out = None) -> typing.Any:
    """
    Rows with a 1 at the id; IndexError when one is out of range.
    """
def op_names() -> list:
    """
    The names in ops.def.
    """
def pad(x, pad_width, value = 0.0, mode = 'constant', *, out = None) -> typing.Any:
    """
    A border: an int, (before, after), or a pair for each dimension. Of a constant, or of x: mode 'reflect', 'symmetric', 'edge' or 'wrap'.
    """
def pinv(a, rcond = None, *, out = None) -> typing.Any:
    """
    Pseudo-inverse; singular values up to rcond times the largest count as 0. Gradients: constant rank.
    """
def pixel_shuffle(x, factor, *, out = None) -> typing.Any:
    """
    Channels to space: (N, H, W, f f C) gives (N, f H, f W, C).
    """
def pixel_unshuffle(x, factor, *, out = None) -> typing.Any:
    """
    Space to channels, the inverse of pixel_shuffle: (N, f H, f W, C) gives (N, H, W, f f C).
    """
def pointwise_loss(prediction, target, loss, parameter = 0.0, reduction = 'none', *, out = None) -> typing.Any:
    """
    A loss of each prediction and target, 'squared_error', 'poisson', ..., or its mean or sum over the last axis; parameter is huber's delta, elsewhere what keeps arguments away from 0. Shapes must agree.
    """
def pointwise_loss_backward(dy, prediction, target, loss, parameter = 0.0, reduction = 'none', of_target = False, *, out = None) -> typing.Any:
    """
    Gradient of pointwise_loss with respect to the prediction, or to the target.
    """
def power(x1, x2, *, out = None) -> typing.Any:
    """
    x1 ** x2.
    """
def prod(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Product over the axes.
    """
def qr(a, mode = 'reduced') -> typing.Any:
    """
    (Q, R) of A = Q R with R upper triangular, signs as LAPACK's; mode 'reduced' or 'complete'.
    """
def random_draw(shape, kind, low, high, dtype, generator = None, *, out = None) -> typing.Any:
    """
    Kind 0 uniform, 1 normal, 2 truncated normal; see pylearn.random.
    """
def random_integers(shape, low, high, generator = None, *, out = None) -> typing.Any:
    """
    Integers in [low, high); see pylearn.random.
    """
def random_seed(seed: typing.Any) -> None:
    """
    Restart the default generator.
    """
def reciprocal(x, *, out = None) -> typing.Any:
    """
    1 / x.
    """
def relu(x, *, out = None) -> typing.Any:
    """
    max(x, 0); its slope at 0 is 0.
    """
def remainder(x1, x2, *, out = None) -> typing.Any:
    """
    x1 - x2 floor(x1 / x2): the sign of x2.
    """
def reshape(x, shape, *, out = None) -> typing.Any:
    """
    The same elements under another shape; one size may be -1.
    """
def resize2d(x, size, interpolation = 'bilinear', *, out = None) -> typing.Any:
    """
    Images (N, H, W, C) resized to `size`, 'bilinear' or 'nearest', half-pixel centres.
    """
def rms_norm(x, gamma = None, axis = -1, epsilon = 1e-06, activation = None, *, out = None) -> typing.Any:
    """
    Over the last axes of x: activation(gamma x / sqrt(mean(x^2) + epsilon)).
    """
def rms_norm_backward(dy, x, gamma = None, axis = -1, epsilon = 1e-06, activation = None) -> typing.Any:
    """
    Gradients (dx, dgamma) of rms_norm.
    """
def rmsprop_update(p, g, v, lr = 0.001, rho = 0.9, momentum = 0.0, epsilon = 1e-07, velocity = None, average = None, weight_decay = 0.0) -> typing.Any:
    """
    One RMSprop step (Hinton 2012) on p and v in place; with velocity for momentum, with average centered (Graves 2013).
    """
def round(x, *, out = None) -> typing.Any:
    """
    Nearest integer, halves to even.
    """
def rsqrt(x, *, out = None) -> typing.Any:
    """
    1 / sqrt(x).
    """
def scaled_dot_product_attention(q, k, v, mask = None, is_causal = False, dropout = 0.0, scale = None, generator = None, *, out = None) -> typing.Any:
    """
    softmax(scale q k' + mask) v for q (B, T, H, D), k (B, S, G, D), v (B, S, G, E), G dividing H.
    """
def scaled_dot_product_attention_backward(dy, q, k, v, mask = None, is_causal = False, dropout = 0.0, scale = None, generator = None) -> typing.Any:
    """
    Gradients (dq, dk, dv) of scaled_dot_product_attention.
    """
def searchsorted(sorted, values, side = 'left', *, out = None) -> typing.Any:
    """
    Where values belong in a sorted array: before equal elements ('left') or after them ('right').
    """
def selu(x, *, out = None) -> typing.Any:
    """
    Scaled ELU with the self-normalising constants (Klambauer et al. 2017).
    """
def set_device(name: typing.Any) -> str:
    """
    New arrays of this thread are made there from now on; returns what held before.
    """
def set_fusion(on: bool) -> bool:
    """
    Whether neighbouring launches of steps recorded from now on are joined; returns what held before.
    """
def set_num_threads(n: typing.Any) -> None:
    """
    Use n threads from now on; results do not depend on it.
    """
def sgd_update(p, g, lr = 0.01, momentum = 0.0, velocity = None, nesterov = False, weight_decay = 0.0) -> typing.Any:
    """
    One SGD step on p in place (and on velocity).
    """
def sigmoid(x, *, out = None) -> typing.Any:
    """
    1 / (1 + exp(-x)), without overflow.
    """
def sign(x, *, out = None) -> typing.Any:
    """
    -1, 0 or 1; NaN stays.
    """
def silu(x, *, out = None) -> typing.Any:
    """
    x sigmoid(x), also called swish.
    """
def simple_rnn(x, w, u, b = None, h = None, activation = 'tanh', mask = None, reverse = False) -> typing.Any:
    """
    States (y, h) of a plain recurrence over x (B, T, F): w (F, H), u (H, H), b (H), h (B, H), y (B, T, H). Where mask (B, T) is false a row keeps its state; reverse runs from the last step to the first.
    """
def simple_rnn_backward(dy, dh, x, w, u, b = None, h = None, activation = 'tanh', mask = None, reverse = False) -> typing.Any:
    """
    Gradients [dx, dw, du, db, dh] of simple_rnn.
    """
def simple_rnn_cell(x, h, w, u, b = None, activation = 'tanh', *, out = None) -> typing.Any:
    """
    One step of simple_rnn: x (B, F), h (B, H).
    """
def sin(x, *, out = None) -> typing.Any:
    """
    Sine, x in radians.
    """
def sinh(x, *, out = None) -> typing.Any:
    """
    Hyperbolic sine.
    """
def slice(x, start, stop, step, *, out = None) -> typing.Any:
    """
    A view: one start, stop and step for each dimension, clamped to it; with a negative step, stop -1 is before the first element.
    """
def slogdet(a) -> typing.Any:
    """
    (sign, log |det A|) of each matrix; sign 0 and -inf if singular.
    """
def softmax(x, axis = -1, *, out = None) -> typing.Any:
    """
    exp(x) / sum(exp(x)) along the axis.
    """
def softmax_backward(dy, y, axis = -1, *, out = None) -> typing.Any:
    """
    Gradient of softmax from its output y.
    """
def softmax_cross_entropy(logits, labels, *, out = None) -> typing.Any:
    """
    -sum(labels * log_softmax(logits)) for each row; labels are integer ids (...,) or rows (..., classes).
    """
def softmax_cross_entropy_backward(dy, logits, labels, *, out = None) -> typing.Any:
    """
    Gradient with respect to logits; dy has one number a row.
    """
def softplus(x, *, out = None) -> typing.Any:
    """
    log(1 + exp(x)), without overflow.
    """
def softsign(x, *, out = None) -> typing.Any:
    """
    x / (1 + |x|).
    """
def solve(a, b, *, out = None) -> typing.Any:
    """
    X of A X = B: a (..., N, N), b (N,) or (..., N, K).
    """
def solve_triangular(a, b, lower = True, trans = False, unit_diagonal = False, *, out = None) -> typing.Any:
    """
    X of A X = B (or A'X = B) for a triangular A (..., N, N); b (N,) or (..., N, K).
    """
def sort(x, axis = -1, descending = False, *, out = None) -> typing.Any:
    """
    Sorted along the axis, or flat with None; NaN counts as the largest. Stable.
    """
def sparse_adagrad_update(p, ids, g, accumulator, lr = 0.001, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One Adagrad step on the rows of p that ids names, from one row of g an id; rows of equal ids are added up. The same as the dense step on the added-up gradient.
    """
def sparse_adam_update(p, ids, g, m, v, step, lr = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07, weight_decay = 0.0) -> typing.Any:
    """
    One lazy Adam step on the rows of p that ids names, from one row of g an id; rows of equal ids are added up. Other rows and their slots stay as they are, which dense Adam would move.
    """
def sparse_sgd_update(p, ids, g, lr = 0.01, momentum = 0.0, velocity = None, nesterov = False, weight_decay = 0.0) -> typing.Any:
    """
    One SGD step on the rows of p that ids names, from one row of g an id; rows of equal ids are added up. Other rows and their slots stay as they are.
    """
def split(x, indices_or_sections, axis = 0) -> typing.Any:
    """
    Views of equal parts, or cut at positions.
    """
def sqrt(x, *, out = None) -> typing.Any:
    """
    Square root; NaN below 0.
    """
def square(x, *, out = None) -> typing.Any:
    """
    x * x.
    """
def squared_error(x1, x2, *, out = None) -> typing.Any:
    """
    (x1 - x2)**2; shapes must agree.
    """
def squeeze(x, axis = None, *, out = None) -> typing.Any:
    """
    Without axes of size 1.
    """
def stack(xs, axis = 0, *, out = None) -> typing.Any:
    """
    Joined along a new axis.
    """
def std(x, axis = None, ddof = 0.0, keepdims = False, *, out = None) -> typing.Any:
    """
    Square root of var.
    """
def stop_gradient(x) -> typing.Any:
    """
    x, through which no gradient flows.
    """
def stream(seconds: typing.Any = 0.6, nbytes: typing.Any = 67108864) -> dict:
    """
    Bytes a second to and from memory over arrays of nbytes each: copy (a = b), triad (a = b + s c), update (a += s b). Counts what the program reads and writes, as STREAM does: copy and triad also fetch the lines they write. ValueError for times and sizes out of range.
    """
def subtract(x1, x2, *, out = None) -> typing.Any:
    """
    x1 - x2.
    """
def sum(x, axis = None, keepdims = False, *, out = None) -> typing.Any:
    """
    Sum over the axes (all by default); bool and integers give int64.
    """
def svd(a, full_matrices = False) -> typing.Any:
    """
    (U, s, V') of A = U diag(s) V', s descending; signs of U's columns as eigh's. Gradients: distinct, nonzero singular values.
    """
def synchronize() -> None:
    """
    Wait until the device has done all that was asked of it.
    """
def take(x, indices, axis = None, *, out = None) -> typing.Any:
    """
    Elements by position along the axis; IndexError when out of range.
    """
def take_along_axis(x, indices, axis = -1, *, out = None) -> typing.Any:
    """
    Elements by position along the axis, each line with positions of its own.
    """
def tan(x, *, out = None) -> typing.Any:
    """
    Tangent, x in radians.
    """
def tanh(x, *, out = None) -> typing.Any:
    """
    Hyperbolic tangent.
    """
def topk(x, k, axis = -1) -> typing.Any:
    """
    (values, positions) of the k largest along the axis, the largest first, of equal ones the first.
    """
def trace(x, offset = 0, *, out = None) -> typing.Any:
    """
    Sum of a diagonal of each matrix.
    """
def transpose(x, axes = None, *, out = None) -> typing.Any:
    """
    Axes in another order, reversed by default; a view.
    """
def tril(x, k = 0, *, out = None) -> typing.Any:
    """
    Matrices with zeros above diagonal k.
    """
def trim_memory() -> None:
    """
    Give unused memory of the thread's device back to the system.
    """
def triu(x, k = 0, *, out = None) -> typing.Any:
    """
    Matrices with zeros below diagonal k.
    """
def trunc(x, *, out = None) -> typing.Any:
    """
    Towards zero.
    """
def upsample1d(x, size = 2, *, out = None) -> typing.Any:
    """
    Sequences (N, T, C) with each step repeated `size` times.
    """
def upsample2d(x, size = 2, interpolation = 'nearest', *, out = None) -> typing.Any:
    """
    Images (N, H, W, C) enlarged `size` times: 'nearest' repeats pixels, 'bilinear' blends them.
    """
def var(x, axis = None, ddof = 0.0, keepdims = False, *, out = None) -> typing.Any:
    """
    Mean squared distance from the mean, over n - ddof.
    """
def watch(t: Tensor) -> Tensor:
    """
    A handle on t's elements to take gradients with respect to.
    """
def watch_parameter(t: Tensor) -> None:
    """
    Mark t itself, for good, as something to differentiate by.
    """
def where(condition, x1, x2, *, out = None) -> typing.Any:
    """
    x1 where condition (bool) is true, else x2.
    """
