"""The networks: token ids (B, T) of names of one length T in, outputs (B, O) out."""

import torch
from torch import Tensor, nn

_NGRAM_LENGTHS = (1, 2, 3, 4, 5)
_FILTER_WIDTHS = (2, 3, 4, 5)


class RecurrentNetwork(nn.Module):
    """Embedding, one recurrent layer, a linear readout of its final states and of its maximum over time."""

    def __init__(
        self,
        cell: type[nn.RNN | nn.GRU | nn.LSTM],
        embedding: nn.Embedding,
        n_outputs: int,
        *,
        hidden_size: int,
        dropout: float,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.recurrent = cell(embedding.embedding_dim, hidden_size, batch_first=True, bidirectional=bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.readout = _readout((4 if bidirectional else 2) * hidden_size, n_outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        states, last = self.recurrent(self.dropout(self.embedding(ids)))  # (B, T, D*H), (D, B, H)
        if isinstance(last, tuple):  # an LSTM returns its hidden and its cell state
            last = last[0]
        final = last.transpose(0, 1).flatten(1)  # (B, D*H)
        summary = torch.cat([final, states.amax(dim=1)], dim=1)  # (B, 2*D*H)
        outputs: Tensor = self.readout(self.dropout(summary).double())
        return outputs


class ConvolutionalNetwork(nn.Module):
    """Filters over two to five letters, the strongest answer of each over the name, a linear readout.

    Kim, "Convolutional Neural Networks for Sentence Classification", 2014, on letters.
    """

    def __init__(self, n_tokens: int, n_outputs: int, *, embedding_size: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, embedding_size)
        self.filters = nn.ModuleList(
            nn.Conv1d(embedding_size, filters, width, padding=width - 1) for width in _FILTER_WIDTHS
        )
        self.dropout = nn.Dropout(dropout)
        self.readout = _readout(len(_FILTER_WIDTHS) * filters, n_outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        embedded = self.dropout(self.embedding(ids)).transpose(1, 2)  # (B, E, T)
        summary = torch.cat([convolve(embedded).relu().amax(dim=2) for convolve in self.filters], dim=1)
        outputs: Tensor = self.readout(self.dropout(summary).double())
        return outputs


class LinearNetwork(nn.Module):
    """A weight per output for each n-gram of one to five tokens; n-grams share 2^bits weights by hash.

    Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, without the hidden layer.
    """

    def __init__(self, n_outputs: int, *, bits: int, dropout: float) -> None:
        super().__init__()
        self.n_buckets = 2**bits
        self.weights = nn.Embedding(self.n_buckets, n_outputs)
        nn.init.zeros_(self.weights.weight)
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(n_outputs, dtype=torch.float64))

    def halve(self) -> None:
        """Round the weights to half precision: half the file, answers that differ in the third digit. Ends training."""
        self.weights.half()

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        weights = self.weights(self.buckets(ids))
        outputs: Tensor = self.bias + self.dropout(weights).double().sum(dim=1)
        return outputs

    def buckets(self, ids: Tensor) -> Tensor:
        """Return the rows of the weights (B, G) of all n-grams of token ids (B, T), the shortest first."""
        codes, ngrams = torch.zeros_like(ids), []
        for length in _NGRAM_LENGTHS:
            # one more token to the right of each n-gram: hash so far (B, T-n+1), next token (B, T-n+1)
            codes = _hash(codes[:, : ids.shape[1] - length + 1], ids[:, length - 1 :] + length)
            ngrams.append(codes)
        buckets: Tensor = torch.cat(ngrams, dim=1) % self.n_buckets
        return buckets


class WideNetwork(nn.Module):
    """Another network beside a linear one, trained as one: their outputs add up.

    The one generalises, the other remembers. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
    """

    def __init__(self, deep: nn.Module, wide: LinearNetwork) -> None:
        super().__init__()
        self.deep = deep
        self.wide = wide

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        outputs: Tensor = self.deep(ids) + self.wide(ids)
        return outputs


def _hash(first: Tensor, second: Tensor) -> Tensor:
    """Return a number below 2^31 for each pair of them; no step overflows an int64."""
    return (first * 1_000_003 + second) % 2_147_483_647


def _readout(n_inputs: int, n_outputs: int) -> nn.Linear:
    # In double: a sum of this many float32 terms differs by 1e-5 from one runtime to another.
    return nn.Linear(n_inputs, n_outputs, dtype=torch.float64)
