"""The tables of checks in the docs against the checks in the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# page -> file -> functions of it that the command calls; none: all
CHECKS = {
    "checks.md": {
        "examine.py": (),
        "streams.py": (),
        "stream_checks.py": (),
        "machine.py": (
            "check_disk",
            "check_left_over",
            "check_privacy",
            "priority_check",
            "time_engine",
        ),
    },
    "doctor.md": {"machine.py": (), "qt_platform.py": ()},
}
# beside another that warns, or with a name that is made up of its port
NOT_ALONE = {"recorder", "port 5580", "5581"}


def said_in_the_code(files):
    """Return (check, state) of every check whose name and state are literals."""
    found = set()
    for file, names in files.items():
        tree = ast.parse((ROOT / "rtbold" / "preflight" / file).read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                if not names or function.name in names:
                    found |= said_in(function)
    return found


def said_in(function):
    found, known = set(), literals(function)
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
            name = value_of(call.args[0], known)
            states = states_of(call.func.id, call.args[1:])
            found |= {(name, state) for state in states if isinstance(name, str)}
    return found


def literals(function):
    """Return the values of names that are given a literal, alone or side by side."""
    known = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(target.elts, value.elts, strict=True)
            known |= {
                getattr(name, "id", None): each.value
                for name, each in pairs
                if isinstance(each, ast.Constant)
            }
    return known


def value_of(node, known):
    return getattr(node, "value", known.get(getattr(node, "id", None)))


def states_of(function, arguments):
    if function in ("refused", "tried"):
        return {"fail"}
    if function == "gate_finding":
        return {"fail", "warn"}
    if function == "decided":
        return {rule.elts[1].value for rule in arguments[1:]}
    if function != "Check":
        return set()
    state = arguments[0]  # or one of two
    return {each.value for each in ast.walk(state) if type(each) is ast.Constant}


def said_on_the_page(name):
    page = (ROOT / "docs" / "reference" / name).read_text("utf-8")
    text = page.partition("| check | fails | warns |\n")[2].partition("\n\n")[0]
    found = set()
    for line in text.splitlines()[1:]:
        names, fails, warns = (cell.strip() for cell in line.strip("|").split("|"))
        for name in names.split(", "):
            found |= {(name, "fail")} if fails else set()
            found |= {(name, "warn")} if warns else set()
    return found


@pytest.mark.parametrize("name", CHECKS)
def test_the_page_says_of_each_check_whether_it_fails_and_warns(name):
    code = {said for said in said_in_the_code(CHECKS[name]) if said[1] != "ok"}
    page = said_on_the_page(name)
    assert len(page) > 10
    assert code - page == set()
    assert {check for check, _ in page - code} - NOT_ALONE == set()
