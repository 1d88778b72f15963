"""The FID-Med network: names of public state dicts, its input, its projection."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference.metrics import features as fm
from inference.metrics.inception import CHILDREN, InceptionV3, inception_state


def test_full_width_has_the_published_size() -> None:
    with torch.device("meta"):
        network = InceptionV3(in_channels=3, multiplier=1.0)
    # Published: 23,834,568 weights without the auxiliary head, 2,049,000 of them in the classifier.
    assert sum(p.numel() for p in network.parameters()) == 23_834_568 - 2_049_000
    assert network.width == 2048


def test_torchvision_and_numbered_state_dicts_load() -> None:
    network = InceptionV3(in_channels=3, multiplier=0.1)
    state = network.state_dict()
    torchvision_style = {**state, "fc.weight": torch.zeros(1), "AuxLogits.fc.bias": torch.zeros(1)}
    numbered = {}
    for key, value in state.items():
        head, rest = key.split(".", 1)
        numbered[f"backbone.{CHILDREN.index(head)}.{rest}"] = value
    for foreign in (torchvision_style, numbered, {f"module.{k}": v for k, v in state.items()}):
        InceptionV3(in_channels=3, multiplier=0.1).load_state_dict(inception_state(foreign), strict=True)
    with pytest.raises(ValueError, match="holds no Inception-V3 layers"):
        inception_state({"layer1.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="numbers a layer 99"):
        inception_state({"backbone.99.weight": torch.zeros(1)})


def test_input_has_a_fixed_range_and_size() -> None:
    air = fm.network_image(np.full((50, 64), -1024, np.float32), "CT", 2924.0)
    assert air.shape == (1, fm.INPUT_SIZE, fm.INPUT_SIZE)
    assert torch.allclose(air, torch.full_like(air, -1.0))
    bright = fm.network_image(np.full((64, 50), 300, np.float32), "MR", 300.0)
    assert torch.allclose(bright, torch.ones_like(bright))


def test_features_do_not_depend_on_the_batch_and_project_to_32() -> None:
    generator = np.random.default_rng(0)
    images = [generator.uniform(0, 255, (80, 90)).astype(np.float32) for _ in range(3)]
    together = fm.features(images, "US", 255.0)
    alone = fm.features(images[1:2], "US", 255.0)
    assert together.shape == (3, fm.load_backbone().trunk.width)
    assert np.array_equal(together[1], alone[0])
    assert fm.project(together).shape == (3, 32)
    assert fm.features([], "US", 255.0).shape == (0, together.shape[1])
    distance = fm.feature_distance(together, together[::-1])
    assert distance[1] == 0.0 and distance[0] == pytest.approx(distance[2]) and distance[0] > 0


def test_shipped_features_tell_more_noise_from_less() -> None:
    generator = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    clean = (120 + 80 * np.sin(8 * x) * np.cos(5 * y)).astype(np.float32)
    versions = [clean] + [clean + generator.normal(0, s, clean.shape).astype(np.float32) for s in (3, 60)]
    values = fm.features(versions, "US", 255.0)
    near, far = (fm.feature_distance(values[:1], values[i : i + 1])[0] for i in (1, 2))
    assert far > near


def test_principal_components_by_hand() -> None:
    values = np.array([[1.0, 0.0, 5.0], [-1.0, 0.0, 5.0], [3.0, 0.0, 5.0], [-3.0, 0.0, 5.0]], np.float32)
    mean, components = fm.principal_components(values, 1)
    projected = (values - mean) @ components.T
    assert mean.tolist() == [0.0, 0.0, 5.0]
    assert projected.var(ddof=1) == pytest.approx(1.0)
    assert abs(components[0, 1]) < 1e-6 and abs(components[0, 2]) < 1e-6
