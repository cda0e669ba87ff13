import numpy as np
import torch

from model.classifier import ClassifierConfig, build_classifier
from model.networks.modules import WideNetwork
from model.networks.optimiser import Optimiser


def _network() -> WideNetwork:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig(n_labels=4, n_characters=20, ngram_bits=12))
    assert isinstance(network, WideNetwork)
    return network


def _optimiser(network: WideNetwork, clip: float = 1.0) -> Optimiser:
    return Optimiser(network, learning_rate=0.01, ngram_learning_rate=0.1, weight_decay=0.1, gradient_clip=clip)


def test_a_step_changes_the_rows_of_its_batch_and_no_others() -> None:
    network, ids = _network(), torch.tensor([[1, 5, 6, 2], [1, 7, 8, 2]])
    table = network.wide.weights.weight
    torch.nn.init.normal_(table)
    before, deep = table.detach().clone(), next(network.deep.parameters()).detach().clone()
    optimiser = _optimiser(network)
    for share in (0.5, 1.0):
        optimiser.step(network(ids)[:, 0].sum(), share)
    changed = (table.detach() != before).any(dim=1).nonzero().flatten()
    assert changed.tolist() == sorted(set(network.wide.buckets(ids).flatten().tolist()))
    assert (next(network.deep.parameters()) != deep).any()


def test_gradients_are_clipped_together_those_of_the_table_too() -> None:
    network = _network()
    _optimiser(network, clip=0.5).step(1e4 * network(torch.tensor([[1, 5, 6, 2]]))[:, 0].sum(), 1.0)
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert sum(gradient.is_sparse for gradient in gradients) == 1
    norms = [torch.linalg.vector_norm(g.values() if g.is_sparse else g).item() for g in gradients]
    assert np.isclose(np.linalg.norm(norms), 0.5, rtol=1e-4)
