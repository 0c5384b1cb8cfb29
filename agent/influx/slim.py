"""influxdb-client's write service without the rest of it.

`import influxdb_client` imports 390 modules, all models of the API: half a second and 12 MB at each start of
a gateway. Here its packages are entered in `sys.modules` without running them, and only what writing needs is imported.
Whoever asks one of them for something else gets it: then it runs after all.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGES = ("influxdb_client", "influxdb_client.domain", "influxdb_client.service", "influxdb_client.client")


class _Later(ModuleType):
    """A package that runs when something is asked of it that no import of a module in it has brought."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_has_run"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__["_has_run"] = True
        _spec(self.__name__).loader.exec_module(self)  # type: ignore[union-attr]
        return getattr(self, name)


def _spec(name: str) -> ModuleSpec:
    spec = find_spec(name) if name not in sys.modules else sys.modules[name].__spec__
    assert spec is not None, f"{name} is installed"
    return spec


for _name in _PACKAGES:
    if _name not in sys.modules:
        _package = module_from_spec(_spec(_name))
        _package.__class__ = _Later
        sys.modules[_name] = _package
_client = sys.modules["influxdb_client"]
for _module, _wanted in (
    ("version", "VERSION"),
    ("service.signin_service", "SigninService"),
    ("service.signout_service", "SignoutService"),
):
    setattr(_client, _wanted, getattr(importlib.import_module(f"influxdb_client.{_module}"), _wanted))

ApiClient: Any = importlib.import_module("influxdb_client._sync.api_client").ApiClient
Configuration: Any = importlib.import_module("influxdb_client.configuration").Configuration
WriteService: Any = importlib.import_module("influxdb_client.service.write_service").WriteService
ApiException: type[Any] = importlib.import_module("influxdb_client.rest").ApiException
