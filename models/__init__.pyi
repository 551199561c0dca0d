from .biot import Biot as Biot
from .export.checks import check_file as check_file
from .export.onnx import to_onnx as to_onnx, to_safetensors as to_safetensors
from .labram import Attention as Attention, Labram as Labram
from .layers import LinearModel as LinearModel
from .linear import (
    FEATURE_BANDS_HZ as FEATURE_BANDS_HZ,
    N_LAGS as N_LAGS,
    BandPowerRidge as BandPowerRidge,
    BandPowerRidgeConfig as BandPowerRidgeConfig,
    Efp as Efp,
    EfpConfig as EfpConfig,
    Unmixing as Unmixing,
)
from .linear_attention import (
    LinearAttention as LinearAttention,
    LinearTransformer as LinearTransformer,
)
from .montage import Montage as Montage, electrode_table as electrode_table
from .neurobolt import (
    PRESETS as PRESETS,
    NeuroBolt as NeuroBolt,
    NeuroBoltConfig as NeuroBoltConfig,
)
from .powers import (
    FINE_BANDS_HZ as FINE_BANDS_HZ,
    BandPowerNet as BandPowerNet,
    BandPowerNetConfig as BandPowerNetConfig,
)
from .published.importing import (
    ImportResult as ImportResult,
    ImportSettings as ImportSettings,
    import_checkpoints as import_checkpoints,
)
from .registry import (
    Option as Option,
    build as build,
    name_of as name_of,
    options_of as options_of,
    preset as preset,
    stacked_on as stacked_on,
)
from .stacked import (
    Stacked as Stacked,
    StackedConfig as StackedConfig,
)
