"""Telegraf as someone who knows it would set it up: source times, gzip, the same batch, a large buffer."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.peers import BATCH, Job

_AGENT = """[agent]
  interval = "1s"
  flush_interval = "{flush}"
  flush_jitter = "0s"
  metric_batch_size = {batch}
  metric_buffer_limit = {limit}
  precision = "1ms"
  omit_hostname = true
  skip_processors_after_aggregators = true
{buffer}
[[outputs.influxdb_v2]]
  urls = ["{sink}"]
  token = "{token}"
  timeout = "{timeout}s"
  organization = "bench"
  bucket = "bench"
  content_encoding = "gzip"
"""
_OPCUA = """[[inputs.opcua_listener]]
  name = "opcua"
  endpoint = "{url}"
  security_policy = "{policy}"
  security_mode = "{mode}"
{certificates}  auth_method = "Anonymous"
  subscription_interval = "{publishing}ms"
  timestamp = "source"
  connect_fail_behavior = "retry"
  fieldexclude = ["Quality"]
  [[inputs.opcua_listener.group]]
    name = "bench"
    sampling_interval = "{sampling:g}ms"
    nodes = [
{nodes}
    ]
"""
_MQTT = """[[inputs.mqtt_consumer]]
  servers = ["{url}"]
  topics = ["plant/+/+/energy"]
  qos = 1
  persistent_session = true
  client_id = "telegraf"
  max_undelivered_messages = 100000
  topic_tag = ""
  data_format = "json"
  json_time_key = "ts"
  json_time_format = "unix_ms"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "plant/+/+/energy"
    measurement = "_/_/_/measurement"
    tags = "_/line/machine/_"
"""


class Telegraf:
    """A binary of at least 1.39.3. `is_tuned`: not its defaults of 10 s, 1,000 lines and a buffer of 10,000."""

    buffer = "buffer/**/*"

    def __init__(self, binary: str, *, is_tuned: bool = True) -> None:
        self.name = "telegraf" if is_tuned else "telegraf-defaults"
        self._binary = binary
        self._is_tuned = is_tuned

    def version(self) -> str:
        """What the binary says."""
        return subprocess.run([self._binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def environment(self) -> Mapping[str, str]:
        """None: as it comes."""
        return {}

    def command(self, job: Job, folder: Path) -> Sequence[str]:
        """One TOML file."""
        flush, batch, limit = ("1s", BATCH, 1_000_000) if self._is_tuned else ("10s", 1000, 10_000)
        buffer = f'  buffer_strategy = "disk"\n  buffer_directory = "{folder}/buffer"\n' if job.is_durable else ""
        text = _AGENT.format(
            flush=flush, batch=batch, limit=limit, buffer=buffer, sink=job.sink_url, token=job.token,
            timeout=job.timeout_s,
        )  # fmt: skip
        if job.source == "opcua":
            nodes = "\n".join(f'      {{name="value", id="ns=2;s=n{i}"}},' for i in range(job.nodes))
            keys = job.certificates
            certificates = (
                f'  certificate = "{keys}/client-certificate.pem"\n  private_key = "{keys}/client.pem"\n'
                if keys
                else ""
            )
            policy, mode = ("Basic256Sha256", "SignAndEncrypt") if keys else ("None", "None")
            text += _OPCUA.format(
                url=job.url, policy=policy, mode=mode, certificates=certificates, sampling=job.period_ms, nodes=nodes,
                publishing=250 if job.pace == "fresh" else 100,
            )  # fmt: skip
        else:
            text += _MQTT.format(url=job.url.replace("mqtt://", "tcp://"))
        (folder / "telegraf.conf").write_text(text)
        return [self._binary, "--config", str(folder / "telegraf.conf")]
