import math

import pytest
import torch
from torch import Tensor

from model.localization.localize import Activation
from model.network import Ecm
from training.configuration.objective import ClassWeights, Objective
from training.losses import (
    LossTerms,
    a2c_loss,
    balancing_weights,
    c2c_loss,
    classification_loss,
    segment_loss,
    stream_scores,
    weighted_terms,
)


def loss_terms(
    objective: Objective, network: Ecm, features_BTD: Tensor, labels_BC: Tensor
) -> dict[str, Tensor]:
    """Returns the loss terms of a batch, computed without dropout keys."""
    scores = stream_scores(objective, network, features_BTD, labels_BC)
    return weighted_terms(objective, scores, labels_BC)


def test_classification_loss_of_known_logits() -> None:
    """Equal logits of four classes give log 4 for any number of labels."""
    labels_BC = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 1]])
    assert classification_loss(torch.zeros(2, 4), labels_BC, "softmax").item() == pytest.approx(
        1.3862944
    )


def test_consistency_loss_is_the_mean_squared_difference() -> None:
    """Eq. 3, mean over videos and classes."""
    assert c2c_loss(torch.tensor([[1.0, 2]]), torch.tensor([[3.0, 2]])).item() == 2


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a2c_loss_falls_when_presence_shows_and_absence_does_not(activation: Activation) -> None:
    """Eq. 4 is low for a strong action logit and high for a strong absence logit."""
    labels_BC = torch.tensor([[1.0, 0]])
    strong, weak = torch.tensor([[9.0, 0]]), torch.zeros(1, 2)
    right = a2c_loss(strong, -strong, labels_BC, activation).item()
    unsure = a2c_loss(weak, weak, labels_BC, activation).item()
    wrong = a2c_loss(-strong, strong, labels_BC, activation).item()
    assert right < unsure < wrong
    assert right == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("softmax", (math.log(4) + math.log(4 / 3)) / 2), ("sigmoid", math.log(2))],
)
@pytest.mark.parametrize("shown", [[1.0, 0], [1.0, 1]])
def test_a2c_loss_of_equal_logits(
    activation: Activation, expected: float, shown: list[float]
) -> None:
    """Half the sum of -log score and -log(1 - score), mean over the classes of a video."""
    logits_BC, labels_BC = torch.zeros(1, 2), torch.tensor([shown])
    loss = a2c_loss(logits_BC, logits_BC, labels_BC, activation)
    assert loss.item() == pytest.approx(expected)


def test_weights_multiply_the_contribution_of_present_classes() -> None:
    """A class of weight 3 counts three times where it is shown, and once where it is not."""
    logits_BC, labels_BC = torch.zeros(1, 2), torch.tensor([[1.0, 0]])
    weight_C = torch.tensor([3.0, 5.0])
    sigmoid = classification_loss(logits_BC, labels_BC, "sigmoid", weight_C)
    assert sigmoid.item() == pytest.approx((3 + 1) * math.log(2) / 2)
    softmax = classification_loss(logits_BC, labels_BC, "softmax", weight_C)
    assert softmax.item() == pytest.approx(3 * math.log(2))


def test_video_without_labels_counts_in_the_sigmoid_loss_only() -> None:
    """L_cls lowers every class, and L_a2c is 0."""
    none_BC, strong = torch.zeros(1, 2), torch.tensor([[9.0, 9]])
    low = classification_loss(-strong, none_BC, "sigmoid")
    assert low.item() == pytest.approx(0, abs=1e-3)
    assert classification_loss(strong, none_BC, "sigmoid").item() == pytest.approx(9, abs=1e-3)
    assert classification_loss(strong, none_BC, "softmax").item() == 0
    assert a2c_loss(strong, strong, none_BC, "sigmoid").item() == 0


