"""The linear probe beside scikit-learn's logistic regression, which solves the same problem."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mnist_lightning.learning_curve.linear_probe import WEIGHT_DECAY, fit_probe


def test_probe_finds_the_weights_that_scikit_learn_finds() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 10
    centres = torch.randn(10, 30, generator=generator)
    features = (3 * torch.randn(200, 30, generator=generator) + centres[labels]).half()
    probe = fit_probe(features, labels)
    assert probe.converged

    scaled = StandardScaler().fit_transform(features.float().numpy())
    # StandardScaler divides by the deviation with divisor n, the probe by that with n - 1.
    scaled = scaled * np.sqrt(199 / 200)
    expected = LogisticRegression(
        C=1 / (WEIGHT_DECAY * len(labels)), tol=1e-8, max_iter=10_000
    ).fit(scaled, labels)
    # With little decay the optimum is flat: both stop near it.
    np.testing.assert_allclose(probe.weight.numpy(), expected.coef_, atol=2e-2)
    assert (probe.predict(features).numpy() == expected.predict(scaled)).mean() > 0.99


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_a_feature_that_does_not_vary_changes_nothing(constant: float) -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(50) % 10
    features = torch.randn(50, 20, generator=generator)
    more = torch.cat([features, torch.full((50, 1), constant)], dim=1)
    probe, wider = fit_probe(features, labels), fit_probe(more, labels)
    assert wider.weight.isfinite().all()
    torch.testing.assert_close(wider.weight[:, :20], probe.weight, atol=1e-3, rtol=0)
