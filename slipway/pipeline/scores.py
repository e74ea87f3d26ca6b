"""What each sample adds to a metric: arrays (n, ...) of outputs and labels, so that variants are compared in pairs."""

import numpy as np

LEAST = float(np.finfo(np.float32).eps)  # of a probability, so that one that is 0 costs 16 nats and not infinity


def label_and_answer(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Integer (n, 2)."""
    pairs: np.ndarray = np.stack([labels, _flat(output).argmax(axis=1)], axis=1)
    return pairs


def correct(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    hit: np.ndarray = _flat(output).argmax(axis=1) == labels
    return hit.astype(np.float64)


def among_first(output: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """1 where the label is among the `count` highest classes; of classes that tie the lower number comes first."""
    highest = np.argsort(-_flat(output), axis=1, kind="stable")[:, :count]
    hit: np.ndarray = (highest == labels[:, None]).any(axis=1)
    return hit.astype(np.float64)


def log_loss(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln of the probability that the label got, as a share of all."""
    shares = np.maximum(_flat(output).astype(np.float64), LEAST)
    loss: np.ndarray = -np.log(shares[np.arange(len(shares)), labels] / shares.sum(axis=1))
    return loss


def area(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each sample adds to the area under the ROC curve: the mean is the area, its spread the area's own.

    Each class against all others, their plain mean; of two classes the second one. The terms are the placements of
    E. DeLong et al., Biometrics 44 (1988) 837-845, so paired differences of them bound a drop. Classes that no sample
    has, or all have, tell nothing.
    """
    scores = _flat(output).astype(np.float64)
    if scores.shape[1] == 2:
        scores, labels = scores[:, 1:] - scores[:, :1], labels - 1
    known = [each for each in range(scores.shape[1]) if 0 < (labels == each).sum() < len(labels)]
    if not known:
        return np.zeros(len(labels))
    found: np.ndarray = np.mean([_placements(scores[:, each], labels == each) for each in known], axis=0)
    return found


def squared_error(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _mean(np.square(_errors(output, labels)))


def absolute_error(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _mean(np.abs(_errors(output, labels)))


def share_of_error(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The absolute error as a share of the label, which is not 0."""
    return _mean(np.abs(_errors(output, labels) / _flat(labels)))


def explained(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each sample adds to R2, one less the squared error in the labels' variance: the mean is R2, the spread its
    own to first order. Of several values a sample the plain mean of their R2."""
    errors, spread = np.square(_errors(output, labels)), np.square(_flat(labels) - _flat(labels).mean(axis=0))
    unexplained = errors.mean(axis=0) / spread.mean(axis=0)
    return _mean(1 - unexplained - (errors - unexplained * spread) / spread.mean(axis=0))


def cosine(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    ours, theirs = (_flat(each).astype(np.float64) for each in (output, labels))
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    similar: np.ndarray = (ours * theirs).sum(axis=1) / np.maximum(norms, 1e-12)
    return similar


def together(output: np.ndarray | dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Label and output of each sample in one array with these two fields, for a figure of the whole set; of outputs by
    name the second has a field for each."""
    if isinstance(output, dict):
        fields = np.empty(len(labels), [(name, each.dtype, each.shape[1:]) for name, each in output.items()])
        for name, each in output.items():
            fields[name] = each
        output = fields
    rows = np.empty(
        len(labels),
        [("label", labels.dtype, labels.shape[1:]), ("output", output.dtype, output.shape[1:])],
    )
    rows["label"], rows["output"] = labels, output
    return rows


def apart(output: np.ndarray) -> np.ndarray | dict[str, np.ndarray]:
    """The output of `together`, or outputs by name, as they were handed to it."""
    names = output.dtype.names
    return output if names is None else {name: output[name] for name in names}


def _placements(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    others = np.where(positive, _shares_below(below, scores), 1 - _shares_below(above, scores))
    figure = others[positive].mean()
    weights = np.where(positive, positive.mean(), 1 - positive.mean())
    placed: np.ndarray = figure + (others - figure) / weights
    return placed


def _shares_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of `ordered` below each value; what is equal counts half."""
    sides: np.ndarray = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return sides / (2 * len(ordered))


def _errors(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    errors: np.ndarray = _flat(output).astype(np.float64) - _flat(labels)
    return errors


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)


def _mean(values: np.ndarray) -> np.ndarray:
    mean: np.ndarray = values.mean(axis=1)
    return mean
