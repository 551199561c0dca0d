from .beforehand import (
    check_paths as check_paths,
    check_quick_target as check_quick_target,
)
from .compare.bundles import parse_choice as parse_choice
from .compare.output import (
    check_out as check_out,
    write_comparison as write_comparison,
)
from .compare.run import (
    CompareSettings as CompareSettings,
    Evaluation as Evaluation,
    compare_models as compare_models,
)
from .compare.tables import (
    ComparisonTable as ComparisonTable,
    comparison_tables as comparison_tables,
)
from .datasets.cache import (
    Cache as Cache,
    PreparedReport as PreparedReport,
    open_cache as open_cache,
)
from .datasets.chains import CHAINS as CHAINS, as_chain as as_chain
from .datasets.description import DataSet as DataSet, open_dataset as open_dataset
from .datasets.prepare import (
    Outcome as Outcome,
    PrepareSettings as PrepareSettings,
    named_columns as named_columns,
    prepare as prepare,
    scan_states as scan_states,
    target_settings as target_settings,
)
from .datasets.splits import split_of as split_of
from .declaration import (
    DeclaredTarget as DeclaredTarget,
    declare as declare,
    newest_declaration as newest_declaration,
    parse_looks as parse_looks,
    with_declaration as with_declaration,
)
from .evaluate.looks import look_levels as look_levels
from .explain.attribution import (
    MIN_WINDOWS as MIN_WINDOWS,
    Attribution as Attribution,
    ExplainSettings as ExplainSettings,
    WindowProgress as WindowProgress,
    as_method as as_method,
    attribute as attribute,
    overlapping as overlapping,
    roi_index as roi_index,
)
from .explain.figure import (
    as_dict as as_dict,
    check_format as check_format,
    check_number as check_number,
    draw as draw,
    save_figure as save_figure,
    shares_summary as shares_summary,
)
from .explain.windows import (
    WindowKeeper as WindowKeeper,
    Windows as Windows,
    windows_of as windows_of,
)
from .fit.protocol import Hooks as Hooks, Progress as Progress
from .inputs.choices import (
    MarkerChoice as MarkerChoice,
    Pairing as Pairing,
    WindowSettings as WindowSettings,
)
from .live.protocol import parse_phases as parse_phases
from .live.scan import (
    LiveSettings as LiveSettings,
    live_pairing as live_pairing,
    record_scan as record_scan,
)
from .recipe import calibrate as calibrate
from .report.build import next_of as next_of
from .result import CalibrationResult as CalibrationResult, summary as summary
from .save import (
    Saved as Saved,
    ShareCallback as ShareCallback,
    save_result as save_result,
)
from .settings import (
    CONTRAST as CONTRAST,
    NOTHING as NOTHING,
    CalibrationSettings as CalibrationSettings,
    ScanFiles as ScanFiles,
    parse_contrast as parse_contrast,
    parse_horizon as parse_horizon,
)
from .train.machines import join_machines as join_machines
from .train.recipe import load_recipe as load_recipe
from .train.results import TrainResults as TrainResults, results_path as results_path
from .train.submit import (
    JobArray as JobArray,
    named as named,
    numbers_of as numbers_of,
    slurm_script as slurm_script,
)
from .train.training import (
    TrainHooks as TrainHooks,
    TrainSettings as TrainSettings,
    train_model as train_model,
)
