"""Metrics of confusion matrices, curves, calibration and images: against scikit-learn, streamed, captured, refused."""

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics as sk

import pylearn
from pylearn import losses, metrics
from pylearn.layers import Dense, Embedding
from pylearn.models import Sequential
from pylearn.utils import set_random_seed, to_categorical

RNG = np.random.RandomState(0)
N, K = 403, 4
CUTS = [0, 7, 8, 160, N]
IDS = RNG.randint(0, K, N)
P = RNG.dirichlet(np.ones(K), N) + 0.5 * np.eye(K)[IDS] * (RNG.rand(N) < 0.5)[:, None]
P /= P.sum(1, keepdims=True)
B = RNG.randint(0, 2, N)
Q = np.clip(0.3 * B + 0.7 * RNG.rand(N), 0, 1).round(2)  # with ties
W = RNG.rand(N)
G, H = P.argmax(1), (Q > 0.5).astype(int)


def stream(metric, y, p, w=None):
    metric.reset_state()
    for a, b in itertools.pairwise(CUTS):
        metric.update_state(y[a:b], p[a:b], None if w is None else w[a:b])
    return metric.result()


def f(average, beta=1.0):
    return lambda y, g, p, w: sk.fbeta_score(y, g, beta=beta, average=average, sample_weight=w)


