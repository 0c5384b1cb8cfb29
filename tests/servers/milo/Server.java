import static org.eclipse.milo.opcua.stack.core.types.builtin.unsigned.Unsigned.uint;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.milo.opcua.sdk.core.Reference;
import org.eclipse.milo.opcua.sdk.server.EndpointConfig;
import org.eclipse.milo.opcua.sdk.server.ManagedNamespaceWithLifecycle;
import org.eclipse.milo.opcua.sdk.server.OpcUaServer;
import org.eclipse.milo.opcua.sdk.server.OpcUaServerConfig;
import org.eclipse.milo.opcua.sdk.server.OpcUaServerConfigLimits;
import org.eclipse.milo.opcua.sdk.server.Session;
import org.eclipse.milo.opcua.sdk.server.identity.AnonymousIdentityValidator;
import org.eclipse.milo.opcua.sdk.server.identity.CompositeValidator;
import org.eclipse.milo.opcua.sdk.server.identity.UsernameIdentityValidator;
import org.eclipse.milo.opcua.sdk.server.items.DataItem;
import org.eclipse.milo.opcua.sdk.server.items.MonitoredItem;
import org.eclipse.milo.opcua.sdk.server.nodes.UaFolderNode;
import org.eclipse.milo.opcua.sdk.server.nodes.UaVariableNode;
import org.eclipse.milo.opcua.sdk.server.util.SubscriptionModel;
import org.eclipse.milo.opcua.stack.core.NodeIds;
import org.eclipse.milo.opcua.stack.core.security.DefaultApplicationGroup;
import org.eclipse.milo.opcua.stack.core.security.DefaultCertificateManager;
import org.eclipse.milo.opcua.stack.core.security.DefaultServerCertificateValidator;
import org.eclipse.milo.opcua.stack.core.security.FileBasedCertificateQuarantine;
import org.eclipse.milo.opcua.stack.core.security.FileBasedTrustListManager;
import org.eclipse.milo.opcua.stack.core.security.MemoryCertificateStore;
import org.eclipse.milo.opcua.stack.core.security.RsaSha256CertificateFactory;
import org.eclipse.milo.opcua.stack.core.security.CertificateValidator;
import org.eclipse.milo.opcua.stack.core.security.SecurityPolicy;
import org.eclipse.milo.opcua.stack.core.types.builtin.DataValue;
import org.eclipse.milo.opcua.stack.core.types.builtin.DateTime;
import org.eclipse.milo.opcua.stack.core.types.builtin.LocalizedText;
import org.eclipse.milo.opcua.stack.core.types.builtin.NodeId;
import org.eclipse.milo.opcua.stack.core.types.builtin.StatusCode;
import org.eclipse.milo.opcua.stack.core.types.builtin.Variant;
import org.eclipse.milo.opcua.stack.core.types.builtin.unsigned.UInteger;
import org.eclipse.milo.opcua.stack.core.types.enumerated.MessageSecurityMode;
import org.eclipse.milo.opcua.stack.core.types.structured.BuildInfo;
import org.eclipse.milo.opcua.stack.core.util.SelfSignedCertificateBuilder;
import org.eclipse.milo.opcua.stack.core.util.SelfSignedCertificateGenerator;
import org.eclipse.milo.opcua.stack.transport.server.tcp.OpcTcpServerTransport;
import org.eclipse.milo.opcua.stack.transport.server.tcp.OpcTcpServerTransportConfig;

/**
 * A machine on Eclipse Milo, told what to do over standard input like opcua_child.py: counters C0, C1, ... that rise by
 * one every period_s, a text, a list. Options: port, pki, counters, period_s, user and password, trusts_clients
 * (default true), per_call (MaxMonitoredItemsPerCall, enforced by Milo itself).
 */
