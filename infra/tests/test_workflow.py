"""The workflow can be read, gives nobody more than it must, and names what is there."""

import pathlib
import re

import yaml

PROJECT = pathlib.Path(__file__).parents[2]
WORKFLOWS = PROJECT / ".github" / "workflows"
TEXT = (WORKFLOWS / "ci.yml").read_text()
JOBS = yaml.safe_load(TEXT)["jobs"]
NIGHTLY = (WORKFLOWS / "nightly.yml").read_text()


def test_every_job_ends_and_may_do_no_more_than_read_unless_it_says_so():
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    writers = {name: {what for what, how in job.get("permissions", {}).items() if how == "write"} for name, job in JOBS.items()}
    assert writers == {"test": set(), "dependencies": set(), "package": {"id-token", "attestations"}, "release": {"contents", "packages", "id-token"}}
    nightly = yaml.safe_load(NIGHTLY)
    assert nightly["permissions"] == {"contents": "read"} and not any("permissions" in job for job in nightly["jobs"].values())
    for name, job in (JOBS | nightly["jobs"]).items():
        assert job["timeout-minutes"] <= 90, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False, name


def test_nothing_that_a_stranger_writes_is_run():
    for job in JOBS.values():
        for step in job["steps"]:
            for inserted in re.findall(r"\$\{\{(.*?)\}\}", step.get("run", "")):
                assert inserted.strip() == "matrix.architecture", inserted


def test_what_the_workflow_names_is_there():
    for path in re.findall(r"(infra/[\w./-]+\.(?:txt|Dockerfile|sh))|(\.ci/run|\./test\.sh)", TEXT + NIGHTLY):
        assert (PROJECT / (path[0] or path[1])).is_file(), path
    names = next(step["run"] for step in JOBS["package"]["steps"] if step.get("name") == "Functions")
    functions = sorted(folder.name for folder in (PROJECT / "functions").iterdir())
    assert sorted(re.search(r"for name in (.*); do", names)[1].split()) == functions
    assert {entry["architecture"] for entry in JOBS["package"]["strategy"]["matrix"]["include"]} == {"arm64", "x86_64"}


def test_the_gates_image_is_built_from_nothing_and_sees_only_what_it_is_built_from():
    dockerfile = (PROJECT / "infra" / "gate.Dockerfile").read_text()
    assert "\nFROM scratch\n" in dockerfile and 'ENTRYPOINT ["/gate"]' in dockerfile
    seen = (PROJECT / "infra" / "gate.Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in seen and "**/target" in seen and "!Cargo.lock" in seen
    for member in re.search(r"members = \[(.*)\]", (PROJECT / "Cargo.toml").read_text())[1].split(","):
        folder = pathlib.Path(member.strip().strip(chr(34)).removesuffix("/*"))
        assert any(f"!{one}" in seen for one in [folder, *folder.parents]), f"the workspace does not load without {member}"
