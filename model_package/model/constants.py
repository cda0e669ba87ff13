"""Defaults, bounds and file names. No I/O, no imports of ours."""

from typing import Final

MAX_NAME_LENGTH: Final = 100
"""Characters, before and after folding."""

MAX_LABEL_LENGTH: Final = 100

MIN_NAMES_PER_LABEL: Final = 10
"""Distinct folded names a label needs, so that each of the three parts of a split gets at least one."""

MAX_SEED: Final = 2**32 - 1

DEFAULT_TOP_K: Final = 3

DEFAULT_NEIGHBOURS: Final = 5
MAX_NEIGHBOURS: Final = 100

# Token ids that every vocabulary shares; characters follow from FIRST_CHARACTER_ID on.
UNKNOWN_ID: Final = 0
START_ID: Final = 1
END_ID: Final = 2
FIRST_CHARACTER_ID: Final = 3
PAD_ID: Final = -1
"""What fills up a sequence that goes through the network with longer ones."""

MIN_CHARACTER_COUNT: Final = 3
"""A character seen in fewer training names is UNKNOWN: there is nothing to learn about it."""

MIN_SCRIPT_COUNT: Final = 20
"""A script of fewer training names is none to tell labels apart by."""

GIVEN_FOLDER: Final = "given_names"
"""Beside the folder of names: what goes with a name of the same label to make a full one."""

OUTLIER_FOLDER: Final = "outliers"
"""Beside the folder of names: strings that are of no label."""

VARIANT_FOLDER: Final = "variants"
"""Beside the folder of names: other spellings of names of the same label."""

FOLDERS_BESIDE: Final = (GIVEN_FOLDER, OUTLIER_FOLDER, VARIANT_FOLDER)
"""No source by themselves: they belong to the names that they stand beside."""

SCHEMA_VERSION: Final = 2
READABLE_SCHEMA_VERSIONS: Final = (SCHEMA_VERSION - 1, SCHEMA_VERSION)
"""Stores outlive images, so what the schema before wrote is read too."""

METADATA_FILE: Final = "metadata.json"
WEIGHTS_FILE: Final = "weights.safetensors"
ONNX_FILE: Final = "model.onnx"
SIMILAR_FILE: Final = "similar.safetensors"
KNOWN_FILE: Final = "known.safetensors"

PARITY_TOLERANCE: Final = 1e-5
"""Largest difference between the outputs of torch and ONNX Runtime that an export may show."""
LONG_PARITY_TOLERANCE: Final = 1e-4
"""The same for strings of any length: ONNX Runtime's float32 GRU was 5e-5 off exact arithmetic after 68 letters."""
