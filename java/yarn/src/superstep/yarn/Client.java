package superstep.yarn;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.LocalResourceVisibility;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.SignalContainerCommand;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.client.api.YarnClientApplication;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.YarnException;

/** Submits a job, follows it, and says on standard output what its coordinator says. */
final class Client {
  /** Beside the coordinator, in the application master's container: Java, in MB. */
  private static final int MASTER_MB = 384;
  private static final int MOST_ATTEMPTS = 20;
  /** Attempts that failed longer ago than this do not count. */
  private static final long ATTEMPTS_WITHIN_MS = 600_000;
  private static final int POLL_MS = 300;
  private static final int TIMEOUT_MS = 3000;
  private static final int LOG_BYTES = 3000;
  private static final int LOG_TRIES = 30;

  private static final EnumSet<YarnApplicationState> ENDED =
      EnumSet.of(
          YarnApplicationState.FINISHED, YarnApplicationState.FAILED, YarnApplicationState.KILLED);

  private final Configuration conf = new YarnConfiguration();
  private final YarnClient yarn = YarnClient.createYarnClient();
  private final PrintStream out;

  // Of the job that is followed.
  private final AtomicInteger stops = new AtomicInteger();
  private ApplicationId id;
  private String readerKey;
  private String attempt = "";
  private long seen = 0;

  Client(PrintStream out) {
    this.out = out;
  }

  /** Reads the job from standard input, submits it and follows it to its end. */
  int submit(BufferedReader in) throws Exception {
    try {
      String line = in.readLine();
      if (line == null) throw new IOException("no job came");
      Job job = new Job(line);
      logIn(job);
      start();
      Staging staging = new Staging(conf, job.text("staging"));
      Path folder = submit(job, line, staging);
      if (job.detached()) {
        say("event", "submitted", "application", id.toString());
        return 0;
      }
      hearStops(in);
      return follow(staging, folder);
    } catch (IOException | YarnException | RuntimeException error) {
      // The class says what a bare name ("node-7") does not.
      String text = error.getMessage() == null ? error.toString() : error.getMessage().split("\n")[0];
      out.println(Json.write(Master.failure("YARN: " + text)));
      return 1;
    }
  }

  private void logIn(Job job) throws IOException {
    UserGroupInformation.setConfiguration(conf);
    if (!job.text("keytab").isEmpty())
      UserGroupInformation.loginUserFromKeytab(job.text("principal"), job.text("keytab"));
  }

  void start() {
    yarn.init(conf);
    yarn.start();
  }

