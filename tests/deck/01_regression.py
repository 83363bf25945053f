import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from pylearn.linear_model import LinearRegression
from pylearn.layers import Input, Dense
from pylearn.models import Model
from pylearn.utils import set_random_seed
set_random_seed(0)
d = load_diabetes(); X, y = d.data[:, [2]], d.target.astype("float64")
X = StandardScaler().fit_transform(X); y = (y - y.mean()) / y.std()
Xtrain, Xtest, ytrain, ytest = train_test_split(X, y, test_size=0.2, random_state=0)
lr = LinearRegression().fit(Xtrain, ytrain)          # the deck binds lr2 and uses lr
r2_test = r2_score(ytest, lr.predict(Xtest)); r2_train = r2_score(ytrain, lr.predict(Xtrain))
print("closed form r2", r2_train, r2_test)
inputs_placeholder = Input(shape=(1,))
outputs_placeholder = Dense(1, activation='linear')(inputs_placeholder)
m = Model(inputs=inputs_placeholder, outputs=outputs_placeholder)
m.compile(optimizer='sgd', loss='mean_squared_error', metrics=['mae', 'accuracy'])
m.summary()
h = m.fit(Xtrain, ytrain, epochs=50, batch_size=32, verbose=0)
print("sgd r2", r2_score(ytrain, m.predict(Xtrain, verbose=0).ravel()), r2_score(ytest, m.predict(Xtest, verbose=0).ravel()))
w, b = m.get_weights(); print("coef diff", abs(float(w[0,0]) - lr.coef_[0]), abs(float(b[0]) - lr.intercept_)); print({k: v[-1] for k, v in h.history.items()})
