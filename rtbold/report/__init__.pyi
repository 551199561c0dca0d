from .build import Report as Report, build_report as build_report
from .checklists import item_numbers as item_numbers
from .effects import Effect as Effect
from .output import (
    HTML_NAME as HTML_NAME,
    report_json as report_json,
    write_report as write_report,
)
from .words import effect_words as effect_words
