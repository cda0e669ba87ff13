"""The networks: token ids (B, T) of names in, outputs (B, O) out.

Names of one length T need nothing more. A network whose forward has `lengths` takes names of several lengths, too, for
export: their ids are padded at the end with PAD_ID, and lengths (B,) counts those that are not.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from model.constants import PAD_ID

_MAX_NGRAM_LENGTH = 5
_HASH_BASE, _HASH_PRIME = 1_000_003, 2_147_483_647
_LARGEST_BYTE = 127
_LEAST_SCALE = 1e-6
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

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map token ids (B, T) to outputs (B, O); eager torch wants padded ones sorted, the longest first."""
        embedded = self.dropout(self.embedding(ids if lengths is None else ids.clamp(min=0)))
        if lengths is None:
            states, last = self.recurrent(embedded)  # (B, T, D*H), (D, B, H)
        else:
            packed, last = self.recurrent(pack_padded_sequence(embedded, lengths, batch_first=True))
            states, _ = pad_packed_sequence(packed, batch_first=True)
            states = states + torch.where(ids == PAD_ID, -torch.inf, 0.0)[:, :, None]  # half the time of masked_fill
        if isinstance(last, tuple):  # an LSTM returns its hidden and its cell state
            last = last[0]
        final = last.transpose(0, 1).flatten(1)  # (B, D*H)
        summary = torch.cat([final, states.amax(dim=1)], dim=1)  # (B, 2*D*H)
        outputs: Tensor = self.readout(self.dropout(summary).to(self.readout.weight.dtype))
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
        outputs: Tensor = self.readout(self.dropout(summary).to(self.readout.weight.dtype))
        return outputs


class LinearNetwork(nn.Module):
    """A weight per output for each n-gram of one to five tokens; n-grams share 2^bits weights by hash.

    Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, without the hidden layer.
    """

    def __init__(self, n_outputs: int, *, bits: int, dropout: float) -> None:
        super().__init__()
        self.n_buckets = 2**bits
        self.weights = nn.Embedding(self.n_buckets, n_outputs)
        self.scales: nn.Embedding | None = None  # of each row, once it is compressed
        nn.init.zeros_(self.weights.weight)
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(n_outputs, dtype=torch.float64))

    def compress(self) -> None:
        """Round each row of weights to eight bits and a scale: a quarter of the file. Ends training."""
        weights = self.weights.weight.detach().float()
        scales = (weights.abs().amax(dim=1, keepdim=True) / _LARGEST_BYTE).clamp(min=_LEAST_SCALE).half()
        rounded = (weights / scales.float()).round().clamp(-_LARGEST_BYTE, _LARGEST_BYTE).to(torch.int8)
        self.weights = nn.Embedding.from_pretrained(rounded)
        self.scales = nn.Embedding.from_pretrained(scales)

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        if lengths is None and self.weights.weight.dtype == torch.float32:
            return self.bias + self._sum_rows(self.buckets(ids))
        if lengths is None:  # in double, as it is exported
            weights = self._scaled(self.buckets(ids))  # (B, G, O)
        else:
            windows = _windows(ids)
            weights = self._scaled(_hash_ngrams(windows) % self.n_buckets)  # (B, T, 5, O)
            weights = weights * (windows > PAD_ID)[:, :, :, None]
        outputs: Tensor = self.bias + weights.double().sum(dim=tuple(range(1, weights.ndim - 1)))
        return outputs

    def _scaled(self, buckets: Tensor) -> Tensor:
        # from few bits straight to double would take ONNX Runtime five times as long
        weights: Tensor = self.weights(buckets).float()
        return weights if self.scales is None else weights * self.scales(buckets).float()

    def _sum_rows(self, buckets: Tensor) -> Tensor:
        """Return the sums (B, O) of rows (B, G) that are trained: whole n-grams are dropped, gradients are sparse."""
        table = self.weights.weight
        kept = self.dropout(torch.ones(buckets.shape, device=table.device))
        sums = nn.functional.embedding_bag(
            buckets,
            table,
            mode="sum",
            per_sample_weights=kept,
            sparse=table.device.type != "mps",  # which has no sparse gradients; Adagrad does the same with dense ones
        )
        return sums.to(self.bias.dtype)

    def buckets(self, ids: Tensor) -> Tensor:
        """Return the rows of the weights (B, G) of all n-grams of token ids (B, T), the shortest first."""
        n_tokens, codes = ids.shape[1], _hash_ngrams(_windows(ids.cpu()))  # accelerators multiply no whole numbers
        ngrams = [codes[:, : max(0, n_tokens - n), n] for n in range(_MAX_NGRAM_LENGTH)]
        buckets: Tensor = torch.cat(ngrams, dim=1) % self.n_buckets
        return buckets.to(self.weights.weight.device)


class WideNetwork(nn.Module):
    """Another network beside a linear one, trained as one: their outputs add up.

    The one generalises, the other remembers. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
    """

    def __init__(self, deep: nn.Module, wide: LinearNetwork) -> None:
        super().__init__()
        self.deep = deep
        self.wide = wide

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map token ids (B, T) to outputs (B, O)."""
        arguments = (ids,) if lengths is None else (ids, lengths)
        outputs: Tensor = self.deep(*arguments) + self.wide(*arguments)
        return outputs


def _windows(ids: Tensor) -> Tensor:
    """Return each of the token ids (B, T) and those that follow it (B, T, 5); PAD_ID stands behind the last."""
    padded = pad(ids, (0, _MAX_NGRAM_LENGTH - 1), value=PAD_ID)[:, :, None]
    return torch.cat([padded[:, n : n + 1 - _MAX_NGRAM_LENGTH or None] for n in range(_MAX_NGRAM_LENGTH)], dim=2)


def _hash_ngrams(windows: Tensor) -> Tensor:
    """Return a number below 2^31 (B, T, 5) for the first one to five token ids of windows; nothing overflows an int64.

    A polynomial of the tokens; each is raised by its place, so that n-grams of different lengths differ.
    """
    n = _MAX_NGRAM_LENGTH
    factors = [[pow(_HASH_BASE, j - i, _HASH_PRIME) if i <= j else 0 for j in range(n)] for i in range(n)]
    raised = windows + torch.arange(1, n + 1)
    return raised @ torch.tensor(factors) % _HASH_PRIME


def _readout(n_inputs: int, n_outputs: int) -> nn.Linear:
    # In double: a sum of this many float32 terms differs by 1e-5 from one runtime to another.
    return nn.Linear(n_inputs, n_outputs, dtype=torch.float64)