  private Path submit(Job job, String line, Staging staging) throws Exception {
    YarnClientApplication application = yarn.createApplication();
    ApplicationSubmissionContext context = application.getApplicationSubmissionContext();
    id = context.getApplicationId();
    Resource most = application.getNewApplicationResponse().getMaximumResourceCapability();
    int memory = job.number("memory");
    check("engine.memory", memory + MASTER_MB, most.getMemorySize(), "MB (" + MASTER_MB
        + " of them for the application master itself)");
    check("engine.cores", job.number("cores"), most.getVirtualCores(), "cores");

    File packageFolder = new File((String) job.told.get("package"));
    Path archive = staging.putPackage(packageFolder);
    Path folder = staging.application(id);
    staging.makeFolder(folder);
    staging.write(new Path(folder, Job.FILE), line);
    for (String name : Containers.CONF_FILES) {
      try (java.io.OutputStream stream = staging.files().create(new Path(folder, name))) {
        conf.writeXml(stream);
      }
    }
    Map<String, String> variables = Staging.variables(packageFolder, archive, folder);
    Map<String, LocalResource> files = Staging.resources(conf, variables);
    files.put(
        Job.FILE,
        Staging.resource(conf, new Path(folder, Job.FILE), LocalResourceType.FILE,
            LocalResourceVisibility.APPLICATION));
    if (UserGroupInformation.isSecurityEnabled() && !job.text("keytab").isEmpty()) {
      // By it the application master takes new tokens for as long as the job lasts.
      Path keytab = new Path(folder, Containers.KEYTAB_FILE);
      staging.write(keytab, Files.readAllBytes(Paths.get(job.text("keytab"))));
      files.put(
          Containers.KEYTAB_FILE,
          Staging.resource(conf, keytab, LocalResourceType.FILE, LocalResourceVisibility.APPLICATION));
    }
    String credentials = System.getenv(Containers.CREDENTIALS);
    variables.put(Containers.CREDENTIALS, credentials);
    variables.put("HADOOP_CONF_DIR", "{{PWD}}");
    readerKey = StatusServer.readerKey(credentials);

    String java = Containers.java(packageFolder.getName());
    // Expanded by the shell of the node: its Java, else that on the path.
    String command =
        "exec ${JAVA_HOME:+$JAVA_HOME/bin/}java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx200m -cp '.:"
            + java + "/superstep-yarn.jar:" + java + "/lib/*' superstep.yarn.Main master"
            + " 1><LOG_DIR>/stdout 2><LOG_DIR>/stderr";
    ContainerLaunchContext launch =
        ContainerLaunchContext.newInstance(
            files, variables, Collections.singletonList(command), null, null, null);
    if (UserGroupInformation.isSecurityEnabled()) launch.setTokens(tokens(job, folder));
    context.setAMContainerSpec(launch);
    context.setApplicationName(job.text("name"));
    context.setApplicationType("SUPERSTEP");
    context.setApplicationTags(new HashSet<>(job.texts("tags")));
    context.setResource(Resource.newInstance(memory + MASTER_MB, job.number("cores")));
    if (!job.text("queue").isEmpty()) context.setQueue(job.text("queue"));
    if (!job.text("node_label").isEmpty()) context.setNodeLabelExpression(job.text("node_label"));
    context.setPriority(Priority.newInstance(job.number("priority")));
    context.setMaxAppAttempts(MOST_ATTEMPTS);
    context.setAttemptFailuresValidityInterval(ATTEMPTS_WITHIN_MS);
    context.setKeepContainersAcrossApplicationAttempts(true);
    yarn.submitApplication(context);
    note("submitted as " + id + " to queue " + yarn.getApplicationReport(id).getQueue());
    return folder;
  }

  private static void check(String key, long wanted, long most, String unit) {
    if (wanted > most)
      throw new IllegalArgumentException(
          key + ": the job wants " + wanted + " " + unit + ", and a container of this cluster has at most "
              + most);
  }

  private java.nio.ByteBuffer tokens(Job job, Path folder) throws IOException {
    String renewer = conf.get(YarnConfiguration.RM_PRINCIPAL);
    if (renewer == null || renewer.isEmpty())
      throw new IOException(YarnConfiguration.RM_PRINCIPAL + " is not set: nobody could renew tokens");
    Credentials credentials = new Credentials();
    Tokens.addTo(credentials, conf, job.places(folder), renewer);
    return Tokens.bytes(credentials);
  }

  // Following -----------------------------------------------------------------------------------------

  private void hearStops(BufferedReader in) {
    Thread thread =
        new Thread(
            () -> {
              try {
                for (String line = in.readLine(); line != null; line = in.readLine())
                  if ("stop".equals(Json.object(line).get("event"))) stops.incrementAndGet();
              } catch (IOException error) {
                // Whoever started us is gone; the job goes on.
              }
            },
            "stops");
    thread.setDaemon(true);
    thread.start();
  }

