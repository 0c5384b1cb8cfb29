"""The durable log."""

from agent.store.config import StoreConfig
from agent.store.files import Locked
from agent.store.intake import Accepted
from agent.store.log import Cursor, Log

__all__ = ["Accepted", "Cursor", "Locked", "Log", "StoreConfig"]
