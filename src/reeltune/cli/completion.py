"""What a shell proposes for a word that is begun (`reeltune --install-completion`)."""

from glob import escape, iglob
from pathlib import Path


def recipes(begun: str) -> list[str]:
    """Packaged recipes, as `train` takes them."""
    from reeltune.recipes.read import recipe_names

    return [name for name in recipe_names() if name.startswith(begun)]


def libraries(begun: str) -> list[str]:
    """Folders that are libraries, or else those that may lead to one."""
    folders = [path for path in sorted(iglob(f"{escape(begun)}*")) if Path(path).is_dir()]
    found = [path for path in folders if Path(path, "library.json").is_file()]
    return found or [f"{path}/" for path in folders]
