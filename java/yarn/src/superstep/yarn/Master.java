package superstep.yarn;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.NodeReport;
import org.apache.hadoop.yarn.api.records.NodeState;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.apache.hadoop.yarn.client.api.async.AMRMClientAsync;
import org.apache.hadoop.yarn.client.api.async.NMClientAsync;
import org.apache.hadoop.yarn.conf.YarnConfiguration;

/**
 * The application master: starts the coordinator as its child, hears from it how many workers it wants,
 * and keeps that many containers running. It decides nothing about the job. A second attempt finds the
 * workers of the first still running; they find its coordinator by the address file in the staging
 * folder.
 *
 * <p>One file, because the callbacks of YARN and of the coordinator share what is under its lock; what
 * needs none of it (workers, counts, tokens, ends, pages) has a class of its own.
 */
final class Master {
  private static final int HEARTBEAT_MS = 200;
  private static final Priority PRIORITY = Priority.newInstance(1);
  /** As in engines/supervisor.h: deaths without a superstep between that end the job. */
  private static final int MOST_DEATHS = 5;
  /** A worker may be killed for reasons of others so many times as often. */
  private static final int KILLS = 20;
  /** After new tokens could not be taken. */
  private static final long TOKENS_AGAIN_MS = 10_000;
  /** How often a worker looks for new tokens within the life of one. */
  private static final int TOKENS_LOOKS = 16;
  /** Workers leave by themselves when the job is done. */
  private static final long FAREWELL_MS = 3000;

  private final Configuration conf = new YarnConfiguration();
  private final Map<String, String> environment = System.getenv();
  private final Job job;
  private final String credentials = environment.get(Containers.CREDENTIALS);
  private final Path staging = new Path(environment.get(Containers.STAGING));
  private final String host = environment.get("NM_HOST");
  private final int attempt;
  private final Resource resource;
  private final List<String> hosts;
  private final Map<String, LocalResource> files;
  private final EventLog events = new EventLog();
  private final Progress progress = new Progress();
  private final CountDownLatch over = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(1);
  /** Writes to the file system, which may be away for a while, hold nobody up. */
  private final ExecutorService writer = Executors.newSingleThreadExecutor();

