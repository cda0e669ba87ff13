"""From names to a verified bundle."""

from pathlib import Path

from model.artifacts import BundleMetadata, DataIdentity
from model.classifier import Shape
from model.data.corpus import Corpus
from model.data.manifest import Manifest
from model.data.snapshots import hash_manifest
from model.data.splitting import split_corpus
from model.export import save_bundle
from model.training import Progress, TrainingConfig, TrainingResult, train


def identify(corpus: Corpus, seed: int, names: Path, manifest: Manifest | None) -> DataIdentity:
    """Return which names a bundle is of: those of a folder, and the snapshot of the manifest if it is of one."""
    return DataIdentity(
        fingerprint=corpus.fingerprint(),
        names=len(corpus.names),
        split_seed=seed,
        snapshot=manifest.snapshot if manifest else None,
        manifest_sha256=hash_manifest(names.parent) if manifest else None,
    )


def fit_bundle(
    bundle: Path,
    corpus: Corpus,
    identity: DataIdentity,
    shape: Shape,
    training_config: TrainingConfig,
    *,
    progress: Progress | None = None,
) -> tuple[TrainingResult, BundleMetadata]:
    """Split, train, export and write a bundle whole.

    Raises:
        ParityError: torch and ONNX Runtime disagree; nothing is written.
        BundleError: the folder cannot be written.
    """
    split = split_corpus(corpus, training_config.seed)
    result = train(split, training_config, shape, progress=progress)
    return result, save_bundle(bundle, result, split, identity)