MULTI = {  # metric: scikit-learn's value from ids, predicted ids, probabilities and weights
    "balanced_accuracy": lambda y, g, p, w: sk.balanced_accuracy_score(y, g, sample_weight=w),
    "matthews_corrcoef": lambda y, g, p, w: sk.matthews_corrcoef(y, g, sample_weight=w),
    "cohen_kappa": lambda y, g, p, w: sk.cohen_kappa_score(y, g, sample_weight=w),
    "confusion_matrix": lambda y, g, p, w: sk.accuracy_score(y, g, sample_weight=w),
    "mean_iou": lambda y, g, p, w: sk.jaccard_score(y, g, average="macro", sample_weight=w),
    "f1_score": f("macro"),
    "macro_precision": lambda y, g, p, w: sk.precision_score(y, g, average="macro", sample_weight=w),
    "macro_recall": lambda y, g, p, w: sk.recall_score(y, g, average="macro", sample_weight=w),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("name", MULTI)
def test_multi_class_metrics_equal_sklearn(name, one_hot, weighted):
    w = W if weighted else None
    got = stream(metrics.get(name), to_categorical(IDS, K) if one_hot else IDS, P, w)
    np.testing.assert_allclose(got, MULTI[name](IDS, G, P, w), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_scores_equal_sklearn(average, beta):
    got = stream(metrics.FBetaScore(average, beta), IDS, P, W)
    np.testing.assert_allclose(got, f(average, beta)(IDS, G, P, W), rtol=1e-12)
    got = stream(metrics.FBetaScore(average, beta), B[:, None], Q[:, None])
    np.testing.assert_allclose(got, f("binary", beta)(B, H, Q, None), rtol=1e-12)
    few = np.where(IDS == 2, 1, IDS)  # a class that occurs in neither
    rare = P * [1, 1, 0, 1]
    np.testing.assert_allclose(
        stream(metrics.F1Score("macro"), few, rare),
        sk.f1_score(few, rare.argmax(1), average="macro"),
        rtol=1e-12,
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("column", [False, True])
def test_binary_metrics_equal_sklearn(column, weighted):
    w = W if weighted else None
    y, q = (B[:, None], Q[:, None]) if column else (B, Q)
    wants = {
        "auc": sk.roc_auc_score(B, Q, sample_weight=w), "roc_auc": sk.roc_auc_score(B, Q, sample_weight=w),
        "pr_auc": sk.average_precision_score(B, Q, sample_weight=w),
        "average_precision": sk.average_precision_score(B, Q, sample_weight=w),
        "f1": sk.f1_score(B, H, sample_weight=w), "mcc": sk.matthews_corrcoef(B, H, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(B, H, sample_weight=w),
        "dice": sk.f1_score(B, H, sample_weight=w),
        "mean_iou": sk.jaccard_score(B, H, average="macro", sample_weight=w),
        "precision": sk.precision_score(B, H, sample_weight=w), "recall": sk.recall_score(B, H, sample_weight=w),
    }  # fmt: skip
    (tn, fp), (fn, tp) = sk.confusion_matrix(B, H, sample_weight=w)
    wants |= {"true_positives": tp, "true_negatives": tn, "false_positives": fp, "false_negatives": fn}
    for name, want in wants.items():
        np.testing.assert_allclose(stream(metrics.get(name), y, q, w), want, rtol=1e-12, err_msg=name)


def test_auc_of_classes_and_of_nothing():
    want = sk.roc_auc_score(IDS, P, multi_class="ovr", average="macro")
    np.testing.assert_allclose(stream(metrics.AUC(), IDS, P), want, rtol=1e-12)
    np.testing.assert_allclose(stream(metrics.AUC(), to_categorical(IDS, K), P), want, rtol=1e-12)
    assert metrics.AUC().result() == 0.0
    assert math.isnan(stream(metrics.AUC(), np.ones(N), Q))
    with pytest.raises(ValueError, match="curve must be one of"):
        metrics.AUC(curve="PRC")


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_and_perplexity(weighted):
    w = W if weighted else np.ones(N)
    ece = metrics.get("ece")
    for y, p, confidence, right in ((IDS, P, P.max(1), G == IDS), (B, Q, np.maximum(Q, 1 - Q), H == B)):
        want = 0.0
        bins = np.clip(np.ceil(confidence * 15) - 1, 0, 14).astype(int)
        for b in range(15):
            inside = bins == b
            if inside.any():
                gap = np.average(confidence[inside], weights=w[inside]) - np.average(
                    right[inside], weights=w[inside]
                )
                want += w[inside].sum() / w.sum() * abs(gap)
        np.testing.assert_allclose(stream(ece, y, p, w), want, rtol=1e-12)
    want = math.exp(sk.log_loss(IDS, P, sample_weight=w))
    np.testing.assert_allclose(stream(metrics.Perplexity(), IDS, P, w), want, rtol=1e-10)
    np.testing.assert_allclose(stream(metrics.Perplexity(), to_categorical(IDS, K), P, w), want, rtol=1e-6)
    np.testing.assert_allclose(
        stream(metrics.Perplexity(from_logits=True), IDS, np.log(P), w), want, rtol=1e-10
    )
    kept = IDS != 2
    want = math.exp(sk.log_loss(IDS[kept], P[kept], sample_weight=w[kept], labels=range(K)))
    np.testing.assert_allclose(stream(metrics.Perplexity(ignore_class=2), IDS, P, w), want, rtol=1e-10)


def test_images():
    rng = np.random.default_rng(0)
    a = rng.random((5, 20, 24, 3))
    b = np.clip(a + 0.1 * rng.standard_normal(a.shape), 0, 1)
    want = np.mean(10 * np.log10(1.0 / np.mean((a - b) ** 2, axis=(1, 2, 3))))
    metric = metrics.get("psnr")
    for cut in (slice(0, 2), slice(2, 5)):
        metric.update_state(a[cut], b[cut])
    np.testing.assert_allclose(metric.result(), want, rtol=1e-12)

    def blur(x):
        for axis in (1, 2):
            x = scipy.ndimage.gaussian_filter1d(x, 1.5, axis=axis, radius=5)
        return x[:, 5:-5, 5:-5]

    u, v = blur(a), blur(b)
    su, sv, suv = blur(a * a) - u * u, blur(b * b) - v * v, blur(a * b) - u * v
    want = np.mean((2 * u * v + 1e-4) * (2 * suv + 9e-4) / ((u * u + v * v + 1e-4) * (su + sv + 9e-4)))
    metric = metrics.get("ssim")
    for cut in (slice(0, 2), slice(2, 5)):
        metric.update_state(a[cut], b[cut])
    np.testing.assert_allclose(metric.result(), want, rtol=1e-10)
    assert metrics.SSIM()(a, a) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 11"):
        metrics.SSIM()(a[:, :5], a[:, :5])


def test_masks_of_images_and_ids_of_keras():
    y, p = RNG.randint(0, 2, (6, 8, 8)), RNG.rand(6, 8, 8, 1)
    flat, guess = y.ravel(), (p.ravel() > 0.5).astype(int)
    assert metrics.Dice()(y, p) == pytest.approx(sk.f1_score(flat, guess), rel=1e-12)
    assert metrics.MeanIoU(2)(y[..., None], p) == pytest.approx(
        sk.jaccard_score(flat, guess, average="macro")
    )
    classes, scores = RNG.randint(0, 3, (6, 8, 8)), RNG.rand(6, 8, 8, 3)
    want = sk.jaccard_score(classes.ravel(), scores.argmax(-1).ravel(), average="macro")
    assert metrics.MeanIoU(3)(classes, scores) == pytest.approx(want)
    assert metrics.MeanIoU(3)(classes, scores.argmax(-1)) == pytest.approx(want)  # both ids, as in Keras


def test_losses_as_metrics():
    y, p = RNG.rand(N, 3), RNG.rand(N, 3)
    cosine = np.sum(y * p, 1) / np.linalg.norm(y, axis=1) / np.linalg.norm(p, axis=1)
    np.testing.assert_allclose(stream(metrics.get("cosine_similarity"), y, p), cosine.mean(), rtol=1e-10)
    for cls, loss in ((metrics.Hinge, losses.Hinge), (metrics.Poisson, losses.Poisson),
                      (metrics.KLDivergence, losses.KLDivergence), (metrics.LogCoshError, losses.LogCosh),
                      (metrics.MeanAbsolutePercentageError, losses.MeanAbsolutePercentageError)):  # fmt: skip
        np.testing.assert_allclose(stream(cls(), y, p), loss()(y, p), rtol=1e-10)
    got = stream(metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), y, p)
    np.testing.assert_allclose(got, losses.BinaryCrossentropy(True, 0.1)(y, p), rtol=1e-10)
    assert metrics.Hinge(name="mine").name == "mine"


@pytest.mark.parametrize(
    "metric, y, p, message",
    [
        (metrics.F1Score(), IDS[:9], P[:8], "must have shape"),
        (metrics.F1Score(), IDS[:8, None, None], P[:8], "must have shape"),
        (metrics.MeanIoU(), np.ones((4, 2)), np.ones((4, 3)), "must have shape"),
        (metrics.MeanIoU(2), IDS, P, "num_classes is 2"),
        (metrics.AUC(), np.ones((4, 2)), np.ones((4, 3)), "nothing is broadcast"),
        (metrics.PSNR(), np.ones((2, 4, 4, 1)), np.ones((2, 4, 4, 3)), "nothing is broadcast"),
        (metrics.Precision(), IDS, P, r"F1Score\(average='macro'\)"),
        (metrics.get("ece"), np.ones((4, 2)), np.ones((4, 3)), "nothing is broadcast"),
    ],
)
def test_shapes_are_refused(metric, y, p, message):
    with pytest.raises(ValueError, match=message):
        metric.update_state(y, p)


@pytest.mark.parametrize("ids", [[0, 4], [-1, 0]])
def test_ids_out_of_range_are_refused(ids):
    with pytest.raises(IndexError):
        metrics.F1Score().update_state(np.array(ids), P[:2])
        metrics.F1Score().result()


NAMES = [
    "accuracy",
    "auc",
    "pr_auc",
    "f1_score",
    "balanced_accuracy",
    "mcc",
    "mean_iou",
    "ece",
    "cohen_kappa",
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [1, 4])
def test_names_in_compile_captured_and_eager_alike(classes):
    x = RNG.rand(N, 6).astype("float32")
    y = IDS if classes > 1 else B
    results = []
    for eager in (False, True):
        set_random_seed(0)
        head = Dense(classes, activation="softmax" if classes > 1 else "sigmoid")
        model = Sequential([Dense(8, activation="tanh", input_shape=(6,)), head])
        loss = "sparse_categorical_crossentropy" if classes > 1 else "binary_crossentropy"
        names = [*NAMES, "precision", "recall", *(["perplexity", "top_k"] if classes > 1 else ["dice"])]
        model.compile("adam", loss, metrics=names, weighted_metrics=[metrics.AUC(name="weighted_auc")],
                      run_eagerly=eager)  # fmt: skip
        history = model.fit(x, y, epochs=4, batch_size=50, validation_data=(x, y), sample_weight=W, verbose=0)
        results.append((history.history, model.evaluate(x, y, batch_size=37, verbose=0, return_dict=True)))
        assert any(step.plan is not None for _, step in model._steps) != eager
        stamps = model.train_on_batch(x[:40], y[:40], return_dict=True)
        assert set(stamps) == {"loss", *names, "weighted_auc"}
    assert results[0] == results[1]
    got, p = results[0][1], None
    set_random_seed(0)
    p = model.predict(x)
    model.evaluate(x, y, verbose=0)
    again = model.evaluate(x, y, batch_size=37, verbose=0, return_dict=True)
    want = sk.roc_auc_score(
        y, p if classes > 1 else p[:, 0], **({"multi_class": "ovr"} if classes > 1 else {})
    )
    assert again["auc"] == pytest.approx(want, rel=1e-6) and got.keys() == again.keys()
    guess = p.argmax(1) if classes > 1 else (p[:, 0] > 0.5).astype(int)
    want = sk.f1_score(y, guess, average="macro" if classes > 1 else "binary")
    assert again["f1_score"] == pytest.approx(want, rel=1e-9)
    want = sk.recall_score(y, guess, average="macro" if classes > 1 else "binary")
    assert again["recall"] == pytest.approx(want, rel=1e-9)


def test_metrics_on_the_host_are_left_out_of_running_logs_and_fed_by_generators():
    x, seen = RNG.rand(N, 6), []
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(6,))])
    model.compile("adam", "binary_crossentropy", metrics=["auc", "accuracy"])
    hook = pylearn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(set(logs)))
    stream_of = [(x[i : i + 31], B[i : i + 31]) for i in range(0, N, 31)]

    class Batches:
        def __iter__(self):
            return iter(stream_of)

    history = model.fit(Batches(), epochs=2, verbose=0, callbacks=[hook], validation_data=Batches()).history
    assert all(names == {"loss", "accuracy"} for names in seen)
    want = sk.roc_auc_score(B, model.predict(x)[:, 0])
    assert history["val_auc"][-1] == pytest.approx(want, rel=1e-6) and len(history["auc"]) == 2


