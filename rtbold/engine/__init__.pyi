from .check import deviation as deviation, why_refused as why_refused
from .files import (
    export_onnx as export_onnx,
    read_windows as read_windows,
    write_array as write_array,
)
from .opening import (
    N_THREADS as N_THREADS,
    open_engine as open_engine,
    ran_on as ran_on,
    used as used,
)
from .openvino import (
    NOT_OFFERED as NOT_OFFERED,
    PRECISIONS as PRECISIONS,
    keep_telemetry_out as keep_telemetry_out,
)
from .openvino_compile import (
    CompileSettings as CompileSettings,
    Tried as Tried,
    compile_precisions as compile_precisions,
)
from .protocol import Engine as Engine, EngineUsed as EngineUsed
from .records import engines_folder as engines_folder
from .tensorrt_compile import CompiledFile as CompiledFile, compile_for as compile_for
from .tensorrt_cuda import CudaDevice as CudaDevice, first_device as first_device
from .tensorrt_package import (
    TENSORRT_PRECISIONS as TENSORRT_PRECISIONS,
    check_gpu as check_gpu,
    installed as installed,
)
from .torch import load_network as load_network
