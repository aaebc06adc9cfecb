"""Owns nginx as it is measured: a server that refuses all but the first request of an address by limit_req."""

from pathlib import Path

from processes import Program, answers, free_ports

CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  limit_req_zone $binary_remote_addr zone=visitors:1m rate=1r/m;
  limit_req_status 429;
  server {{
    listen 127.0.0.1:{port};
    location / {{ limit_req zone=visitors; root {folder}/empty; }}
  }}
}}
"""


class Limiter(Program):
    """nginx with one worker for each processor."""

    def __init__(self, folder: Path):
        [port] = free_ports(1)
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
        # Debian keeps it where only administrators look.
        super().__init__(["/usr/sbin/nginx", "-c", str(configuration), "-e", "stderr"], folder / "nginx.log")
        self.url = f"http://127.0.0.1:{port}/"
        self.wait_for_start(lambda: answers(port), "it ran")
