"""Weights that come quantised: FP8, GPTQ, AWQ and others, and what a machine needs to run them.

transformers reads them; here is said, before minutes of loading, what is missing. Packages and
devices are those that transformers 5.23 asks for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segue.errors import InputError, MissingExtra, ModelError
from segue.runtime.weights.checkpoint import read_json
from segue.runtime.weights.headers import StoredTensor

Capability = tuple[int, int]
"""Of an NVIDIA GPU, major and minor: (8, 9) for Ada, (9, 0) for Hopper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationMethod:
    """One way in which weights come quantised."""

    title: str
    packages: Mapping[str, str]
    """Module -> what pip calls it; all are needed."""
    kinds: tuple[str, ...] = ("cuda", "cpu")
    """Devices that run it as it is."""
    capability: Capability = (0, 0)
    """Least of an NVIDIA GPU that runs it as it is."""
    native_packages: Mapping[str, str] = field(default_factory=dict)
    """Needed besides where it runs as it is, not where it is made dense."""
    is_dense_elsewhere: bool = False
    """On other devices its weights become plain numbers while they are loaded."""
    is_dense: bool = False
    """Everywhere its weights become plain numbers when they are first used."""

    def is_native(self, kind: str, capability: Capability) -> bool:
        """Whether a device runs it as it is.

        Args:
            kind: "cuda", "mps" or "cpu".
            capability: of the GPU, where it is one of NVIDIA's.
        """
        return kind in self.kinds and (kind != "cuda" or capability >= self.capability)

    def runs_on(self, kind: str, capability: Capability) -> bool:
        """Whether a device runs it, as it is or made dense; see `is_native`."""
        return self.is_dense_elsewhere or self.is_native(kind, capability)


_ACCELERATE = {"accelerate": "accelerate"}
METHODS: Mapping[str, QuantizationMethod] = {
    "fp8": QuantizationMethod(
        title="FP8",
        packages=_ACCELERATE,
        kinds=("cuda",),
        capability=(8, 9),
        native_packages={"kernels": "kernels"},
        is_dense_elsewhere=True,
    ),
    "fbgemm_fp8": QuantizationMethod(
        title="FP8 of FBGEMM",
        packages={"fbgemm_gpu": "fbgemm-gpu", **_ACCELERATE},
        kinds=("cuda",),
        capability=(9, 0),
    ),
    "gptq": QuantizationMethod(
        title="GPTQ", packages={"gptqmodel": "gptqmodel", "optimum": "optimum"}
    ),
    "awq": QuantizationMethod(title="AWQ", packages={"gptqmodel": "gptqmodel", **_ACCELERATE}),
    "auto-round": QuantizationMethod(title="AutoRound", packages={"auto_round": "auto-round"}),
    "compressed-tensors": QuantizationMethod(
        title="compressed-tensors",
        packages={"compressed_tensors": "compressed-tensors"},
        kinds=("cuda", "mps", "cpu"),
        is_dense=True,
    ),
    "bitsandbytes": QuantizationMethod(
        title="bitsandbytes", packages={"bitsandbytes": "bitsandbytes", **_ACCELERATE}
    ),
    "torchao": QuantizationMethod(
        title="torchao", packages={"torchao": "torchao"}, kinds=("cuda", "mps", "cpu")
    ),
    "quanto": QuantizationMethod(
        title="Quanto",
        packages={"optimum.quanto": "optimum-quanto", **_ACCELERATE},
        kinds=("cuda", "mps", "cpu"),
    ),
}
"""By the `quant_method` of config.json. Others that transformers knows are left to it."""


def stored_quantization(folder: Path) -> dict[str, Any] | None:
    """Return the `quantization_config` of a folder, with its `quant_method`; None: there is none.

    Raises:
        ModelError: config.json is damaged, or says that the weights are quantised but not how.
    """
    config = read_json(folder, "config.json")
    found = config.get("quantization_config")
    if found is None and isinstance(config.get("text_config"), dict):
        found = config["text_config"].get("quantization_config")
    if found is None or found == {}:
        return None
    stated = dict(found) if isinstance(found, dict) else {}
    if stated.get("load_in_4bit") or stated.get("load_in_8bit"):
        stated.setdefault("quant_method", "bitsandbytes")  # which its older versions left out
    if not isinstance(stated.get("quant_method"), str):
        raise ModelError(
            f"{folder / 'config.json'} must name a quant_method in quantization_config, got "
            f"{stated.get('quant_method')!r}. Copy the file again, or give the weights that are "
            "not quantised."
        )
    return stated


