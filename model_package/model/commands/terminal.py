"""What the verbs share: the console, and the arguments that several of them take."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(soft_wrap=True, markup=False, emoji=False)

BundleFolder = Annotated[Path, typer.Argument(help="Folder of the bundle.")]
DataFolder = Annotated[Path, typer.Argument(help="Folder of <Label>.txt files, one name a line.")]
