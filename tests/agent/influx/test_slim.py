"""influxdb-client's write service alone."""

import subprocess
import sys

COUNT = "sum(name.partition('.')[0] in ('influxdb_client', 'reactivex') for name in sys.modules)"


def said(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_few_of_its_modules_are_imported() -> None:
    """Its own way would bring more than four hundred."""
    assert int(said(f"import sys, agent.influx.client; print({COUNT})")) < 20


def test_the_rest_is_there_for_whoever_asks() -> None:
    """Another user of the library in the same process gets what he imports."""
    asked = "from influxdb_client import InfluxDBClient; from influxdb_client.domain import Bucket"

    assert said(f"import agent.influx.client; {asked}; print(InfluxDBClient.__name__, Bucket.__name__)") == (
        "InfluxDBClient Bucket"
    )