def require_runnable(
    folder: Path,
    kind: str,
    capability: Capability = (0, 0),
    *,
    quantize: str | None = None,
    is_installed: Callable[[str], bool] | None = None,
) -> str | None:
    """Refuse quantised weights that this machine cannot run.

    Args:
        folder: with config.json.
        kind: the device they are to run on: "cuda", "mps" or "cpu".
        capability: of the GPU, where it is one of NVIDIA's.
        quantize: what the caller wants to quantise the weights to while they are loaded.
        is_installed: says of a module whether it is there; None: asks Python.

    Returns:
        The `quant_method`; None where the weights are not quantised.

    Raises:
        InputError: they shall be quantised once more.
        MissingExtra: a package is missing; the message names all that are.
        ModelError: this device does not run them, or transformers does not know them.
    """
    stored = stored_quantization(folder)
    if stored is None:
        return None
    name = str(stored["quant_method"])
    method = METHODS.get(name)
    title = method.title if method else name
    if quantize is not None:
        raise InputError(
            f"The weights in {folder} are quantised already ({title}), so they cannot be "
            f"quantised to {quantize}. Leave ?quantize= out."
        )
    if method is None:
        _require_known(name, folder)
        return name
    begin = f"The weights in {folder} are quantised ({title}), which needs"
    if not method.runs_on(kind, capability):
        raise ModelError(
            f"{begin} {_devices(method)}, got {_device(kind, capability)}. Use such a device, or "
            "give the weights that are not quantised, with ?quantize=4bit where memory is short."
        )
    if missing := _missing(method, kind, capability, is_installed or _is_there):
        raise MissingExtra(
            f"{begin} {' and '.join(missing)}, not installed here. "
            f"Run: pip install {' '.join(missing)}"
        )
    return name


def _require_known(name: str, folder: Path) -> None:
    """Refuse what transformers would load as if it were not quantised."""
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    if name not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        raise ModelError(
            f"The weights in {folder} are quantised in a way that the transformers installed here "
            f"does not know: {name!r}. Install a newer one, or give the weights that are not "
            "quantised."
        )


def obstacle(name: str, kind: str, capability: Capability = (0, 0)) -> str | None:
    """Return what a method needs and this machine lacks, for a list; None: it runs.

    Args:
        name: of `METHODS`.
        kind: of the device: "cuda", "mps" or "cpu".
        capability: of the GPU, where it is one of NVIDIA's.
    """
    method = METHODS[name]
    if not method.runs_on(kind, capability):
        return _devices(method)
    return " and ".join(_missing(method, kind, capability, _is_there)) or None


def _missing(
    method: QuantizationMethod,
    kind: str,
    capability: Capability,
    is_installed: Callable[[str], bool],
) -> list[str]:
    """Return what pip would have to install."""
    is_native = method.is_native(kind, capability)
    needed = {**method.packages, **(method.native_packages if is_native else {})}
    return [pip for module, pip in needed.items() if not is_installed(module)]


def is_made_dense(name: str, kind: str, capability: Capability = (0, 0)) -> bool:
    """Whether quantised weights take the memory of plain numbers on a device.

    >>> is_made_dense("fp8", "cpu"), is_made_dense("fp8", "cuda", (9, 0))
    (True, False)
    """
    method = METHODS.get(name)
    if method is None:
        return False
    return method.is_dense or (method.is_dense_elsewhere and not method.is_native(kind, capability))


def dense_values(tensor: StoredTensor, config: Mapping[str, Any]) -> int:
    """Return how many weights a quantised tensor stands for; several may share one whole number.

    Args:
        tensor: as it is stored.
        config: the `quantization_config`.
    """
    if tensor.dtype not in ("I32", "U8"):  # "I8" and the kinds of F8 hold one value each
        return tensor.count
    if not tensor.name.endswith(("weight_packed", "qweight")):
        return tensor.count
    groups = config.get("config_groups")
    first: Any = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    bits = (weights or config).get("num_bits") or config.get("bits") or 4
    return tensor.size_bytes * 8 // int(bits)


def _devices(method: QuantizationMethod) -> str:
    if method.kinds == ("cuda",):
        major, minor = method.capability
        return f"an NVIDIA GPU of compute capability {major}.{minor} or more"
    names = {"cuda": "an NVIDIA GPU", "mps": "the GPU of a Mac", "cpu": "a processor"}
    return " or ".join(names[kind] for kind in method.kinds)


def _device(kind: str, capability: Capability) -> str:
    return f"cuda of capability {capability[0]}.{capability[1]}" if kind == "cuda" else kind


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package within a package that is not there
        return False
