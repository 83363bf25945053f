from pylearn.datasets import digits as mnist          # offline stand-in with mnist.load_data()'s return type
from pylearn.utils import to_categorical, set_random_seed
from pylearn.models import Sequential
from pylearn.layers import Flatten, Dense
from pylearn.callbacks import WandbCallback
set_random_seed(0)
(X_train, y_train), (X_test, y_test) = mnist.load_data()
img_width, img_height = X_train.shape[1:]; X_train = X_train / 255.; X_test = X_test / 255.
labels = [str(i) for i in range(10)]
# one hot encode outputs
y_train = to_categorical(y_train)
y_test = to_categorical(y_test)
num_classes = y_train.shape[1]
# create model
model = Sequential()
model.add(Flatten(input_shape=(img_width, img_height)))
model.add(Dense(num_classes, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam',
              metrics=['accuracy'])
model.summary()
# Fit the model
h = model.fit(X_train, y_train, epochs=10, validation_data=(X_test, y_test),
          callbacks=[WandbCallback(data_type="image", labels=labels, save_model=False)], verbose=0)
print("val_accuracy", h.history["val_accuracy"][-1])
