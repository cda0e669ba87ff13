import numpy as np
import pytest
import torch

from model.classifier import ClassifierConfig, build_classifier
from model.data.splitting import Split
from model.networks.blending import blend
from model.networks.inference import compute_outputs
from model.networks.language_model import LanguageModel
from model.networks.modules import WideNetwork
from model.training import encode_all
from model.utils import log_softmax


def _network(n_labels: int, n_characters: int, bits: int) -> WideNetwork:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig(n_labels=n_labels, n_characters=n_characters, ngram_bits=bits))
    assert isinstance(network, WideNetwork)
    return network


def test_what_is_added_is_a_share_of_the_language_model(split: Split) -> None:
    train, characters = split.train, split.train.characters()
    network = _network(len(train.labels), len(characters), bits=22)  # no two n-grams share a bucket, or nearly
    language = LanguageModel(encode_all(train, characters), train.label_ids, len(train.labels), 3 + len(characters))
    sequences = encode_all(split.validation, characters)
    before = compute_outputs(network, sequences, len(train.labels) + 1)
    share = blend(network, language, sequences, split.validation.label_ids)
    assert share > 0  # a network that was never trained has all to gain
    added = (compute_outputs(network, sequences, len(train.labels) + 1) - before)[:, :-1]
    expected = share * language.log_probs(sequences)
    assert np.allclose(log_softmax(added), log_softmax(expected), atol=0.05)
    assert (before[:, -1] == compute_outputs(network, sequences, len(train.labels) + 1)[:, -1]).all()  # of being a name


def test_an_opinion_that_does_not_help_is_left_out(split: Split) -> None:
    train, characters = split.train, split.train.characters()
    network = _network(len(train.labels), len(characters), bits=15)
    sequences = encode_all(split.validation, characters)
    misled = LanguageModel(
        encode_all(train, characters), (train.label_ids + 1) % 3, len(train.labels), 3 + len(characters)
    )
    before = compute_outputs(network, sequences, len(train.labels) + 1)
    assert blend(network, misled, sequences, split.validation.label_ids) == 0
    assert (compute_outputs(network, sequences, len(train.labels) + 1) == before).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_last_bucket_is_of_the_whole_ngram_wherever_it_stands(n: int) -> None:
    network, name = _network(3, 10, bits=22).wide, [1, 5, 6, 7, 8, 9, 10, 2]
    in_the_name = network.buckets(torch.tensor([name]))[0].tolist()
    for start in range(len(name) - n + 1):
        assert network.buckets(torch.tensor([name[start : start + n]]))[0, -1] in in_the_name
