"""Neural networks: hidden layers, what they learn, and how they are trained."""

LESSONS = {
    "summary": "summary: shapes and parameters of a network, before it has seen a single example",
    "mlp": "multilayer perceptron: one hidden layer of 100 rectified units",
    "config": "config: the settings of an experiment in one object, and a file from which it can be run again",
    "tracking": "tracking: runs that write themselves down can be compared",
    "representations": "learning representations: hidden layers make two moons separable by a line",
    "optimizers": "optimizers compared: paths of SGD, momentum, RMSprop and Adam down one valley",
    "residual": "residual network: forty layers learn once there is a way around them",
    "autodiff": "automatic differentiation: the exact slope of a program, at the price of running it about twice",
}
