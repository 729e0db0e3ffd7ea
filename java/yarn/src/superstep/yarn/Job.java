package superstep.yarn;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/** The first line of the pipe, as `superstep train` makes it: the job, and what to ask the cluster for. */
final class Job {
  static final String FILE = "job.json";

  final Map<String, Object> told;
  private final Map<?, ?> engine;

  Job(String line) {
    told = Json.object(line);
    if (!"job".equals(told.get("event")) || !(told.get("engine") instanceof Map))
      throw new Json.Malformed("wanted the event job, with what the engine is to do");
    engine = (Map<?, ?>) told.get("engine");
  }

  String text(String key) {
    return (String) engine.get(key);
  }

  int number(String key) {
    return ((Double) engine.get(key)).intValue();
  }

  List<String> texts(String key) {
    List<String> texts = new ArrayList<>();
    for (Object text : (List<?>) engine.get(key)) texts.add((String) text);
    return texts;
  }

  /** A path as C++ means it: without a scheme, of the local file system. */
  Path path(String key) {
    String text = text(key);
    return new Path(text.contains("://") ? URI.create(text) : URI.create("file://" + new Path(text).toUri().getRawPath()));
  }

  /** Something on each file system that the job reads or writes. */
  List<Path> places(Path staging) {
    List<Path> places = new ArrayList<>();
    places.add(staging);
    places.add(path("run"));
    for (String data : texts("data")) places.add(new Path(data));
    return places;
  }

  boolean detached() {
    return Boolean.TRUE.equals(told.get("detach"));
  }
}