def test_total_is_the_weighted_sum(network: Ecm) -> None:
    """Eq. 5; a term of weight 0 is absent."""
    features_BTD, labels_BC = torch.randn(2, 12, 8), torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    objective = Objective(pre=2, post=0, alpha=0.5, beta=3)
    losses = loss_terms(objective, network, features_BTD, labels_BC)
    assert set(losses) == {"cls_pre", "c2c", "a2c", "total"}
    expected = 2 * losses["cls_pre"] + 0.5 * losses["c2c"] + 3 * losses["a2c"]
    assert losses["total"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_weight_transition_learns_from_the_post_stream_alone(network: Ecm) -> None:
    """The transition is not detached: L_cls,o reaches both it and the classifier."""
    features_BTD, labels_BC = torch.randn(1, 12, 8), torch.tensor([[1.0, 0, 0]])
    objective = Objective(pre=0, alpha=0, beta=0)
    loss_terms(objective, network, features_BTD, labels_BC)["total"].backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_balancing_weights_make_classes_count_the_same() -> None:
    """Three videos of one class and one of another; a class without videos has weight 1."""
    labels_VC = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert balancing_weights(labels_VC, "softmax").tolist() == pytest.approx([2 / 3, 2, 1])
    assert balancing_weights(labels_VC, "sigmoid").tolist() == pytest.approx([1 / 3, 3, 1])
    weight_C = balancing_weights(labels_VC, "softmax")
    logits_VC = torch.zeros(4, 3)
    weighted = classification_loss(logits_VC, labels_VC, "softmax", weight_C)
    assert weighted.item() == pytest.approx(
        classification_loss(logits_VC, labels_VC, "softmax").item()
    )


def test_term_of_weight_0_costs_nothing(network: Ecm) -> None:
    """Without a term that needs them, the post-classification and absence logits are None."""
    features_BTD, labels_BC = torch.randn(2, 6, 8), torch.ones(2, 3)
    for weights, expected in (
        ({"post": 0, "alpha": 0, "beta": 0}, (True, True)),
        ({"post": 0, "beta": 0}, (False, True)),
        ({"beta": 0}, (False, True)),
        ({"post": 0, "alpha": 0}, (False, False)),
    ):
        scores = stream_scores(Objective(**weights), network, features_BTD, labels_BC)
        assert (scores.post_BC is None, scores.absence_BC is None) == expected, weights


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_losses_of_a_batch_are_the_weighted_means_of_its_parts(
    network: Ecm, activation: Activation
) -> None:
    """Gradients can therefore be accumulated and shared among processes."""
    features_BTD = torch.randn(5, 12, 8)
    labels_BC = torch.tensor([[1.0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1], [0, 1, 0]])
    objective = Objective(activation=activation)
    whole = loss_terms(objective, network, features_BTD, labels_BC)
    first = loss_terms(objective, network, features_BTD[:2], labels_BC[:2])
    rest = loss_terms(objective, network, features_BTD[2:], labels_BC[2:])
    for name, value in whole.items():
        assert value.item() == pytest.approx(0.4 * first[name].item() + 0.6 * rest[name].item())


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("sigmoid", (math.log1p(math.exp(-2)) + 3 * math.log(2)) / 4),
        ("softmax", (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(-0.5))) / 2),
    ],
)
def test_segment_loss_of_known_logits(activation: Activation, expected: float) -> None:
    """The mean over a video whose one segment is its first snippet."""
    cas_BTC = torch.tensor([[[2.0], [0.0], [0.0], [0.0]]])
    target_BTC = torch.tensor([[[1.0], [0.0], [0.0], [0.0]]])
    assert segment_loss(cas_BTC, target_BTC, activation).item() == pytest.approx(expected)


def test_segment_loss_counts_known_snippets_alone() -> None:
    """Each video contributes the mean over its known snippets; others get no gradient."""
    nan = float("nan")
    cas_BTC = torch.tensor([[[0.0], [2.0]], [[3.0], [4.0]]], requires_grad=True)
    target_BTC = torch.tensor([[[1.0], [nan]], [[nan], [nan]]])
    loss = segment_loss(cas_BTC, target_BTC, "sigmoid")
    assert loss.item() == pytest.approx(math.log(2) / 2)
    loss.backward()
    assert cas_BTC.grad is not None
    assert cas_BTC.grad.flatten().tolist() == pytest.approx([-0.25, 0, 0, 0])