  private int follow(Staging staging, Path folder) throws Exception {
    YarnApplicationState before = null;
    int stopsPassedOn = 0;
    for (; ; Thread.sleep(POLL_MS)) {
      ApplicationReport report;
      try {
        report = yarn.getApplicationReport(id);
      } catch (IOException error) {
        System.err.println("the ResourceManager does not answer: " + error.getMessage().split("\n")[0]);
        continue;
      }
      YarnApplicationState state = report.getYarnApplicationState();
      if (state != before) noteState(report);
      before = state;
      if (ENDED.contains(state)) return lastWord(staging, folder, report);
      if (state == YarnApplicationState.RUNNING) readEvents(report);
      if (stops.get() > stopsPassedOn) {
        stopsPassedOn = stops.get();
        stop(report);
      }
    }
  }

  private void noteState(ApplicationReport report) {
    switch (report.getYarnApplicationState()) {
      case ACCEPTED:
        note("waits for a container in queue " + report.getQueue());
        break;
      case RUNNING:
        note("runs; its page: " + report.getTrackingUrl());
        break;
      default:
    }
  }

  /** Asks the application master to end after the superstep under way; before there is one, at once. */
  private void stop(ApplicationReport report) throws IOException, YarnException {
    if (report.getYarnApplicationState() != YarnApplicationState.RUNNING) {
      yarn.killApplication(id);
      return;
    }
    ContainerId master =
        yarn.getApplicationAttemptReport(report.getCurrentApplicationAttemptId()).getAMContainerId();
    yarn.signalToContainer(master, SignalContainerCommand.GRACEFUL_SHUTDOWN);
  }

  /** What is new of what the coordinator said; nothing where the application master is not reached. */
  private void readEvents(ApplicationReport report) {
    String now = report.getCurrentApplicationAttemptId().toString();
    if (!now.equals(attempt)) seen = 0;
    attempt = now;
    try {
      String url = "http://" + report.getHost() + ":" + report.getRpcPort() + "/events?from=" + seen;
      String text = get(url, readerKey);
      int end = text.indexOf('\n');
      seen = Long.parseLong(text.substring(0, end));
      out.print(text.substring(end + 1));
      out.flush();
    } catch (IOException | RuntimeException error) {
      // Between two attempts, or behind a wall: the last word comes by the file system.
    }
  }

