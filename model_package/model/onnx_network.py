"""Run a network in ONNX Runtime: token sequences of any lengths to outputs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.constants import ONNX_FILE
from model.errors import BundleError
from model.utils import pad

_EXTERNAL_DATA = b"\x0a\x08location"  # the key of every tensor that ONNX keeps in another file, as protobuf writes it
_SHORTEST_CLASS = 15  # lengths up to 16 share a call, then those up to 32, 64 and 128
_MAX_BATCH_ROWS = 32  # of one call: more are hardly faster a name, and ONNX Runtime keeps the memory that they take


class OnnxClassifier:
    """An ONNX network of token sequences; a batch equals its singles.

    A network that takes `lengths` runs sequences of similar lengths together, padded; another one those of one length.
    """

    def __init__(self, onnx: bytes, *, threads: int = 1) -> None:
        """Load a network; raise BundleError if ONNX Runtime refuses it, or it is not of token ids (B, T) to (B, O)."""
        if _EXTERNAL_DATA in onnx:
            raise BundleError(f"{ONNX_FILE} keeps weights in another file, which no hash covers.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one a shape: with names of any length and number, memory that only grows
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises a dozen types of its own
            raise BundleError(f"{ONNX_FILE} cannot be loaded by ONNX Runtime ({type(error).__name__}).") from None
        self._session._model_bytes = None  # noqa: SLF001 - the whole file, kept for another provider; there is one
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._takes_lengths = len(self._session.get_inputs()) > 1
        self.n_outputs = self._count_outputs()

    def _count_outputs(self) -> int:
        inputs = [node.name for node in self._session.get_inputs()]
        shapes = {node.name: node.shape for node in self._session.get_outputs()}
        match inputs, [(name, *shape) for name, shape in shapes.items()]:
            case ["ids"] | ["ids", "lengths"], [("outputs" | "logits", _, int(n_outputs))]:  # logits: in schema 1
                return n_outputs
        raise BundleError(
            f"{ONNX_FILE} does not map ids (batch, length), and perhaps their lengths, to outputs (batch, labels)."
        )

    def check(self, sequences: Sequence[Sequence[int]]) -> None:
        """Run each sequence by itself; raise BundleError unless outputs are finite numbers of the declared shape."""
        for ids in sequences:
            try:
                outputs = self._run([ids])
            except Exception as error:  # noqa: BLE001 - as above
                raise BundleError(f"{ONNX_FILE} cannot be run by ONNX Runtime ({type(error).__name__}).") from None
            if outputs.shape != (1, self.n_outputs) or outputs.dtype.kind != "f" or not np.isfinite(outputs).all():
                raise BundleError(f"{ONNX_FILE} does not answer with a finite number for each label.")

    def compute_outputs(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return outputs (N, L + 1) of N token sequences of any lengths: logits of the labels, and of being a name."""
        if len(sequences) == 1:
            return self._run(sequences)
        outputs = np.empty((len(sequences), self.n_outputs), dtype=np.float64)
        for positions in self._batches(sequences):
            outputs[positions] = self._run([sequences[i] for i in positions])
        return outputs

    def _batches(self, sequences: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield the positions of the sequences that one call takes."""
        lengths = [len(ids) for ids in sequences]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        for _, group in groupby(order, lambda i: self._length_class(lengths[i])):
            positions = list(group)
            for start in range(0, len(positions), _MAX_BATCH_ROWS):
                yield positions[start : start + _MAX_BATCH_ROWS]

    def _length_class(self, length: int) -> int:
        """Return what lengths of one call have in common; at worst, padding doubles what a sequence costs."""
        return max(_SHORTEST_CLASS, length - 1).bit_length() if self._takes_lengths else length

    def _run(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        ids, lengths = pad(sequences)
        feed = {"ids": ids, "lengths": lengths} if self._takes_lengths else {"ids": ids}
        outputs: NDArray[np.float64] = self._session.run(self._outputs, feed)[0]
        return outputs
