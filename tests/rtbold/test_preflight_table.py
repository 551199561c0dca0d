"""The table of checks in the docs against the checks in the code."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKS = (
    "preflight/checks.py", "preflight/examine.py", "preflight/streams.py",
)  # fmt: skip
# whose state is a variable: the doctor's
FROM_DOCTOR = {
    ("engine", "fail"), ("engine", "warn"), ("disk", "warn"),
    ("priority", "warn"),
}  # fmt: skip
ON_ONE_ROW = {"recorder"}  # beside another that warns


def said_in_the_code():
    """Return (check, state) of every finding whose name and state are literals."""
    found = set(FROM_DOCTOR)
    for file in CHECKS:
        tree = ast.parse((ROOT / "rtbold" / file).read_text("utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                found |= states_of(call.func.id, call.args)
    return found


def states_of(function, arguments):
    name, *rest = [getattr(each, "value", None) for each in arguments[:2]] or [None]
    if not isinstance(name, str):
        return set()
    if function == "refused":
        return {(name, "fail")}
    if function == "asked":
        return {(name, "fail"), (name, "warn")}
    known = function == "Finding" and isinstance(rest[0], str)
    return {(name, *rest)} if known else set()


def said_on_the_page():
    page = (ROOT / "docs" / "reference" / "checks.md").read_text("utf-8")
    text = page.partition("| check | fails | warns |\n")[2].partition("\n\n")[0]
    found = set()
    for line in text.splitlines()[1:]:
        names, fails, warns = (cell.strip() for cell in line.strip("|").split("|"))
        for name in names.split(", "):
            found |= {(name, "fail")} if fails else set()
            found |= {(name, "warn")} if warns else set()
    return found


def test_the_page_says_of_each_check_whether_it_fails_and_warns():
    code = {(name, state) for name, state in said_in_the_code() if state != "ok"}
    page = said_on_the_page()
    assert code - page == set()
    assert {name for name, _ in page - code} - ON_ONE_ROW == set()
