"""The images of infra/images: the gate is their entry, no encoder is in them, and one command builds them for both architectures."""

import pathlib
import re
import subprocess

PROJECT = pathlib.Path(__file__).parents[2]
IMAGES = PROJECT / "infra" / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
# Their wheels contain x264 and x265: see "The encoder's licence" in docs/images.md.
WITH_ENCODERS = re.compile(r"selkies|pixelflux|pcmflux|x264|x265|ffmpeg|gstreamer", re.IGNORECASE)


def instructions(dockerfile):
    """The instructions of a Dockerfile, without comments, each on one line."""
    text = "".join(line for line in dockerfile.read_text().splitlines(keepends=True) if not line.startswith("#"))
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_there_is_an_image_of_each_kind():
    assert [dockerfile.name.split(".")[0] for dockerfile in DOCKERFILES] == ["chromium", "desktop", "web"]


def test_the_gate_is_the_entry_and_the_user_is_not_root():
    for dockerfile in DOCKERFILES:
        lines = instructions(dockerfile)
        assert 'ENTRYPOINT ["/usr/local/bin/gate", "run", "--"]' in lines, dockerfile
        assert "COPY --from=gate /gate /usr/local/bin/gate" in lines, dockerfile
        users = [line for line in lines if line.startswith("USER ")]
        assert users == ["USER 1000:1000"] and lines.index(users[0]) > lines.index("COPY --from=gate /gate /usr/local/bin/gate"), dockerfile
        for copied in re.findall(r"^COPY (?!--from)(\S+)", "\n".join(lines), re.MULTILINE):
            assert (IMAGES / copied).is_dir(), f"{dockerfile}: {copied}"


def test_no_encoder_is_in_an_image():
    for dockerfile in DOCKERFILES:
        found = [line for line in instructions(dockerfile) if WITH_ENCODERS.search(line)]
        assert not found, f"{dockerfile}: {found}"
        assert not any(re.search(r"\b(pip|pip3|curl|wget)\b", line) for line in instructions(dockerfile)), dockerfile
    for script in (IMAGES / "screen").iterdir():
        assert not WITH_ENCODERS.search(script.read_text()), script


def test_an_encoder_is_found():
    assert WITH_ENCODERS.search("RUN pip install selkies==2.1.0") and WITH_ENCODERS.search("RUN apt-get install libx264-dev")


def run_build(tmp_path, *arguments):
    """What build.sh asks of docker."""
    fake = tmp_path / "docker"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    return subprocess.run([IMAGES / "build.sh", *arguments], capture_output=True, text=True, env=environment, check=False)


def test_one_command_builds_and_pushes_for_both_architectures(tmp_path):
    built = run_build(tmp_path, "--push", "registry.example", "7")
    calls = built.stdout.splitlines()
    assert built.returncode == 0 and len(calls) == 4, built
    assert all(call.startswith("buildx build --platform linux/amd64,linux/arm64 --push ") for call in calls), calls
    assert "--file infra/gate.Dockerfile --tag registry.example/casting/gate:7" in calls[0]
    for name, call in zip(["chromium", "desktop", "web"], calls[1:], strict=True):
        assert f"--file infra/images/{name}.Dockerfile --build-arg GATE=registry.example/casting/gate:7" in call
        assert call.endswith(f"--tag registry.example/casting/{name}:7 infra/images")


def test_one_image_is_built_and_others_are_named(tmp_path):
    built = run_build(tmp_path, "registry.example", "7", "web")
    assert built.returncode == 0 and len(built.stdout.splitlines()) == 2 and "--push" not in built.stdout, built
    for arguments in [["registry.example"], ["registry.example", "7", "moon"]]:
        refused = run_build(tmp_path, *arguments)
        assert refused.returncode == 64 and not refused.stdout and refused.stderr, refused
