from .answers import read_answers as read_answers
from .blocks import FedBack as FedBack, RunSummary as RunSummary, runs_of as runs_of
from .build import Report as Report, build_report as build_report
from .checklists import (
    LISTS as LISTS,
    all_numbers as all_numbers,
    as_json as as_json,
    checklist as checklist,
    filled as filled,
)
from .effects import (
    Effect as Effect,
    differences as differences,
    effect as effect,
)
from .facts import model_facts as model_facts
from .output import (
    HTML_NAME as HTML_NAME,
    report_json as report_json,
    write_report as write_report,
)
from .site import (
    EXAMPLE as EXAMPLE,
    default_path as default_path,
    read_site as read_site,
)
from .words import effect_words as effect_words, methods_text as methods_text