  private final AMRMClientAsync<ContainerRequest> resources =
      AMRMClientAsync.createAMRMClientAsync(HEARTBEAT_MS, new ResourceEvents());
  private final ScheduledExecutorService renewer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "renewer");
            thread.setDaemon(true);
            return thread;
          });
  private final NMClientAsync nodes = NMClientAsync.createNMClientAsync(new NodeEvents());

  // All below are guarded by this.
  private final Workers<ContainerId> workers;
  private final Deque<ContainerRequest> requests = new ArrayDeque<>();
  private final Map<ContainerId, Container> granted = new HashMap<>();
  private final Set<String> lostNodes = new HashSet<>();
  private final Counts counts;
  private ByteBuffer tokens;
  /** How often workers are to look for new tokens; 0: there will be none. */
  private long tokensEverySeconds = 0;
  private Coordinator coordinator;
  private String address;
  private String lastWord;
  private String problem;
  private ContainerId culprit;
  private int coordinatorDeaths = 0;
  private int workerDeaths = 0;
  private int nextHost = 0;
  private boolean stopping = false;

  private Master() throws IOException {
    job = new Job(new String(Files.readAllBytes(Paths.get(Job.FILE)), StandardCharsets.UTF_8));
    ContainerId own = ContainerId.fromString(environment.get("CONTAINER_ID"));
    attempt = own.getApplicationAttemptId().getAttemptId();
    workers = new Workers<>(attempt);
    resource = Resource.newInstance(job.number("memory"), job.number("cores"));
    hosts = Locality.hosts(conf, job.texts("data"));
    // Now, so that a worker can be replaced while the file system is away.
    files = Staging.resources(conf, environment);
    tokens = Tokens.shown();
    counts = new Counts(attempt > 1 ? read(Containers.COUNTS_FILE) : "");
  }

  static int run() throws Exception {
    Master master = new Master();
    java.lang.Runtime.getRuntime().addShutdownHook(new Thread(master::stop, "stop"));
    return master.work();
  }

  private int work() throws Exception {
    StatusServer pages =
        new StatusServer(
            conf, InetAddress.getByName(host), events, job.path("run"), credentials, this::summary, this::counts);
    resources.init(conf);
    resources.start();
    nodes.init(conf);
    nodes.start();
    RegisterApplicationMasterResponse registered =
        resources.registerApplicationMaster(
            host, pages.port(), "http://" + host + ":" + pages.port() + "/");
    renewTokens();
    synchronized (this) {
      for (Container kept : registered.getContainersFromPreviousAttempts()) {
        workers.adopt(kept.getId(), kept.getNodeId().getHost());
        granted.put(kept.getId(), kept);
      }
      if (workers.running() > 0)
        note("attempt " + attempt + " goes on with the workers that it found: " + workers.places());
      address = read(Containers.ADDRESS_FILE);
      startCoordinator(attempt > 1);
    }
    over.await();
    int code = finish();
    pages.stop();
    ended.countDown();
    return code;
  }

  /** The last word is said, or nothing more can be done. */
  private int finish() throws Exception {
    String word;
    String text;
    FinalApplicationStatus status;
    synchronized (this) {
      workers.want(0);
      if (coordinator != null && lastWord == null) coordinator.kill();
      if (lastWord == null)
        lastWord = Json.write(failure(problem == null ? "the application master was stopped" : problem));
      word = lastWord;
      Map<String, Object> event = Json.object(word);
      if (event.get("event").equals("failed")) {
        status = FinalApplicationStatus.FAILED;
        text = (String) event.get("message");
        if (culprit != null) text += "\nIts container was " + culprit;
      } else if (Boolean.TRUE.equals(((Map<?, ?>) event.get("result")).get("finished"))) {
        status = FinalApplicationStatus.SUCCEEDED;
        text = "the model is in " + job.text("run");
      } else {
        status = FinalApplicationStatus.KILLED;
        text = "stopped as asked; go on with: superstep train " + job.text("run") + " --resume";
      }
      text += "\nContainers: " + counts.text();
    }
    writer.submit(() -> write(Containers.LAST_WORD_FILE, word)).get();
    writer.shutdown();
    if (tokensEverySeconds > 0) forget(Containers.KEYTAB_FILE, Containers.TOKENS_FILE);
    waitForWorkers();
    resources.unregisterApplicationMaster(status, text, null);
    nodes.stop();
    resources.stop();
    return status == FinalApplicationStatus.FAILED ? 1 : 0;
  }

  private synchronized void waitForWorkers() throws InterruptedException {
    long until = System.currentTimeMillis() + FAREWELL_MS;
    while (workers.running() > 0 && System.currentTimeMillis() < until) wait(50);
  }

  /** SIGTERM: somebody asks to stop. The job ends after its superstep, resumable. */
  private void stop() {
    if (over.getCount() == 0) return;
    synchronized (this) {
      stopping = true;
      if (coordinator != null) coordinator.say("{\"event\":\"stop\"}");
    }
    try {
      ended.await();
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  // The coordinator ---------------------------------------------------------------------------------

  private void startCoordinator(boolean again) throws IOException {
    Map<String, Object> told = new HashMap<>(job.told);
    if (again) told.put("again", true);
    told.put("listen", "0.0.0.0:" + freePort());
    coordinator =
        new Coordinator(
            Arrays.asList(Containers.program(environment), "coordinator", "--supervised"),
            credentials,
            tokensEverySeconds > 0 ? new File(Containers.TOKENS_FILE) : null,
            this::hear,
            this::coordinatorEnded);
    coordinator.say(Json.write(told));
    if (stopping) coordinator.say("{\"event\":\"stop\"}");
  }

  /** The port of the coordinator before, which workers dial, if it is free here; else any. */
  private int freePort() {
    if (address.isEmpty()) return 0;
    try (ServerSocket probe = new ServerSocket(Integer.parseInt(address.substring(address.lastIndexOf(':') + 1)))) {
      return probe.getLocalPort();
    } catch (IOException | IllegalArgumentException error) {  // taken, or cut short by the death of its writer
      return 0;
    }
  }

  private void hear(String line) {
    Map<String, Object> event;
    try {
      event = Json.object(line);
    } catch (Json.Malformed error) {
      giveUp("the coordinator said what is no event: " + error.getMessage(), null);
      return;
    }
    String name = (String) event.get("event");
    synchronized (this) {
      if (name.equals("listening")) {
        String said = (String) event.get("address");
        address = host + said.substring(said.lastIndexOf(':'));
        String now = address;
        writer.submit(() -> write(Containers.ADDRESS_FILE, now + "\n"));
        tend();
      } else if (name.equals("want")) {
        workers.want(((Double) event.get("workers")).intValue());
        tend();
      } else if (name.equals("done") || name.equals("failed")) {
        lastWord = line;
      } else {
        if (name.equals("round")) coordinatorDeaths = workerDeaths = 0;
        progress.hear(event);
        events.add(line);
      }
    }
  }

  private void coordinatorEnded(int code) {
    synchronized (this) {
      if (lastWord == null && problem == null) {
        if (++coordinatorDeaths < MOST_DEATHS) {
          note("the coordinator ended (exit code " + code + "); it is started again");
          try {
            startCoordinator(true);
            return;
          } catch (IOException error) {
            problem = "the coordinator cannot be started: " + error.getMessage();
          }
        } else {
          problem =
              "the coordinator ended " + coordinatorDeaths + " times without a superstep between: exit code "
                  + code + "\n" + coordinator.lastMessages();
        }
      }
    }
    over.countDown();
  }

  // Tokens ------------------------------------------------------------------------------------------

  /** With a keytab: takes new tokens now, and again before they run out. */
  private void renewTokens() throws IOException {
    if (!UserGroupInformation.isSecurityEnabled() || job.text("keytab").isEmpty()) return;
    Tokens source = new Tokens(conf, job.places(staging), job.text("principal"));
    renewTokens(source);
  }

  private void renewTokens(Tokens source) {
    long next = TOKENS_AGAIN_MS;
    try {
      long life = source.take();
      next = Tokens.next(life);
      ByteBuffer fresh = Tokens.shown();
      Tokens.write(fresh, new File(Containers.TOKENS_FILE));
      write(Containers.TOKENS_FILE, Arrays.copyOf(fresh.array(), fresh.limit()));
      synchronized (this) {
        tokens = fresh;
        tokensEverySeconds = Math.max(1, life / 1000 / TOKENS_LOOKS);
      }
      System.err.println("new tokens, good for " + life / 1000 + " s");
    } catch (IOException | InterruptedException | RuntimeException error) {
      System.err.println("no new tokens (trying again): " + error);
    }
    renewer.schedule(() -> renewTokens(source), next, TimeUnit.MILLISECONDS);
  }

  // Containers --------------------------------------------------------------------------------------

  /** Brings what was asked for, and what runs, to what is wanted. */
  private void tend() {
    if (address.isEmpty()) return;
    for (ContainerId id : workers.surplus()) {
      note("worker on " + granted.get(id).getNodeId().getHost() + " has nothing to do and is given back");
      release(id);
    }
    int more = workers.ask();
    for (; more > 0; --more) {
      // Each at one host, in turn; elsewhere, where that has no room.
      String[] near = hosts.isEmpty() ? null : new String[] {hosts.get(nextHost++ % hosts.size())};
      ContainerRequest request = new ContainerRequest(resource, near, null, PRIORITY);
      requests.add(request);
      resources.addContainerRequest(request);
    }
    for (; more < 0; ++more) resources.removeContainerRequest(requests.removeLast());
  }

  private void take(Container container) {
    ContainerId id = container.getId();
    String node = container.getNodeId().getHost();
    // Else the ResourceManager goes on granting what was asked for once.
    ContainerRequest answered = answered(node);
    if (answered != null) resources.removeContainerRequest(answered);
    granted.put(id, container);
    counts.granted();
    if (workers.grant(id, node)) {
      writeCounts();
      nodes.startContainerAsync(container, launch());
    } else {
      release(id);
    }
  }

  /** The request that a container on this node answers; it is open no longer. Null: none is open. */
  private ContainerRequest answered(String node) {
    for (ContainerRequest request : requests) {
      if (request.getNodes() != null && request.getNodes().contains(node)) {
        requests.remove(request);
        return request;
      }
    }
    return requests.pollFirst();
  }

  /** Gives a container back; what runs in it is ended by its node. */
  private void release(ContainerId id) {
    granted.remove(id);
    resources.releaseAssignedContainer(id);
    counts.ended(End.Kind.RELEASED);
    writeCounts();
  }

  private ContainerLaunchContext launch() {
    String command =
        "exec " + Containers.program(environment) + " worker --coordinator " + address
            + " --coordinator-file '" + forNative(new Path(staging, Containers.ADDRESS_FILE)) + "'"
            + " --threads " + job.number("threads")
            + " 1><LOG_DIR>/stdout 2><LOG_DIR>/stderr";
    Map<String, String> variables = new HashMap<>();
    variables.put(Containers.CREDENTIALS, credentials);
    variables.put("HADOOP_CONF_DIR", "{{PWD}}");
    if (tokensEverySeconds > 0)
      variables.put(Containers.TOKENS, tokensEverySeconds + " " + forNative(new Path(staging, Containers.TOKENS_FILE)));
    return ContainerLaunchContext.newInstance(
        files, variables, Collections.singletonList(command), null, tokens.duplicate(), null);
  }

  /** As the C++ side names it: a plain path where it is of the local file system, else a URI. */
  private static String forNative(Path path) {
    boolean local = "file".equals(path.toUri().getScheme());
    return local ? path.toUri().getPath() : path.toString();
  }

  private void lost(ContainerId id, int status, String diagnostics) {
    Workers.Worker worker = workers.end(id);
    Container container = granted.remove(id);
    notifyAll();
    if (worker == null || lastWord != null) return;  // given back, or of another attempt
    boolean gone = container != null && lostNodes.contains(container.getNodeId().toString());
    // What was granted: a cluster rounds up.
    long memory = container == null ? job.number("memory") : container.getResource().getMemorySize();
    End end = End.of(status, diagnostics, memory, gone);
    counts.ended(end.kind);
    writeCounts();
    note("worker " + worker.name + " on " + worker.host + ": " + end.text + "; another is asked for");
    boolean ownFault =
        end.kind == End.Kind.FAILED || end.kind == End.Kind.MEMORY || end.kind == End.Kind.DONE;
    boolean nobodysFault = end.kind == End.Kind.PREEMPTED || end.kind == End.Kind.NODE_LOST;
    if (!nobodysFault) ++workerDeaths;
    if (workerDeaths >= (ownFault ? MOST_DEATHS : KILLS * MOST_DEATHS))
      giveUp(
          workerDeaths + " workers ended without a superstep between, the last on " + worker.host + ": "
              + end.text,
          id);
    else tend();
  }

  private void giveUp(String why, ContainerId container) {
    synchronized (this) {
      if (problem == null) problem = why;
      if (culprit == null) culprit = container;
    }
    over.countDown();
  }

  // The file system ---------------------------------------------------------------------------------

  private void write(String name, String text) {
    write(name, text.getBytes(StandardCharsets.UTF_8));
  }

  private void write(String name, byte[] content) {
    Path path = new Path(staging, name);
    try {
      FileSystem files = path.getFileSystem(conf);
      try (FSDataOutputStream out = files.create(path, true)) {
        out.write(content);
      }
    } catch (IOException error) {
      System.err.println(path + " could not be written: " + error);
    }
  }

  /** What is secret does not outlive the job, though nobody may clear up after it. */
  private void forget(String... names) {
    renewer.shutdownNow();
    for (String name : names) {
      try {
        staging.getFileSystem(conf).delete(new Path(staging, name), false);
      } catch (IOException error) {
        System.err.println(name + " stays in " + staging + ": " + error);
      }
    }
  }

  private void writeCounts() {
    if (writer.isShutdown()) return;  // the last word is written
    String now = counts.json();
    writer.submit(() -> write(Containers.COUNTS_FILE, now));
  }

  /** "" where there is no such file. */
  private String read(String name) throws IOException {
    Path path = new Path(staging, name);
    FileSystem files = path.getFileSystem(conf);
    if (!files.exists(path)) return "";
    byte[] content = new byte[(int) files.getFileStatus(path).getLen()];
    try (InputStream stream = files.open(path)) {
      IOUtils.readFully(stream, content, 0, content.length);
    }
    return new String(content, StandardCharsets.UTF_8).trim();
  }

  // What is said ------------------------------------------------------------------------------------

  private void note(String text) {
    System.err.println(text);
    Map<String, Object> event = new HashMap<>();
    event.put("event", "note");
    event.put("text", text);
    events.add(Json.write(event));
  }

  static Map<String, Object> failure(String message) {
    Map<String, Object> event = new HashMap<>();
    event.put("event", "failed");
    event.put("kind", "error");
    event.put("message", message);
    return event;
  }

  private synchronized String counts() {
    return counts.json();
  }

  private synchronized String summary() {
    return job.text("name") + ": " + workers.running() + " of " + workers.wanted() + " workers are running ("
        + workers.places() + "); the page of the run comes with its first superstep";
  }

  private final class ResourceEvents extends AMRMClientAsync.AbstractCallbackHandler {
    @Override
    public void onContainersAllocated(List<Container> containers) {
      synchronized (Master.this) {
        for (Container container : containers) take(container);
        tend();
      }
    }

    @Override
    public void onContainersCompleted(List<ContainerStatus> statuses) {
      synchronized (Master.this) {
        for (ContainerStatus status : statuses)
          lost(status.getContainerId(), status.getExitStatus(), status.getDiagnostics());
      }
    }

    @Override
    public void onNodesUpdated(List<NodeReport> reports) {
      synchronized (Master.this) {
        for (NodeReport node : reports) {
          boolean gone = node.getNodeState() == NodeState.LOST || node.getNodeState() == NodeState.SHUTDOWN;
          if (!gone) lostNodes.remove(node.getNodeId().toString());
          else if (lostNodes.add(node.getNodeId().toString()))
            System.err.println("node " + node.getNodeId() + " is lost");
        }
      }
    }

    @Override
    public void onContainersUpdated(List<org.apache.hadoop.yarn.api.records.UpdatedContainer> updated) {}

    /** Another attempt has taken over: whatever this one did now could only harm. */
    @Override
    public void onShutdownRequest() {
      System.err.println("the ResourceManager has replaced this attempt");
      java.lang.Runtime.getRuntime().halt(1);
    }

    @Override
    public void onError(Throwable error) {
      error.printStackTrace();
      java.lang.Runtime.getRuntime().halt(1);
    }

    @Override
    public float getProgress() {
      synchronized (Master.this) {
        return lastWord == null ? progress.share() : 1;
      }
    }
  }

  @SuppressWarnings("deprecation")  // two of what it must define
  private final class NodeEvents extends NMClientAsync.AbstractCallbackHandler {
    @Override
    public void onStartContainerError(ContainerId id, Throwable error) {
      synchronized (Master.this) {
        Container container = granted.get(id);
        if (container == null) return;
        note("a container on " + container.getNodeId().getHost() + " could not be started: " + error);
        resources.releaseAssignedContainer(id);
        lost(id, 1, String.valueOf(error.getMessage()));
      }
    }

    @Override
    public void onContainerStarted(ContainerId id, Map<String, ByteBuffer> services) {
      synchronized (Master.this) {
        Workers.Worker worker = workers.get(id);
        if (worker != null) System.err.println("worker " + worker.name + " on " + worker.host + ": " + id);
      }
    }

    @Override
    public void onContainerStatusReceived(ContainerId id, ContainerStatus status) {}

    @Override
    public void onContainerStopped(ContainerId id) {}

    @Override
    public void onGetContainerStatusError(ContainerId id, Throwable error) {}

    @Override
    public void onStopContainerError(ContainerId id, Throwable error) {}

    @Override
    public void onContainerResourceIncreased(ContainerId id, Resource now) {}

    @Override
    public void onContainerResourceUpdated(ContainerId id, Resource now) {}

    @Override
    public void onIncreaseContainerResourceError(ContainerId id, Throwable error) {}

    @Override
    public void onUpdateContainerResourceError(ContainerId id, Throwable error) {}
  }
}
