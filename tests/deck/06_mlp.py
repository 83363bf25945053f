from types import SimpleNamespace
from pylearn.datasets import digits as mnist
from pylearn.utils import to_categorical, set_random_seed
from pylearn.models import Sequential
from pylearn.layers import Flatten, Dense, Dropout
from pylearn.callbacks import WandbCallback
set_random_seed(0)
config = SimpleNamespace(hidden_nodes=100, optimizer="adam", epochs=20, dropout=0.2)   # the deck's wandb.config
(X_train, y_train), (X_test, y_test) = mnist.load_data(); X_train = X_train / 255.; X_test = X_test / 255.
img_width, img_height = X_train.shape[1:]; num_classes = 10; labels = list("0123456789")
y_train, y_test = to_categorical(y_train), to_categorical(y_test)
for drop in (False, True):
    model = Sequential()
    model.add(Flatten(input_shape=(img_width, img_height)))
    if drop: model.add(Dropout(config.dropout))
    model.add(Dense(config.hidden_nodes, activation='relu'))
    if drop: model.add(Dropout(config.dropout))
    model.add(Dense(num_classes, activation='softmax'))
    model.compile(loss='categorical_crossentropy', optimizer=config.optimizer,
                  metrics=['accuracy'])
    h = model.fit(X_train, y_train, validation_data=(X_test, y_test),
              epochs=config.epochs,
              callbacks=[WandbCallback(data_type="image", labels=labels)], verbose=0)
    print("dropout", drop, "acc", h.history["accuracy"][-1], "val_acc", h.history["val_accuracy"][-1])
