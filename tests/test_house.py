"""Who may import whom. A new arrow is a decision: write it here and say why in the commit."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]

MODEL = {
    "constants": set(),
    "errors": set(),
    "utils": {"constants", "errors"},
    "data": {"constants", "errors", "utils"},
    "splitting": {"data"},
    "calibration": {"utils"},
    "intervals": set(),
    "evaluation": {"intervals", "utils"},
    "confusion": {"utils"},
    "abstention": {"data", "prediction"},
    "plots": {"abstention", "confusion", "evaluation"},
    "judgement": {"confusion", "data", "errors", "evaluation", "intervals", "prediction"},
    "model_card": {"abstention", "artifacts", "constants", "evaluation", "intervals", "judgement", "prediction"},
    "report": {"abstention", "artifacts", "data", "intervals", "judgement", "model_card", "plots", "prediction"},
    "artifacts": {"constants", "errors"},
    "prediction": {"artifacts", "calibration", "constants", "errors", "utils"},
    "explanation": {"constants", "errors", "prediction", "utils"},
    "postings": set(),
    "similarity": {"artifacts", "constants", "errors", "postings", "prediction", "utils"},
    "networks": {"constants"},
    "classifier": {"constants", "errors", "networks", "utils"},
    "language_model": {"constants", "utils"},
    "blending": {"calibration", "classifier", "language_model", "networks", "utils"},
    "composition": {"constants", "data", "splitting"},
    "outliers": {"constants", "splitting"},
    "examples": {"composition", "constants", "data", "errors", "outliers", "splitting", "utils"},
    "training": {
        *("blending", "classifier", "data", "errors", "examples"),
        *("language_model", "networks", "splitting", "utils"),
    },
    "config": {"classifier", "errors", "training"},
    "export": {
        *("artifacts", "calibration", "classifier", "composition", "constants", "data", "errors"),
        *("evaluation", "outliers", "prediction", "report", "similarity", "splitting", "training", "utils"),
    },
    "ledger": {"errors"},
    "store": {"artifacts", "constants", "errors", "ledger"},
    "comparison": {"utils"},
    "gate": {
        *("artifacts", "comparison", "constants", "data", "errors", "export", "prediction"),
        *("similarity", "splitting", "utils"),
    },
    "tracking": {"artifacts", "errors", "store"},
}
# The command line may call any room; heavy ones inside the verbs.
COMMANDS = {"commands.answering", "commands.promotion", "commands.terminal", "commands.training"}
TORCH_ROOMS = {"blending", "networks", "classifier", "training", "export"}


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports; `from api import problems` counts as api.problems."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports here name their package"
            assert node.module
            bare = node.module in {"api", "model"}
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if bare else {node.module}
    return found


def _rooms(package: Path) -> dict[str, Path]:
    paths = (path for path in package.rglob("*.py") if "tests" not in path.parts and path.name != "__init__.py")
    return {".".join(path.relative_to(package).with_suffix("").parts): path for path in paths}


def test_the_model_package_imports_one_way_and_knows_no_service() -> None:
    rooms = _rooms(ROOT / "model_package" / "model")
    assert set(rooms) == {*MODEL, *COMMANDS, "__main__"}
    for room, path in rooms.items():
        imports = _imports(path)
        assert not [name for name in imports if name.partition(".")[0] in {"api", "fastapi", "starlette"}], room
        if room in MODEL:
            ours = {name.removeprefix("model.") for name in imports if name.startswith("model.")}
            assert ours - {"__version__"} <= MODEL[room], room
            assert (not {"torch", "torch.nn"}.isdisjoint(imports)) == (room in TORCH_ROOMS), room
        draws = [name for name in imports if name.partition(".")[0] in {"matplotlib", "PIL"}]
        assert bool(draws) == (room == "plots"), room
        assert any(name.partition(".")[0] == "mlflow" for name in imports) == (room == "tracking"), room