public final class Server {
  static final String URI = "http://raceway.example/machine";
  static final String APPLICATION = "urn:raceway:test:milo";

  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    Map<String, String> options = parsed(arguments[0]);
    OpcUaServer server = server(options);
    Machine machine = new Machine(server, number(options, "counters", 3));
    machine.startup();
    server.startup().get();
    long everyMs = Math.round(Double.parseDouble(options.getOrDefault("period_s", "0.1")) * 1000);
    Executors.newSingleThreadScheduledExecutor()
        .scheduleAtFixedRate(machine::count, everyMs, everyMs, TimeUnit.MILLISECONDS);
    System.out.println("ready");
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      System.out.println(done(server, parsed(line).get("do")));
    }
    System.exit(0);
  }

  private static int done(OpcUaServer server, String what) {
    List<Session> sessions = new ArrayList<>(server.getSessionManager().getAllSessions());
    if (what.equals("end_sessions")) {
      sessions.forEach(session -> server.getSessionManager().killSession(session.getSessionId(), true));
    }
    return sessions.size();
  }

  private static Map<String, String> parsed(String json) {
    Map<String, String> found = new HashMap<>();
    Matcher pairs = Pattern.compile("\"(\\w+)\": *\"?([^\",}]*)\"?").matcher(json);
    while (pairs.find()) {
      found.put(pairs.group(1), pairs.group(2));
    }
    return found;
  }

  private static int number(Map<String, String> options, String name, int otherwise) {
    return Integer.parseInt(options.getOrDefault(name, String.valueOf(otherwise)));
  }

  private static OpcUaServer server(Map<String, String> options) throws Exception {
    Path pki = Path.of(options.get("pki"));
    var trust = FileBasedTrustListManager.createAndInitialize(pki);
    var quarantine = FileBasedCertificateQuarantine.create(pki.resolve("rejected").resolve("certs"));
    boolean trusting = options.getOrDefault("trusts_clients", "true").equals("true");
    CertificateValidator validator =
        trusting ? (chain, uri, hosts) -> {} : new DefaultServerCertificateValidator(trust, quarantine);
    KeyPair keys = SelfSignedCertificateGenerator.generateRsaKeyPair(2048);
    X509Certificate certificate =
        new SelfSignedCertificateBuilder(keys)
            .setCommonName("Milo test server").setApplicationUri(APPLICATION).addIpAddress("127.0.0.1").build();
    var factory =
        new RsaSha256CertificateFactory() {
          @Override
          protected KeyPair createRsaSha256KeyPair() {
            return keys;
          }

          @Override
          protected X509Certificate[] createRsaSha256CertificateChain(KeyPair pair) {
            return new X509Certificate[] {certificate};
          }
        };
    var group = new DefaultApplicationGroup(trust, new MemoryCertificateStore(), factory, validator);
    group.initialize();
    var config =
        OpcUaServerConfig.builder()
            .setApplicationUri(APPLICATION)
            .setProductUri(APPLICATION)
            .setApplicationName(LocalizedText.english("Milo test server"))
            .setBuildInfo(new BuildInfo(APPLICATION, "Raceway", "Milo test server", "1", "1", DateTime.now()))
            .setEndpoints(endpoints(number(options, "port", 4840), certificate, options.get("user") != null))
            .setCertificateManager(new DefaultCertificateManager(quarantine, group))
            .setIdentityValidator(
                new CompositeValidator(
                    AnonymousIdentityValidator.INSTANCE,
                    new UsernameIdentityValidator(
                        asked -> asked.getUsername().equals(options.get("user"))
                            && asked.getPassword().equals(options.get("password")))))
            .setLimits(limits(number(options, "per_call", 10_000)))
            .build();
    return new OpcUaServer(
        config, profile -> new OpcTcpServerTransport(OpcTcpServerTransportConfig.newBuilder().build()));
  }

  private static OpcUaServerConfigLimits limits(int perCall) {
    return new OpcUaServerConfigLimits() {
      @Override
      public UInteger getMaxMonitoredItemsPerCall() {
        return uint(perCall);
      }
    };
  }

  private static Set<EndpointConfig> endpoints(int port, X509Certificate certificate, boolean named) {
    Set<EndpointConfig> all = new LinkedHashSet<>();
    var token = named ? OpcUaServerConfig.USER_TOKEN_POLICY_USERNAME : OpcUaServerConfig.USER_TOKEN_POLICY_ANONYMOUS;
    for (SecurityPolicy policy :
        List.of(SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep)) {
      var mode = policy == SecurityPolicy.None ? MessageSecurityMode.None : MessageSecurityMode.SignAndEncrypt;
      all.add(
          EndpointConfig.newBuilder()
              .setBindAddress("127.0.0.1").setHostname("127.0.0.1").setBindPort(port).setCertificate(certificate)
              .setSecurityPolicy(policy).setSecurityMode(mode).addTokenPolicies(token).build());
    }
    return all;
  }

  /** The address space. */
  private static final class Machine extends ManagedNamespaceWithLifecycle {
    private final List<UaVariableNode> counters = new ArrayList<>();
    private final SubscriptionModel model;
    private double number;

    Machine(OpcUaServer server, int wanted) {
      super(server, URI);
      model = new SubscriptionModel(server, this);
      getLifecycleManager().addLifecycle(model);
      getLifecycleManager().addStartupTask(() -> fill(wanted));
    }

    private void fill(int wanted) {
      var folder =
          new UaFolderNode(
              getNodeContext(), newNodeId("Machine"), newQualifiedName("Machine"), LocalizedText.english("Machine"));
      getNodeManager().addNode(folder);
      folder.addReference(
          new Reference(folder.getNodeId(), NodeIds.Organizes, NodeIds.ObjectsFolder.expanded(), false));
      for (int i = 0; i < wanted; i++) {
        counters.add(add(folder, "C" + i, NodeIds.Double, new Variant(0.0)));
      }
      add(folder, "Order", NodeIds.String, new Variant("A-4711"));
      add(folder, "Axes", NodeIds.Double, new Variant(new Double[] {1.5, 2.5, 3.5}));
      add(folder, "Pieces", NodeIds.Int64, new Variant(9007199254740993L));
    }

    private UaVariableNode add(UaFolderNode folder, String name, NodeId type, Variant value) {
      UaVariableNode node =
          new UaVariableNode.UaVariableNodeBuilder(getNodeContext())
              .setNodeId(newNodeId(name)).setBrowseName(newQualifiedName(name))
              .setDisplayName(LocalizedText.english(name)).setDataType(type)
              .setTypeDefinition(NodeIds.BaseDataVariableType).build();
      node.setValue(new DataValue(value));
      getNodeManager().addNode(node);
      folder.addOrganizes(node);
      return node;
    }

    void count() {
      number += 1;
      DateTime now = DateTime.now();
      for (UaVariableNode counter : counters) {
        counter.setValue(new DataValue(new Variant(number), StatusCode.GOOD, now));
      }
    }

    @Override
    public void onDataItemsCreated(List<DataItem> items) {
      model.onDataItemsCreated(items);
    }

    @Override
    public void onDataItemsModified(List<DataItem> items) {
      model.onDataItemsModified(items);
    }

    @Override
    public void onDataItemsDeleted(List<DataItem> items) {
      model.onDataItemsDeleted(items);
    }

    @Override
    public void onMonitoringModeChanged(List<MonitoredItem> items) {
      model.onMonitoringModeChanged(items);
    }
  }
}
