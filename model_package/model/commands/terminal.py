"""What the commands share: the console, and the arguments that several of them take."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DEFAULT_STORE = Path("store")

console = Console(soft_wrap=True, markup=False, emoji=False)

BundleFolder = Annotated[Path, typer.Argument(help="Folder of a bundle, or of a store: then its champion.")]
NewBundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write the bundle to.")]
DataFolder = Annotated[Path, typer.Argument(help="Folder of <Label>.txt files, one name a line.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder that keeps every version and its history.")]
StoreArgument = Annotated[Path, typer.Argument(help="Folder of the store.")]
