"""Explanations of held-out digits: what they point at is what the answer comes from."""

import time

import numpy as np
from slipway.service.explain.worker import Explainer

SAMPLES, SHARE = 100, 0.1


def test_removing_the_most_credited_pixels_changes_answers_as_random_ones_do_not(models, held_out):
    explainer = Explainer(models["digits"])
    images, _ = held_out
    mean, generator = explainer._background["image"][0].ravel(), np.random.default_rng(0)
    count = round(SHARE * mean.size)
    lost, changed, times = {"top": 0.0, "random": 0.0}, {"top": 0, "random": 0}, []
    for image in images[:SAMPLES]:
        begin = time.perf_counter()
        asked = {"inputs": {"image": image.tolist()}, "target": None, "method": "shapley", "seconds": 2.0}
        told = explainer.explain(asked)
        times.append(time.perf_counter() - begin)
        credits = np.asarray(told["attributions"]["image"])
        assert abs(credits.sum() - (told["value"] - told["baseline"])) < 1e-6
        places = {"top": np.argsort(-credits.ravel())[:count], "random": generator.permutation(mean.size)[:count]}
        for kind, at in places.items():
            without = image.ravel().copy()
            without[at] = mean[at]
            answer = explainer._values({"image": without.reshape(1, *image.shape)})[0]
            lost[kind] += (told["value"] - answer[int(told["target"])]) / SAMPLES
            changed[kind] += int(answer.argmax() != int(told["target"]))
    print(
        f"\n{count} of {mean.size} pixels: lost {lost}, changed {changed} of {SAMPLES}, {np.median(times):.3f} s each"
    )
    assert lost["top"] > 5 * lost["random"]
    assert changed["top"] > 4 * max(1, changed["random"])
