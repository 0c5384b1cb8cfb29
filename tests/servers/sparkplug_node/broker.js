// aedes, an MQTT broker that speaks 3.1.1 only.
//   node broker.js '{"port": 1883, "modules": "..."}'      prints "ready" when it listens
"use strict";
const net = require("net");
const path = require("path");
const { createRequire } = require("module");
const options = JSON.parse(process.argv[2]);
const { Aedes } = createRequire(path.join(options.modules, "package.json"))("aedes");

Aedes.createBroker().then((broker) => {
  net.createServer(broker.handle).listen(options.port, "127.0.0.1", () => process.stdout.write("ready\n"));
});
