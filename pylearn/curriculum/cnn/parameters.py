"""Why not an mlp: the parameters of one neuron that sees a whole image.

A dense neuron has a weight for every number of its input, so it grows with the image; and it must learn the same
edge anew at every place. A convolution has a weight for every place of its small window only, used everywhere: its
size does not depend on the image's at all.

The data: images of 32×32 (CIFAR-10) and 224×224 (ImageNet) pixels in three colours; their shapes suffice.
The course's numbers: 3,073 and 150,529 parameters for one dense neuron; 28 for a 3×3 convolution with one filter.

Question: how many parameters has a first hidden layer of 1,000 such neurons on ImageNet, and how much memory is that?

Try: (a) Conv2D(64, 7), the first layer of a ResNet. (b) Two 3×3 convolutions after each other: how large a part do
they see?
"""

from pylearn import plots
from pylearn.curriculum import report
from pylearn.layers import Conv2D, Dense, Flatten, Input
from pylearn.models import Sequential


def main(verbose: int = 1, plot: str | None = None) -> dict[str, int]:
    """Build and count; returns the numbers of parameters by name."""
    shapes = {"CIFAR-10": (32, 32, 3), "ImageNet": (224, 224, 3)}
    neurons = {name: Sequential([Input(shape), Flatten(), Dense(1)]) for name, shape in shapes.items()}
    filters = {name: Sequential([Input(shape), Conv2D(1, 3)]) for name, shape in shapes.items()}
    for model in (*neurons.values(), *filters.values()) if verbose else ():
        model.summary()
    report.score("one dense neuron on CIFAR-10", neurons["CIFAR-10"].count_params(), 3_073, 0)
    report.score("one dense neuron on ImageNet", neurons["ImageNet"].count_params(), 150_529, 0)
    for name, model in filters.items():
        report.score(f"one 3×3 filter on {name}", model.count_params(), 28, 0)
    if plot is not None:
        path = plot.rpartition(".")[0] + ".svg"
        plots.model_diagram(neurons["ImageNet"]).save(path)
        print(f"drawn in {path}")
    return {name: model.count_params() for name, model in neurons.items()}
