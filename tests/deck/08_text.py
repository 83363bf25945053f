import numpy as np
from types import SimpleNamespace
from pylearn.preprocessing import text, sequence
from pylearn.linear_model import LogisticRegression
from pylearn.models import Sequential
from pylearn.layers import Embedding, Conv1D, Flatten, Dense, LSTM, Bidirectional, MaxPooling1D
from pylearn.datasets import stdlib_docs
from pylearn.utils import set_random_seed
set_random_seed(0)
config = SimpleNamespace(vocab_size=1000, maxlen=60, embedding_dims=50, filters=100, kernel_size=3, hidden_dims=32)
(T_train, y_train), (T_test, y_test) = stdlib_docs.load_data(); X_train, X_test = T_train, T_test
tokenizer = text.Tokenizer(num_words=config.vocab_size)
tokenizer.fit_on_texts(X_train)
X_train = tokenizer.texts_to_matrix(X_train)
X_test = tokenizer.texts_to_matrix(X_test)
bow_model = LogisticRegression()
bow_model.fit(X_train, y_train)
pred_train = bow_model.predict(X_train)
acc = np.sum(pred_train==y_train)/len(pred_train)
pred_test = bow_model.predict(X_test)
val_acc = np.sum(pred_test==y_test)/len(pred_test)
print("bow", acc, val_acc)
S_train = sequence.pad_sequences(tokenizer.texts_to_sequences(T_train), maxlen=config.maxlen)
S_test = sequence.pad_sequences(tokenizer.texts_to_sequences(T_test), maxlen=config.maxlen)
embedding_matrix = np.random.RandomState(0).randn(config.vocab_size, 100).astype("float32")   # deck: GloVe 100-d
def cnn(model):
    model.add(Embedding(config.vocab_size, config.embedding_dims, input_length=config.maxlen))
    model.add(Conv1D(config.filters, config.kernel_size, padding='valid', activation='relu'))
    model.add(Flatten()); model.add(Dense(config.hidden_dims, activation='relu'))
def lstm(model):
    model.add(Embedding(config.vocab_size, 100, input_length=config.maxlen, weights=[embedding_matrix], trainable=False))
    model.add(LSTM(config.hidden_dims, activation="sigmoid"))
def cnnlstm(model):
    model.add(Embedding(config.vocab_size, config.embedding_dims, input_length=config.maxlen)); model.add(Conv1D(config.filters, config.kernel_size, padding='valid', activation='relu')); model.add(MaxPooling1D(2)); model.add(LSTM(config.hidden_dims))
def stacked(model):
    model.add(Embedding(config.vocab_size, config.embedding_dims, input_length=config.maxlen)); model.add(LSTM(config.hidden_dims, return_sequences=True)); model.add(LSTM(config.hidden_dims))
def bi(model):
    model.add(Embedding(config.vocab_size, config.embedding_dims, input_length=config.maxlen)); model.add(Bidirectional(LSTM(config.hidden_dims)))
import time
for f, ep in ((cnn, 4), (lstm, 5), (cnnlstm, 5), (stacked, 4), (bi, 5)):
    model = Sequential(); f(model); model.add(Dense(1, activation='sigmoid'))
    model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy']); t = time.time()
    h = model.fit(S_train, y_train, epochs=ep, batch_size=32, validation_data=(S_test, y_test), verbose=0)
    print(f.__name__, "val_acc", round(h.history["val_accuracy"][-1], 4), "%.1fs" % (time.time() - t))