def test_segment_loss_of_a_softmax_ignores_the_level_of_a_class() -> None:
    """Classes without a segment do not count, and a video without known targets gives 0."""
    cas_BTC = torch.randn(2, 6, 3)
    target_BTC = torch.zeros(2, 6, 3)
    target_BTC[:, 2:4, 0] = 1
    target_BTC[1] = torch.nan
    loss = segment_loss(cas_BTC, target_BTC, "softmax")
    assert loss.item() > 0
    moved_BTC = cas_BTC + torch.tensor([5.0, 0, 0])
    moved_BTC[..., 1:] = torch.randn(2, 6, 2)
    assert segment_loss(moved_BTC, target_BTC, "softmax").item() == pytest.approx(loss.item())
    assert segment_loss(cas_BTC[1:], target_BTC[1:], "softmax").item() == 0


def test_segments_are_one_more_term_of_the_total(network: Ecm) -> None:
    """It is there only with targets and a weight."""
    features_BTD, labels_BC = torch.randn(2, 6, 8), torch.ones(2, 3)
    target_BTC = torch.rand(2, 6, 3)
    for objective, given, expected in (
        (Objective(segment_weight=2), target_BTC, True),
        (Objective(segment_weight=2), None, False),
        (Objective(segment_weight=0), target_BTC, False),
    ):
        scores = stream_scores(objective, network, features_BTD, labels_BC)
        terms = weighted_terms(objective, scores, labels_BC, target_BTC=given)
        assert ("segments" in terms) is expected
        tags = weighted_terms(objective, scores, labels_BC)["total"]
        added = 2 * terms["segments"] if expected else torch.zeros(())
        torch.testing.assert_close(terms["total"], tags + added)


@pytest.mark.parametrize("class_weights", ["equal", "balanced"])
def test_the_module_computes_the_terms_of_a_batch(
    network: Ecm, class_weights: ClassWeights
) -> None:
    """Network, streams, class weights and targets in one call; dropout follows from the keys."""
    features_BTD, labels_BC = torch.randn(2, 12, 8), torch.tensor([[1.0, 0, 0], [1, 1, 0]])
    keys_B, target_BTC = torch.tensor([3, 4], dtype=torch.int32), torch.rand(2, 12, 3)
    objective = Objective(class_weights=class_weights)
    terms = LossTerms(network.train(), objective, labels_BC, in_bf16=False)
    scores = stream_scores(objective, network, features_BTD, labels_BC, keys_B)
    weight_C = balancing_weights(labels_BC, "softmax") if class_weights == "balanced" else None
    expected = weighted_terms(objective, scores, labels_BC, weight_C, target_BTC)
    assert set(expected) == {"cls_pre", "cls_post", "c2c", "a2c", "segments", "total"}
    torch.testing.assert_close(terms(features_BTD, labels_BC, keys_B, target_BTC), expected)


def test_losses_are_float32_where_the_network_computes_in_bfloat16(network: Ecm) -> None:
    """Every term is near its float32 value, and not equal to it."""
    features_BTD, labels_BC = torch.randn(2, 12, 8), torch.tensor([[1.0, 0, 0], [1, 1, 0]])
    keys_B = torch.tensor([3, 4], dtype=torch.int32)
    exact, rounded = (
        LossTerms(network, Objective(), labels_BC, in_bf16=in_bf16)(features_BTD, labels_BC, keys_B)
        for in_bf16 in (False, True)
    )
    assert {term.dtype for term in rounded.values()} == {torch.float32}
    for name, term in exact.items():
        assert rounded[name].item() == pytest.approx(term.item(), rel=0.1, abs=0.01), name
    assert rounded["total"].item() != exact["total"].item()
