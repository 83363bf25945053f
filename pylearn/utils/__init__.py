"""Small helpers with Keras' names: labels as rows, seeds, and what ``train_step`` is given taken apart."""

from pylearn._lazy import attach

ALL = {
    "to_categorical": "np_utils",
    "set_random_seed": "seeding",
    "pack_x_y_sample_weight": "batches",
    "unpack_x_y_sample_weight": "batches",
}  # public name: module

__all__ = [*ALL, "np_utils"]
__getattr__, __dir__ = attach(__name__, sorted(set(ALL.values())), ALL)
