"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)
INSTALLED_CONFIG = Path("/etc/raceway/plant.yaml")
config_file = click.argument("config", type=FILE)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, for scripts.")
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
