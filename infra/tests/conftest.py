"""One deployment for all tests that want it."""

import pytest


@pytest.fixture(scope="session")
def deployment(tmp_path_factory):
    from deployment import Deployment

    deployed = Deployment(tmp_path_factory.mktemp("emulator"))
    try:
        deployed.deploy()
        yield deployed
    finally:
        deployed.stop()
