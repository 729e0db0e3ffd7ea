package superstep.yarn;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.yarn.webapp.util.WebAppUtils;

/**
 * The application's pages: the status page that the coordinator keeps in the run's folder, and the
 * events that a client follows. It answers the proxy of the ResourceManager, which knows who may look,
 * and who shows the reader's key of this job; nobody else.
 */
final class StatusServer {
  static final String KEY_HEADER = "X-Superstep-Reader";

  /** What the run's folder holds for people. */
  private static final List<String> FILES =
      Arrays.asList("status.html", "status.json", "report.html", "metrics.jsonl", "job.toml");

  private final HttpServer server;
  private final ExecutorService threads = Executors.newFixedThreadPool(2, StatusServer::thread);
  private final Configuration conf;
  private final EventLog events;
  private final Path folder;
  private final String key;
  private final Supplier<String> summary;
  private final Supplier<String> containers;
  private final Set<InetAddress> proxies = new HashSet<>();

  /** `summary` says in a line how the job stands, while there is no page yet; `containers` is Counts.json(). */
  StatusServer(
      Configuration conf,
      InetAddress host,
      EventLog events,
      Path folder,
      String credentials,
      Supplier<String> summary,
      Supplier<String> containers)
      throws IOException {
    this.conf = conf;
    this.events = events;
    this.folder = folder;
    this.key = readerKey(credentials);
    this.summary = summary;
    this.containers = containers;
    for (String proxy : WebAppUtils.getProxyHostsAndPortsForAmFilter(conf)) {
      try {
        String name = proxy.substring(0, Math.max(0, proxy.lastIndexOf(':')));
        proxies.addAll(Arrays.asList(InetAddress.getAllByName(name)));
      } catch (UnknownHostException error) {
        System.err.println("the proxy " + proxy + " has no address: it is not let in");
      }
    }
    server = HttpServer.create(new InetSocketAddress(host, 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  int port() {
    return server.getAddress().getPort();
  }

  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  /** What lets a client read the events: made from the job's secret, which it does not give away. */
  static String readerKey(String credentials) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update("superstep reader\n".getBytes(StandardCharsets.UTF_8));
      digest.update(credentials.getBytes(StandardCharsets.UTF_8));
      StringBuilder hex = new StringBuilder();
      for (byte b : digest.digest()) hex.append(String.format("%02x", b));
      return hex.toString();
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(work, "status");
    thread.setDaemon(true);
    return thread;
  }

  private void answer(HttpExchange exchange) throws IOException {
    try {
      if (!mayRead(exchange)) {
        send(exchange, 403, "text/plain", bytes("ask through the ResourceManager's proxy\n"));
      } else if (!exchange.getRequestMethod().equals("GET")) {
        send(exchange, 405, "text/plain", bytes("GET only\n"));
      } else {
        answer(exchange, exchange.getRequestURI().getPath().substring(1));
      }
    } catch (IOException | RuntimeException error) {
      send(exchange, 500, "text/plain", bytes(error + "\n"));
    } finally {
      exchange.close();
    }
  }

  private void answer(HttpExchange exchange, String name) throws IOException {
    if (name.equals("events")) {
      String from = exchange.getRequestURI().getQuery();
      long number = from != null && from.matches("from=\\d{1,18}") ? Long.parseLong(from.substring(5)) : 0;
      send(exchange, 200, "text/plain", bytes(events.since(number)));
      return;
    }
    if (name.equals(Containers.COUNTS_FILE)) {
      send(exchange, 200, type(name), bytes(containers.get()));
      return;
    }
    byte[] content = read(name.isEmpty() ? "status.html" : name);
    if (content != null) {
      send(exchange, 200, type(name), content);
    } else if (name.isEmpty()) {
      String page =
          "<!DOCTYPE html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\">"
              + "<title>Superstep</title><p>"
              + escape(summary.get());
      send(exchange, 200, "text/html; charset=utf-8", bytes(page));
    } else {
      send(exchange, 404, "text/plain", bytes("no such page\n"));
    }
  }

  private boolean mayRead(HttpExchange exchange) {
    String shown = exchange.getRequestHeaders().getFirst(KEY_HEADER);
    return (shown != null && MessageDigest.isEqual(bytes(shown), bytes(key)))
        || proxies.contains(exchange.getRemoteAddress().getAddress());
  }

  /** A file of the run's folder; null where it is none of those for people, or not there yet. */
  private byte[] read(String name) throws IOException {
    if (!FILES.contains(name)) return null;
    Path path = new Path(folder, name);
    FileSystem files = path.getFileSystem(conf);
    if (!files.exists(path)) return null;
    byte[] content = new byte[(int) files.getFileStatus(path).getLen()];
    try (FSDataInputStream stream = files.open(path)) {
      IOUtils.readFully(stream, content, 0, content.length);
    }
    return content;
  }

  private static String type(String name) {
    if (name.endsWith(".json")) return "application/json";
    return name.isEmpty() || name.endsWith(".html")
        ? "text/html; charset=utf-8"
        : "text/plain; charset=utf-8";
  }

  private static void send(HttpExchange exchange, int code, String type, byte[] content)
      throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.sendResponseHeaders(code, content.length == 0 ? -1 : content.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(content);
    }
  }

  static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
