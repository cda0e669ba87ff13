"""What the commands share: the console, and the arguments that several of them take."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DEFAULT_STORE = Path("store")

console = Console(soft_wrap=True, markup=False, emoji=False)
progress_console = Console(soft_wrap=True, markup=False, emoji=False, stderr=True)
"""For what only says how far the work is: standard output holds results alone."""

BundleFolder = Annotated[Path, typer.Argument(help="Folder of a bundle, or of a store: then its champion.")]
NewBundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write the bundle to.")]
DataFolder = Annotated[
    Path, typer.Argument(help="Folder of <Label>.txt files, one name a line; or a snapshot, or a folder of snapshots.")
]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder that keeps every version and its history.")]
MlflowOption = Annotated[
    str | None,
    typer.Option("--mlflow", metavar="URI", help="Also record the store in MLflow there; needs the extra mlflow."),
]
StoreArgument = Annotated[Path, typer.Argument(help="Folder of the store.")]