def test_one_value_per_class_is_a_log_each():
    model = Sequential([Dense(4, activation="softmax", input_shape=(6,))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[metrics.F1Score()])
    history = model.fit(RNG.rand(N, 6), IDS, verbose=0).history
    assert set(history) == {"loss", "f1_score_0", "f1_score_1", "f1_score_2", "f1_score_3"}


def test_masks_leave_places_out():
    ids = RNG.randint(0, 5, (40, 7))
    set_random_seed(0)
    model = Sequential([Embedding(5, 4, mask_zero=True, input_length=7), Dense(5, activation="softmax")])
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "perplexity", "f1_score", "ece", "auc"],
    )
    got = model.evaluate(ids, ids, verbose=0, return_dict=True)
    p, kept = model.predict(ids), ids != 0
    assert got["accuracy"] == pytest.approx((p.argmax(-1) == ids)[kept].mean())
    assert got["perplexity"] == pytest.approx(
        math.exp(sk.log_loss(ids[kept], p[kept], labels=range(5))), rel=1e-5
    )
    assert got["f1_score"] == pytest.approx(
        sk.f1_score(ids[kept], p[kept].argmax(-1), average="macro"), rel=1e-9
    )
    want = np.mean([sk.roc_auc_score(ids[kept] == k, p[kept][:, k]) for k in range(1, 5)])
    assert got["auc"] == pytest.approx(want, rel=1e-6)
