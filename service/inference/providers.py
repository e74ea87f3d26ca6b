"""ONNX Runtime's execution providers: the one that is asked for runs the model, or the process does not start."""

from typing import Any

import onnxruntime
from slipway.service.artifact import ArtifactError

_NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


def session(path: str, provider: str, threads: int) -> onnxruntime.InferenceSession:
    """An inference session on `provider`: cpu, cuda, tensorrt or openvino.

    Raises ArtifactError where the model can't be loaded, and where another provider would really run it: ONNX Runtime
    itself falls back to the CPU and only warns.
    """
    _require(provider)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a request that the model refuses is no line in the log
    # Threads that spin while they wait take the cores from the server beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # TensorRT leaves what it can't run to CUDA; the CPU keeps what belongs there, such as arithmetic on shapes.
    names = {"tensorrt": ["tensorrt", "cuda", "cpu"], "cpu": ["cpu"]}.get(provider, [provider, "cpu"])
    try:
        made = onnxruntime.InferenceSession(path, options, providers=[_NAMES[name] for name in names])
        made.disable_fallback()
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"model.onnx: ONNX Runtime cannot load it: {reason}") from error
    if provider != "cpu":
        _require_nodes(made, provider)
    return made


def _require(provider: str) -> None:
    if provider in ("cuda", "tensorrt") and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA and cuDNN come as wheels, where the loader does not look
    available = onnxruntime.get_available_providers()
    if _NAMES[provider] not in available:
        has = ", ".join(key for key, name in _NAMES.items() if name in available)
        raise ArtifactError(f"provider {provider}: the installed ONNX Runtime has {has} only")


def _require_nodes(made: onnxruntime.InferenceSession, provider: str) -> None:
    if _NAMES[provider] not in made.get_providers():
        raise ArtifactError(f"provider {provider}: no device of that kind, or a library of it, was found")
    parts: list[Any] = made.get_provider_graph_assignment_info()
    if not any(part.ep_name == _NAMES[provider] for part in parts):
        raise ArtifactError(f"provider {provider}: none of the model's operators runs on it")
