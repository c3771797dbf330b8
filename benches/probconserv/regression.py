"""Gaussian process regression in time and space: one covariance for a family of functions, learned from many of them, and
conditioned on the few points of each. Mean and covariance are what a repair needs."""
import numpy as np

NUGGET = 1e-6


def matern(distance, smoothness):
    if smoothness == 0.5:
        return np.exp(-distance)
    if smoothness == 1.5:
        s = np.sqrt(3) * distance
        return (1 + s) * np.exp(-s)
    s = np.sqrt(5) * distance
    return (1 + s + s * s / 3) * np.exp(-s)


def distances(a, b, lengths):
    return np.sqrt((((a[:, None] - b[None]) / lengths) ** 2).sum(-1))


class Regression:
    """Matern's covariance with a length in time and one in space, the most likely for all functions together."""

    def __init__(self, functions):
        self.mean = float(np.mean([values.mean() for _, values in functions]))
        spans = np.max([np.ptp(points, axis=0) for points, _ in functions], axis=0)
        best = (-np.inf,)
        for smoothness in (0.5, 1.5, 2.5):
            lengths, factor, found = spans * 1.0, 4.0, None
            found = self.likelihood(functions, smoothness, lengths)
            while factor > 1.1:
                moved = False
                for axis in (0, 1):
                    for change in (factor, 1 / factor):
                        trial = lengths.copy()
                        trial[axis] *= change
                        value = self.likelihood(functions, smoothness, trial)
                        if value[0] > found[0]:
                            lengths, found, moved = trial, value, True
                if not moved:
                    factor = factor ** 0.5
            if found[0] > best[0]:
                best = (*found, smoothness, lengths)
        self.logarithm, self.variance, self.smoothness, self.lengths = best

    def likelihood(self, functions, smoothness, lengths):
        """Log-likelihood a point with the most likely variance, and that variance."""
        square = logarithm = count = 0.0
        for points, values in functions:
            matrix = matern(distances(points, points, lengths), smoothness)
            factor = np.linalg.cholesky(matrix + NUGGET * np.eye(len(matrix)))
            square += (np.linalg.solve(factor, values - self.mean) ** 2).sum()
            logarithm += 2 * np.log(np.diag(factor)).sum()
            count += len(values)
        variance = square / count
        return -0.5 * (np.log(2 * np.pi * variance) + 1 + logarithm / count), variance

    def predict(self, points, values, targets):
        """Mean and covariance at the targets."""
        matrix = matern(distances(points, points, self.lengths), self.smoothness) + NUGGET * np.eye(len(points))
        across = matern(distances(points, targets, self.lengths), self.smoothness)
        solved = np.linalg.solve(matrix, across)
        prior = matern(distances(targets, targets, self.lengths), self.smoothness)
        covariance = self.variance * (prior - across.T @ solved + NUGGET * np.eye(len(targets)))
        return self.mean + solved.T @ (values - self.mean), 0.5 * (covariance + covariance.T)
