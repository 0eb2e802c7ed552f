"""What has to be known of a family of models beyond what its own files say. No torch here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models of one `model_type`."""

    resumes: bool = False
    """What was read in one turn may be gone on with in the next: tested to give the same words."""
    turns: bool = True
    """False: it has no chat template and answers one question about one picture."""
    mark: str = ""
    """Written before a question for its picture, where there is no chat template to do it."""


FAMILIES: dict[str, Family] = {
    "qwen2_vl": Family(resumes=True),
    "qwen2_5_vl": Family(resumes=True),
    "qwen3_vl": Family(resumes=True),
    "qwen3_vl_moe": Family(resumes=True),
    "qwen3_5": Family(),
    "qwen3_5_moe": Family(),
    "internvl": Family(resumes=True),
    "gemma3": Family(),
    "glm4v": Family(resumes=True),
    "glm4v_moe": Family(),
    "glm46v": Family(),
    "deepseek_vl": Family(resumes=True),
    "idefics3": Family(resumes=True),
    "smolvlm": Family(resumes=True),
    "llava": Family(resumes=True),
    "llava_onevision": Family(resumes=True),
    "molmo2": Family(),
    "paligemma": Family(turns=False, mark="<image>"),
    "florence2": Family(turns=False),
    "kosmos-2": Family(turns=False),
}
"""By the `model_type` of config.json. Others are tried with the settings of a plain `Family`."""


def family_of(model_type: str) -> Family:
    """Return what is known of a model type."""
    return FAMILIES.get(model_type, Family())
