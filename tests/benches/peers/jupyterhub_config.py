"""Owns JupyterHub's configuration: temporary users, and the demo app of session casting as their server. Everything else is at its default."""

import json
import os

from jupyterhub.spawner import SimpleLocalProcessSpawner

settings = json.loads(os.environ["PEERS_SETTINGS"])


class AppSpawner(SimpleLocalProcessSpawner):
    """Starts the app as a process of the hub's own user, and tells it its port."""

    home_dir_template = settings["homes"] + "/{username}"

    def get_env(self):
        """The environment of the app."""
        return {**super().get_env(), "PORT": str(self.port)}


c = get_config()  # noqa: F821 (JupyterHub gives it)
c.JupyterHub.authenticator_class = "tmp"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = AppSpawner
c.Spawner.cmd = [settings["app"]]
c.JupyterHub.bind_url = settings["bind_url"]
c.JupyterHub.hub_bind_url = settings["hub_bind_url"]
c.ConfigurableHTTPProxy.api_url = settings["proxy_url"]
# The app answers at "/", so the proxy leaves out "/user/NAME".
c.ConfigurableHTTPProxy.command = [settings["proxy"], "--no-include-prefix"]
c.JupyterHub.active_server_limit = settings["server_limit"]
