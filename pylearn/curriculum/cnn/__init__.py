"""Convolutional networks."""

LESSONS = {
    "parameters": "why not an mlp: the parameters of one neuron that sees a whole image",
    "translation": "convolution: where the image moves, its features move along",
    "batch_norm_cnn": "a small convolutional network with batch normalisation reads digits",
    "pointwise": "1×1 convolutions: a dense layer at every pixel",
    "reshaping": "reshaping and densing: the same numbers in other rows, and who shares a layer's weights",
    "upsampling": 'upsampling: three ways to a larger image, and what "transposed" means',
    "captions": "captions: a convolutional network sees, a recurrent one speaks, together they say the next word",
    "transfer": "transfer: layers learned on one task, frozen, and a new head on another",
}
