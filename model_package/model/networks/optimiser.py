"""Optimise a network: AdamW on what every batch changes, Adagrad on the rows of n-grams that a batch holds."""

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.lr_scheduler import OneCycleLR
from torch.sparse import check_sparse_tensor_invariants

from model.networks.modules import LinearNetwork

_SCHEDULE_STEPS = 10_000
_TINY = 1e-6


class Optimiser:
    """Steps whose cost follows the batch, however many n-grams the table has.

    Adagrad (Duchi et al., 2011) suits features of which most are rare: a row's steps depend on its own gradients alone,
    so rows that a batch does not hold need none, and it keeps one number a weight where Adam keeps two.
    """

    def __init__(
        self,
        classifier: nn.Module,
        *,
        learning_rate: float,
        ngram_learning_rate: float,
        weight_decay: float,
        gradient_clip: float,
    ) -> None:
        linear = [module for module in classifier.modules() if isinstance(module, LinearNetwork)]
        self._tables: list[Tensor] = [module.weights.weight for module in linear]
        tables = {id(table) for table in self._tables}
        self._dense = [parameter for parameter in classifier.parameters() if id(parameter) not in tables]
        self._gradient_clip = gradient_clip
        adamw = torch.optim.AdamW(self._dense, learning_rate, weight_decay=weight_decay, fused=True)
        self._optimisers: list[torch.optim.Optimizer] = [adamw]
        self._schedules = [OneCycleLR(adamw, learning_rate, total_steps=_SCHEDULE_STEPS)]
        if self._tables:
            adagrad = torch.optim.Adagrad(self._tables, ngram_learning_rate)
            self._optimisers.append(adagrad)
            self._schedules.append(
                OneCycleLR(adagrad, ngram_learning_rate, total_steps=_SCHEDULE_STEPS, cycle_momentum=False)
            )

    def step(self, loss: Tensor, share: float) -> None:
        """Learn from a loss, at a share of the whole training."""
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss.backward()
        self._clip()
        with check_sparse_tensor_invariants(enable=False):  # torch warns unless it is told whether to
            for optimiser in self._optimisers:
                optimiser.step()
        # epochs differ in their number of batches, so the schedule goes by the share that is done
        for schedule in self._schedules:
            while schedule.last_epoch < min(share * _SCHEDULE_STEPS, _SCHEDULE_STEPS - 1):
                schedule.step()

    def _clip(self) -> None:
        """Scale all gradients down, those of a table too, so that their norm together is the largest allowed."""
        for table in self._tables:
            assert table.grad is not None  # every network with a table looks something up
            if table.grad.is_sparse:
                table.grad = table.grad.coalesce()
        gradients = [parameter.grad for parameter in (*self._dense, *self._tables) if parameter.grad is not None]
        values = [gradient.values() if gradient.is_sparse else gradient for gradient in gradients]
        scale = self._gradient_clip / (get_total_norm(values) + _TINY)
        if scale < 1:
            for gradient in values:  # scaled as a whole, a sparse one would have to be coalesced once more
                gradient.mul_(scale)
