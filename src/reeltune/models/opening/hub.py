"""Models of the Hugging Face hub: a hub id becomes a local folder, from the cache where it can."""

import re
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.file_download import repo_folder_name

from reeltune.errors import CheckpointError, in_short

# No part begins with a dot, so that none leads out of the cache.
HUB_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w.-]*(/\w[\w.-]*)*))?")
SETTINGS = ["config.json", "*processor_config.json"]
TOKENIZER = ["tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "spiece.model"]
WEIGHTS = ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"]
REACH = 5.0  # seconds the hub has to answer at all
CONVERTER = "SFconvertbot"  # the hub's own account that proposes safetensors copies


def fetch(
    name: str, *, cache: Path | None = None, endpoint: str | None = None, reach: float = REACH
) -> Path:
    """The folder of hub model `name`, `owner/model` or `owner/model@revision`.

    A copy in the cache is taken as it is and the hub is not asked, so a model never changes
    under a library. Only settings, tokenizer and safetensors are ever fetched.
    Errors: `CheckpointError` within `reach` seconds where the hub cannot be reached.
    """
    named = HUB_ID.fullmatch(name)
    if named is None:
        raise CheckpointError(f"{name!r} is not a hub id; it looks like owner/model")
    repo, revision = named["repo"], named["revision"]
    cache = cache or Path(constants.HF_HUB_CACHE)
    found = cached(repo, revision, cache)
    if found is not None:
        return found
    if constants.HF_HUB_OFFLINE:
        raise _unreachable(name, cache, "HF_HUB_OFFLINE is set")
    try:
        return _download(HfApi(endpoint=endpoint), repo, revision, cache, reach)
    except CheckpointError:
        raise
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        kind = "gated" if isinstance(error, GatedRepoError) else "not on the hub, or private"
        raise CheckpointError(
            f"{name} is {kind}; check the name, or log in with: hf auth login"
        ) from error
    except Exception as error:  # hub 1 and 2 use different HTTP libraries, with their own errors
        raise _unreachable(name, cache, in_short(error)) from error


def find_cached(name: str) -> Path | None:
    """The folder of hub model `name` if the local cache has it whole; no network is used."""
    named = HUB_ID.fullmatch(name)
    if named is None:
        return None
    return cached(named["repo"], named["revision"], Path(constants.HF_HUB_CACHE))


def cached(repo: str, revision: str | None, cache: Path) -> Path | None:
    """A whole copy of the model in the cache, or none; without a revision, `main` before others."""
    home = cache / repo_folder_name(repo_id=repo, repo_type="model")
    ref = home / "refs" / (revision or "main")
    commit = ref.read_text().strip() if ref.is_file() else revision or ""
    folders = [home / "snapshots" / commit] if commit else []
    if revision is None and (home / "snapshots").is_dir():
        folders += sorted((home / "snapshots").iterdir())
    return next((folder for folder in folders if _is_whole(folder)), None)


def cached_models(cache: Path | None = None) -> list[str]:
    """Hub ids that the local cache has whole, of whatever family."""
    cache = cache or Path(constants.HF_HUB_CACHE)
    repos = [home.name.removeprefix("models--") for home in cache.glob("models--*--*")]
    ids = sorted(repo.replace("--", "/", 1) for repo in repos)
    return [repo for repo in ids if cached(repo, None, cache) is not None]


def _is_whole(folder: Path) -> bool:
    return all(
        any(next(folder.glob(pattern), None) for pattern in patterns)
        for patterns in (["config.json"], SETTINGS[1:], TOKENIZER, [WEIGHTS[0], WEIGHTS[2]])
    )


def _download(api: HfApi, repo: str, revision: str | None, cache: Path, reach: float) -> Path:
    info = api.model_info(repo, revision=revision, timeout=reach)
    files = [file.rfilename for file in info.siblings or []]
    if not any(file.endswith(".safetensors") for file in files):
        revision = _converted(api, repo)
    folder = snapshot_download(
        repo,
        revision=revision,
        cache_dir=cache,
        endpoint=api.endpoint,
        allow_patterns=SETTINGS + TOKENIZER + WEIGHTS,
    )
    return Path(folder)


def _converted(api: HfApi, repo: str) -> str:
    """The revision where the hub's converter put safetensors beside weights that are pickles."""
    proposals = api.get_repo_discussions(
        repo, author=CONVERTER, discussion_type="pull_request", discussion_status="open"
    )
    for proposal in proposals:
        trusted = proposal.author == CONVERTER and "safetensors" in proposal.title
        if trusted and proposal.git_reference:
            return proposal.git_reference
    raise CheckpointError(
        f"{repo} has no safetensors on the hub, only pickles, which Reeltune never opens; "
        "convert it elsewhere and give the local folder"
    )


def _unreachable(name: str, cache: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{name} is not in the local cache ({cache}) and the hub cannot be reached ({why}); "
        "give the path of a local folder that holds the model"
    )
