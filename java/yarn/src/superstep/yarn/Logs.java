package superstep.yarn;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.logaggregation.ContainerLogsRequest;
import org.apache.hadoop.yarn.logaggregation.filecontroller.LogAggregationFileController;
import org.apache.hadoop.yarn.logaggregation.filecontroller.LogAggregationFileControllerFactory;

/**
 * The logs that YARN collects once an application has ended. (Its own command for them needs libraries
 * that the client's jars do not hold.)
 */
final class Logs {
  private static final Set<String> ALL =
      new HashSet<>(Arrays.asList("stdout", "stderr", "prelaunch.err"));

  private final LogAggregationFileController controller;
  private final ContainerLogsRequest request = new ContainerLogsRequest();

  /** Throws IOException where there are none (yet). */
  Logs(Configuration conf, ApplicationId id, String owner) throws IOException {
    controller = new LogAggregationFileControllerFactory(conf).getFileControllerForRead(id, owner);
    request.setAppId(id);
    request.setAppOwner(owner);
    request.setAppFinished(true);
    request.setBytes(Long.MAX_VALUE);
    request.setLogTypes(new HashSet<>());
  }

  /** All of them; whether there were any. */
  boolean writeAll(OutputStream out) throws IOException {
    request.setLogTypes(ALL);
    return controller.readAggregatedLogs(request, out);
  }

  /** The last bytes of a container's messages; "" where there are none (yet). */
  String tail(String container, int bytes) throws IOException {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    request.setContainerId(container);
    request.setLogTypes(new HashSet<>(Collections.singletonList("stderr")));
    request.setBytes(-bytes);
    return controller.readAggregatedLogs(request, text) ? text.toString("UTF-8") : "";
  }
}
