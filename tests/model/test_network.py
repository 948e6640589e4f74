"""The network, compared with the released code and with plain loops."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.network import Ecm, EcmConfig, aggregate
from model.spec import AbsenceTerm
from training.configuration.objective import Objective
from training.losses import stream_scores, weighted_terms
from training.released_checkpoint import NAMES

PRESETS = ["thumos14", "activitynet13"]


def golden_network(golden: dict, arrays: dict) -> tuple[Ecm, Tensor, Tensor]:
    """Draws weights and features as the reference did."""
    rng = np.random.default_rng(golden["seed"])
    state = {}
    for name, shape in golden["parameters"]:
        fan = np.prod(shape[1:]) if len(shape) > 1 else 100
        values = rng.standard_normal(shape) / np.sqrt(fan)
        state[NAMES[name]] = torch.from_numpy(values.astype(np.float32))
    shape = golden["batch"], golden["feature_dim"], golden["snippets"]
    features_BDT = (np.abs(rng.standard_normal(shape)) * 0.3).astype(np.float32)
    network = Ecm(EcmConfig(golden["feature_dim"], golden["classes"])).eval()
    network.load_state_dict(state)
    return network, torch.from_numpy(features_BDT).mT.contiguous(), torch.tensor(arrays["labels"])


@pytest.mark.parametrize("name", PRESETS)
def test_network_losses_and_gradients_equal_the_released_code(
    name: str, shared: Callable[[str], Path]
) -> None:
    """CAS, scores and each loss agree to 1e-4 relative, and the norm of each gradient to 1e-3."""
    golden = json.loads(shared(f"golden/network_{name}.json").read_text())
    arrays = np.load(shared(f"golden/network_{name}.npz"))
    network, features_BTD, labels_BC = golden_network(golden, arrays)
    objective = Objective(
        topk_ratio=golden["topk_ratio"],
        alpha=golden["alpha"],
        beta=golden["beta"],
        absence="released",
    )
    scores = stream_scores(objective, network, features_BTD, labels_BC)
    expected = {
        "cas_BTC": arrays["cas"].swapaxes(1, 2),
        "pre_BC": arrays["score_pre"],
        "post_BC": arrays["score_post"],
    }
    for field, value in expected.items():
        got = getattr(scores, field).detach().numpy()
        np.testing.assert_allclose(got, value, atol=1e-4 * np.abs(value).max())
    joint = torch.cat([scores.post_BC, scores.absence_BC], dim=1).softmax(dim=1)
    np.testing.assert_allclose(joint.detach().numpy(), arrays["score_agg"], atol=1e-4)
    probability = scores.pre_BC.softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(probability, arrays["probability"], atol=1e-4)

    losses = weighted_terms(objective, scores, labels_BC)
    for term, value in golden["losses"].items():
        assert losses[term].item() == pytest.approx(value, rel=1e-4)
    losses["total"].backward()
    ours = dict(network.named_parameters())
    for term, norm in golden["gradient_norms"].items():
        assert ours[NAMES[term]].grad.norm().item() == pytest.approx(norm, rel=1e-3)


def test_padded_batch_equals_single_videos(network: Ecm) -> None:
    """Values beyond the length of a video have no influence, whatever they are."""
    torch.manual_seed(1)
    lengths_B = torch.tensor([13, 1, 7])
    features_BTD = torch.randn(3, 13, 8) * 5
    cas_BTC = network(features_BTD, lengths_B)
    for features_TD, cas_TC, length in zip(features_BTD, cas_BTC, lengths_B, strict=True):
        alone_TC = network(features_TD[None, :length])[0]
        torch.testing.assert_close(cas_TC[:length], alone_TC, atol=1e-5, rtol=1e-5)
        assert (cas_TC[length:] == 0).all()


@pytest.mark.parametrize("snippets", [1, 2, 3, 10, 12])
def test_aggregation_sums_every_third_snippet(snippets: int) -> None:
    """Fold k of class c is the plain weighted sum over snippets k, k + 3, ... (Figure 3)."""
    torch.manual_seed(2)
    features, weights = torch.randn(2, snippets, 5), torch.rand(2, snippets, 4)
    got = aggregate(features, weights)
    for video in range(2):
        for class_ in range(4):
            for fold in range(3):
                expected = sum(
                    (
                        weights[video, t, class_] * features[video, t]
                        for t in range(fold, snippets, 3)
                    ),
                    torch.zeros(5),
                )
                torch.testing.assert_close(got[video, :, fold, class_], expected)


def classify_one_by_one(network: Ecm, features_TD: Tensor, weights_TC: Tensor) -> Tensor:
    """The post-classification logits of one video, one class after the other."""
    logits = []
    for class_ in range(weights_TC.shape[1]):
        folds = [(weights_TC[i::3, class_, None] * features_TD[i::3]).sum(0) for i in range(3)]
        logits.append(network.classifier(torch.stack(folds, dim=1)[None])[0, class_].mean())
    return torch.stack(logits)


def absence_by_loops(
    network: Ecm, features: Tensor, w_a: Tensor, labels: Tensor, term: str
) -> Tensor:
    """The absence logits of one video, as described in model/network.py."""
    w_b = 1 - w_a
    if term == "paper":
        return classify_one_by_one(network, features, w_b)
    if term == "own":
        return classify_one_by_one(network, features, w_a * w_b)
    present = labels.nonzero()[:, 0].tolist()
    passes = {g: classify_one_by_one(network, features, w_a * w_b[:, [g]]) for g in present}
    mean = torch.stack(list(passes.values())).mean(dim=0)
    return torch.stack([passes[c][c] if c in passes else mean[c] for c in range(len(labels))])


@pytest.mark.parametrize("snippets", [11, 5, 1])
@pytest.mark.parametrize("term", ["paper", "own", "released"])
def test_absence_terms_equal_their_description(
    network: Ecm, term: AbsenceTerm, snippets: int
) -> None:
    """The vectorised terms equal those of plain loops, for few snippets too."""
    torch.manual_seed(3)
    features, w_a = torch.randn(2, snippets, 8), torch.rand(2, snippets, 3)
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    got = network.absence_logits(features, w_a, labels, term)
    expected = [absence_by_loops(network, features[b], w_a[b], labels[b], term) for b in range(2)]
    torch.testing.assert_close(got, torch.stack(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("term", ["paper", "own", "released"])
def test_post_logits_at_once_equal_those_apart(network: Ecm, term: AbsenceTerm) -> None:
    """One call for both kinds of logits equals a call for each."""
    features_BTD, weights_BTC = torch.randn(2, 11, 8), torch.rand(2, 11, 3)
    labels_BC = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    post_BC, absence_BC = network.post_logits(features_BTD, weights_BTC, labels_BC, term)
    torch.testing.assert_close(post_BC, network.classify_aggregated(features_BTD, weights_BTC))
    apart_BC = network.absence_logits(features_BTD, weights_BTC, labels_BC, term)
    torch.testing.assert_close(absence_BC, apart_BC)


@pytest.mark.parametrize("term", ["own", "released"])
def test_dropout_depends_on_a_videos_key_alone(network: Ecm, term: AbsenceTerm) -> None:
    """In training, a video has the same output in a batch as alone, with the same key."""
    network.train()
    features_BTD, weights_BTC = torch.randn(3, 11, 8), torch.rand(3, 11, 3)
    labels_BC = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 1]])
    keys_B = torch.tensor([5, 6, 7], dtype=torch.int32)
    post_BC, absence_BC = network.post_logits(features_BTD, weights_BTC, labels_BC, term, keys_B)
    cas_BTC = network(features_BTD, keys_B=keys_B)
    for video in range(3):
        one = slice(video, video + 1)
        post_1C, absence_1C = network.post_logits(
            features_BTD[one], weights_BTC[one], labels_BC[one], term, keys_B[one]
        )
        torch.testing.assert_close(post_BC[one], post_1C)
        torch.testing.assert_close(absence_BC[one], absence_1C)
        torch.testing.assert_close(cas_BTC[one], network(features_BTD[one], keys_B=keys_B[one]))
    assert not torch.allclose(cas_BTC, network.eval()(features_BTD))


def test_streams_that_share_nothing_have_a_classifier_each() -> None:
    """Without sharing (Table 4), the second classifier alone classifies aggregated features."""
    config = EcmConfig(8, 3, hidden_width=16, shared_classifier=False)
    network = Ecm(config)
    assert network.post_classifier is not None
    features_BTD, weights_BTC = torch.randn(2, 9, 8), torch.rand(2, 9, 3)
    network.classify_aggregated(features_BTD, weights_BTC).sum().backward()
    assert all(parameter.grad is None for parameter in network.classifier.parameters())
    assert all(parameter.grad is not None for parameter in network.post_classifier.parameters())


def test_agnostic_attention_weights_all_classes_alike() -> None:
    """Class-agnostic attention (Table 4) has one weight for each snippet."""
    network = Ecm(EcmConfig(8, 3, hidden_width=16, attention="agnostic"))
    weights_BTC = network.action_weights(network(torch.randn(2, 9, 8)))
    assert weights_BTC.shape == (2, 9, 3)
    assert (weights_BTC == weights_BTC[..., :1]).all()


def test_standardization_is_that_of_the_features_in_both_streams() -> None:
    """Raw features in a standardizing network equal standardized features in a plain one.

    Padding has no influence, although it is no longer equal to 0 inside the network.
    """
    torch.manual_seed(0)
    plain = Ecm(EcmConfig(8, 3, hidden_width=16)).eval()
    scaled = Ecm(EcmConfig(8, 3, hidden_width=16, standardized=True)).eval()
    mean_D, deviation_D = torch.randn(8), torch.rand(8) + 0.5
    statistics = {"standardize.mean_D": mean_D, "standardize.deviation_D": deviation_D}
    scaled.load_state_dict(plain.state_dict() | statistics)
    features_BTD, lengths_B = torch.randn(2, 20, 8), torch.tensor([20, 7])
    standard_BTD = (features_BTD - mean_D) / deviation_D
    weights_BTC = torch.rand(2, 20, 3)
    with torch.inference_mode():
        torch.testing.assert_close(
            scaled(features_BTD, lengths_B), plain(standard_BTD, lengths_B), rtol=0, atol=1e-5
        )
        torch.testing.assert_close(
            scaled.classify_aggregated(features_BTD, weights_BTC),
            plain.classify_aggregated(standard_BTD, weights_BTC),
            rtol=0,
            atol=1e-4,
        )
