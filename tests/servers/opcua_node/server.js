// A plant on node-opcua's server, told what to do over standard input: the same commands as opcua_child.py.
//   node server.js '{"port": 4842, "counters": 2000, "period_s": 1, "pki": "/tmp/pki"}'
// Options: user and password (then nobody is anonymous), trusts_clients (default true), historizing.
"use strict";
const path = require("path");
const readline = require("readline");
const { createRequire } = require("module");
const options = JSON.parse(process.argv[2]);
const say = (word) => process.stdout.write(`${word}\n`);
console.log = console.info = console.warn = console.error; // node-opcua talks; standard output is for answers
const installed = createRequire(path.join(options.modules, "package.json"));
const {
  OPCUAServer, OPCUACertificateManager, Variant, DataType, VariantArrayType, StatusCodes, SecurityPolicy,
  MessageSecurityMode, LocalizedText, coerceInt64,
} = installed("node-opcua");

const URI = "http://raceway.example/machine";

async function start() {
  const certificates = new OPCUACertificateManager({
    rootFolder: options.pki,
    automaticallyAcceptUnknownCertificate: options.trusts_clients !== false,
  });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    resourcePath: "",
    serverCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: !options.user,
    userManager: { isValidUser: (user, password) => user === options.user && password === options.password },
    serverCapabilities: { maxSessions: 20 },
  });
  await server.initialize();
  server.engine.allowAnonymousSubscriptionTransferOnUnsecuredChannel = true;
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace(URI);
  const folder = namespace.addObject({
    organizedBy: space.rootFolder.objects, browseName: "Machine", eventNotifier: 1,
    notifierOf: space.rootFolder.objects.server,
  });
  const add = (name, dataType, value, more = {}) =>
    namespace.addVariable({
      componentOf: folder, nodeId: `s=${name}`, browseName: name, dataType, ...more,
      value: new Variant({ dataType: more.as ?? dataType, value, arrayType: more.valueRank ? VariantArrayType.Array : VariantArrayType.Scalar }),
    });
  const counters = [];
  for (let i = 0; i < (options.counters ?? 3); i++) counters.push(add(`C${i}`, DataType.Double, 0));
  add("Order", DataType.String, "A-4711");
  add("Program", DataType.LocalizedText, new LocalizedText({ locale: "zh-CN", text: "磨削" }));
  add("Axes", DataType.Double, new Float64Array([1.5, 2.5, 3.5]), { valueRank: 1 });
  add("Pieces", DataType.UInt64, coerceInt64("9007199254740993"));
  add("Running", DataType.Boolean, true);
  const broken = add("Broken", DataType.Double, 1);
  broken.setValueFromSource({ dataType: DataType.Double, value: 1 }, StatusCodes.BadSensorFailure);
  space.installAlarmsAndConditionsService();
  const temperature = add("Temperature", DataType.Double, 20, { eventSourceOf: folder });
  namespace.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "Hot", conditionName: "Hot", componentOf: folder, conditionSource: temperature, inputNode: temperature,
    optionals: ["ConfirmedState", "Confirm"], lowLimit: -10, highLimit: 80, highHighLimit: 100, lowLowLimit: -20,
  });
  const mode = namespace.addEnumerationType({ browseName: "OperatingMode", enumeration: ["Idle", "Running", "Fault"] });
  add("Mode", mode, 1, { as: DataType.Int32 });
  namespace.addMultiStateDiscrete({
    componentOf: folder, nodeId: "s=Gear", browseName: "Gear", enumStrings: ["neutral", "low", "high"], value: 2,
  });
  if (options.historizing) counters.forEach((counter) => space.installHistoricalDataNode(counter));
  await server.start();

  let number = 0;
  setInterval(() => {
    number += 1;
    const now = new Date();
    for (const counter of counters) counter.setValueFromSource({ dataType: DataType.Double, value: number }, undefined, now);
  }, (options.period_s ?? 0.1) * 1000);
  const tokens = () => Object.values(server.engine._sessions).map((session) => session.authenticationToken);
  const commands = {
    heat: ({ value }) => temperature.setValueFromSource({ dataType: DataType.Double, value }),
    sessions: () => server.engine.currentSessionCount,
    subscriptions: () => server.engine.currentSubscriptionCount,
    // the sessions end and their subscriptions stay, to be transferred
    orphan: () => tokens().forEach((token) => server.engine.closeSession(token, false, "Terminated")),
  };
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const { do: what, ...rest } = JSON.parse(line);
    say(commands[what](rest) ?? 0);
  }).on("close", () => process.exit(0));
  say("ready");
}

start().catch((error) => { say(String(error)); process.exit(1); });
