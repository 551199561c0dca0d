"""What a code host reads: the workflow, the forms for issues, how to cite."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOST = ROOT / ".github"
FORMS = sorted((HOST / "ISSUE_TEMPLATE").glob("*.yml"))

yaml = pytest.importorskip("yaml")


def test_ci_calls_the_two_commands_of_the_readme_on_three_systems():
    text = (HOST / "workflows" / "ci.yml").read_text("utf-8")
    job = yaml.safe_load(text)["jobs"]["commands"]
    systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "windows", "macos"}
    runs = "\n".join(step.get("run", "") for step in job["steps"])
    called = re.findall(r"python (scripts/\w+\.py)", runs)
    readme = (ROOT / "README.md").read_text("utf-8")
    wanted = re.findall(r"^    python (scripts/\w+\.py)", readme, re.MULTILINE)
    assert called == wanted == ["scripts/demo.py", "scripts/test.py"]


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f.name != "config.yml"], ids=lambda form: form.name
)
def test_each_form_asks_for_the_doctor(form):
    fields = yaml.safe_load(form.read_text("utf-8"))["body"]
    asked = [field for field in fields if field.get("id") == "doctor"]
    assert [field["validations"]["required"] for field in asked] == [True]
    assert asked[0]["attributes"]["label"] == "`rtbold doctor --json`"


def test_the_version_to_cite_is_the_package_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"]
