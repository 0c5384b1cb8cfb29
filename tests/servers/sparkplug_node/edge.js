// A Sparkplug B edge node with one device, told what to do over standard input.
//   node edge.js '{"url": "mqtt://127.0.0.1:1883", "group": "g", "edge": "e", "modules": "..."}'
// Prints "ready" after its births, then one number for each command: how many births it has published.
"use strict";
const path = require("path");
const readline = require("readline");
const { createRequire } = require("module");
const options = JSON.parse(process.argv[2]);
const say = (word) => process.stdout.write(`${word}\n`);
const sparkplug = createRequire(path.join(options.modules, "package.json"))("sparkplug-client");

const client = sparkplug.newClient({
  serverUrl: options.url, username: "", password: "", groupId: options.group, edgeNode: options.edge,
  clientId: `edge-${process.pid}`, version: "spBv1.0", publishDeath: true,
});
let births = 0;

function bear() {
  const timestamp = Date.now();
  client.publishNodeBirth({ timestamp, metrics: [
    { name: "Node Control/Rebirth", type: "Boolean", value: false },
    { name: "Load", type: "Int32", value: -5 },
  ] });
  client.publishDeviceBirth("d", { timestamp, metrics: [
    { name: "Speed", alias: 7, type: "Float", value: 1.5, timestamp,
      properties: { engUnit: { type: "String", value: "rpm" } } },
    { name: "程序", type: "String", value: "外圈磨削" },
    { name: "table", type: "DataSet", value: {
      numOfColumns: 2, types: ["Int32", "Boolean"], columns: ["t", "on"], rows: [[-1, true], [2, false]] } },
    { name: "motor", type: "Template", value: { version: "1", templateRef: "Motor", isDefinition: false,
      metrics: [{ name: "rpm", type: "UInt16", value: 1500 }], parameters: [] } },
  ] });
  births += 1;
}

const commands = {
  data: ({ value, time, compress }) => client.publishDeviceData("d", {
    timestamp: Date.now(), metrics: [{ alias: 7, type: "Float", value, timestamp: time }],
  }, compress ? { compress: true, algorithm: compress } : undefined),
  skip: () => client.incrementSeqNum(), // as if a message had been lost
  death: () => client.publishDeviceDeath("d", { timestamp: Date.now() }),
  births: () => {},
};

client.on("birth", () => {
  bear();
  if (births === 1) say("ready");
});
client.on("ncmd", (payload) => {
  if ((payload.metrics || []).some((metric) => metric.name === "Node Control/Rebirth" && metric.value)) bear();
});
client.on("error", (error) => process.stderr.write(`${error}\n`));
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
  say(births);
});