  private static String get(String url, String key) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
    connection.setConnectTimeout(TIMEOUT_MS);
    connection.setReadTimeout(TIMEOUT_MS);
    if (key != null) connection.setRequestProperty(StatusServer.KEY_HEADER, key);
    try (InputStream stream = connection.getInputStream()) {
      ByteArrayOutputStream content = new ByteArrayOutputStream();
      IOUtils.copyBytes(stream, content, 1 << 16);
      return new String(content.toByteArray(), StandardCharsets.UTF_8);
    }
  }

  private int lastWord(Staging staging, Path folder, ApplicationReport report) throws Exception {
    Path file = new Path(folder, Containers.LAST_WORD_FILE);
    String word = null;
    if (staging.files().exists(file)) {
      byte[] content = new byte[(int) staging.files().getFileStatus(file).getLen()];
      try (InputStream stream = staging.files().open(file)) {
        IOUtils.readFully(stream, content, 0, content.length);
      }
      word = new String(content, StandardCharsets.UTF_8);
    }
    boolean failed = word == null || Json.object(word).get("event").equals("failed");
    if (failed) showLog(report);
    if (word == null)
      word =
          Json.write(
              Master.failure(
                  report.getYarnApplicationState() == YarnApplicationState.KILLED
                      ? id + " was killed: " + report.getDiagnostics().trim()
                      : id + " failed: " + report.getDiagnostics().trim()));
    staging.files().delete(folder, true);
    out.println(word);
    return failed ? 1 : 0;
  }

  /** The end of the log of the container that failed, else of the last application master's. */
  private void showLog(ApplicationReport report) throws Exception {
    if (report.getYarnApplicationState() == YarnApplicationState.KILLED) return;
    Matcher culprit = Pattern.compile("container_\\w+").matcher(report.getDiagnostics());
    String container =
        culprit.find()
            ? culprit.group()
            : yarn.getApplicationAttemptReport(report.getCurrentApplicationAttemptId())
                .getAMContainerId()
                .toString();
    for (int tries = 0; tries < LOG_TRIES; ++tries) {  // they are collected once it has ended
      try {
        String text = new Logs(conf, id, report.getUser()).tail(container, LOG_BYTES);
        if (!text.isEmpty()) {
          System.err.println("the end of the log of " + container + ":\n" + text.trim());
          return;
        }
      } catch (IOException error) {
        // Not there yet, or never: a cluster may not collect them.
      }
      Thread.sleep(POLL_MS);
    }
    System.err.println("its log is not there (yet): superstep logs " + id);
  }

  // Other verbs -------------------------------------------------------------------------------------------

  /** How an application stands: what YARN knows of it, and the status of its run. */
  int status(String text, boolean json) throws Exception {
    ApplicationReport report = yarn.getApplicationReport(ApplicationId.fromString(text));
    Map<String, Object> said = new LinkedHashMap<>();
    said.put("application", text);
    said.put("name", report.getName());
    said.put("state", report.getYarnApplicationState().toString());
    said.put("final", report.getFinalApplicationStatus().toString());
    said.put("progress", (double) report.getProgress());
    said.put("queue", report.getQueue());
    said.put("user", report.getUser());
    said.put("page", report.getTrackingUrl());
    said.put("diagnostics", report.getDiagnostics());
    if (report.getYarnApplicationState() == YarnApplicationState.RUNNING) {
      for (String[] page : new String[][] {{"containers", Containers.COUNTS_FILE}, {"run", "status.json"}}) {
        try {
          said.put(page[0], Json.parse(get(report.getTrackingUrl() + page[1], null)));
        } catch (IOException | RuntimeException error) {
          // No master yet, or no superstep.
        }
      }
    }
    if (json) {
      out.println(Json.write(said));
      return 0;
    }
    Object containers = said.remove("containers");
    if (containers != null) said.put("containers", new Counts(Json.write(containers)).text());
    Object run = said.remove("run");
    if (run instanceof Map) {
      said.put("run", ((Map<?, ?>) run).get("run"));
      for (String key : new String[] {"phase", "epoch", "epochs", "superstep", "rows_per_second"})
        said.put(key, ((Map<?, ?>) run).get(key));
    }
    for (Map.Entry<String, Object> entry : said.entrySet())
      if (!"".equals(entry.getValue()))
        out.println(String.format("%-16s %s", entry.getKey(), entry.getValue()));
    return 0;
  }

  /** Asks an application to stop after its superstep; `now`: ends it at once. */
  int kill(String text, boolean now) throws Exception {
    id = ApplicationId.fromString(text);
    ApplicationReport report = yarn.getApplicationReport(id);
    if (ENDED.contains(report.getYarnApplicationState())) {
      System.err.println(id + " has ended: " + report.getFinalApplicationStatus());
      return 1;
    }
    if (now) yarn.killApplication(id);
    else stop(report);
    return 0;
  }

  /** Prints the logs of an application that has ended. */
  int logs(String text, PrintStream to) throws Exception {
    id = ApplicationId.fromString(text);
    ApplicationReport report = yarn.getApplicationReport(id);
    try {
      if (new Logs(conf, id, report.getUser()).writeAll(to)) return 0;
      System.err.println("no logs of " + id);
    } catch (IOException error) {
      System.err.println(
          "no logs of " + id + ": YARN collects them once an application has ended; until then its page has"
              + " them: " + report.getTrackingUrl() + "\n" + error.getMessage());
    }
    return 1;
  }

  private void note(String text) {
    say("event", "note", "text", text);
  }

  private void say(String... pairs) {
    Map<String, Object> event = new HashMap<>();
    for (int at = 0; at < pairs.length; at += 2) event.put(pairs[at], pairs[at + 1]);
    out.println(Json.write(event));
    out.flush();
  }
}
