"""What has to be known of a family of models beyond what its own files say. No torch here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models of one `model_type`."""

    dialect: str = "qwen_vl"
    """How its replies point at things; the default knows the commonest tags, and `<gsam>`."""
    resumes: bool = False
    """What was read in one turn may be gone on with in the next: tested to give the same words."""
    turns: bool = True
    """False: it has no chat template and answers one question about one picture."""
    mark: str = ""
    """Written before a question for its picture, where there is no chat template to do it."""
    spoken: tuple[str, ...] = ()
    """Special tokens that a question may hold, since they are how this family is asked."""


_KOSMOS = ("<grounding>", "<phrase>", "</phrase>", "<object>", "</object>")

FAMILIES: dict[str, Family] = {
    "qwen2_vl": Family(dialect="qwen2_vl", resumes=True),
    "qwen2_5_vl": Family(dialect="qwen2_5_vl", resumes=True),
    "qwen3_vl": Family(dialect="qwen3_vl", resumes=True),
    "qwen3_vl_moe": Family(dialect="qwen3_vl", resumes=True),
    "qwen3_5": Family(dialect="qwen3_vl"),
    "qwen3_5_moe": Family(dialect="qwen3_vl"),
    "internvl": Family(dialect="internvl", resumes=True),
    "gemma3": Family(dialect="gemini"),
    "glm4v": Family(dialect="glm_v", resumes=True),
    "glm4v_moe": Family(dialect="glm_v", resumes=True),
    "glm46v": Family(dialect="glm_v", resumes=True),
    "deepseek_vl": Family(resumes=True),
    "idefics3": Family(resumes=True),
    "smolvlm": Family(resumes=True),
    "llava": Family(resumes=True),
    "llava_onevision": Family(resumes=True),
    "molmo2": Family(dialect="molmo"),
    "paligemma": Family(dialect="paligemma", turns=False, mark="<image>"),
    "florence2": Family(dialect="florence2", turns=False),
    "kosmos-2": Family(dialect="kosmos2", turns=False, spoken=_KOSMOS),
}
"""By the `model_type` of config.json. Others are tried with the settings of a plain `Family`."""


def family_of(model_type: str) -> Family:
    """What is known of a model type."""
    return FAMILIES.get(model_type, Family())
