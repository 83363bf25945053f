import numpy as np, pylearn
from sklearn.datasets import load_diabetes
X, y = load_diabetes(return_X_y=True); X = X / X.std(0); y = (y - y.mean()) / y.std(); data = np.c_[X, y]
rng = np.random.RandomState(0); params = np.zeros(X.shape[1]); nb_epochs, learning_rate = 30, 1e-3
loss_function = lambda ex, p: .5 * (ex[:-1] @ p - ex[-1]) ** 2
def evaluate_gradient(loss_function, example, params):
    return pylearn.grad(loss_function, argnums=1)(example, params)
for i in range(nb_epochs):
    rng.shuffle(data)
    for example in data:
        params_grad = evaluate_gradient(loss_function, example, params)
        params = params - learning_rate * params_grad
w = np.linalg.lstsq(X, y, rcond=None)[0]; print("r2 sgd", 1 - ((y - X @ params) ** 2).mean(), "ols", 1 - ((y - X @ w) ** 2).mean())
