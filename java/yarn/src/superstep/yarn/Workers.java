package superstep.yarn;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Which containers are there, how many are wanted, and what follows: a decision for each event,
 * without a clock, a thread or YARN. `C` is a container's id.
 */
final class Workers<C> {
  /** A container and the node it is on. */
  static final class Worker {
    final String name;
    final String host;

    Worker(String name, String host) {
      this.name = name;
      this.host = host;
    }
  }

  private final int attempt;
  private final Map<C, Worker> workers = new LinkedHashMap<>();
  private int wanted = 0;
  private int asked = 0;
  private int started = 0;

  Workers(int attempt) {
    this.attempt = attempt;
  }

  void want(int count) {
    wanted = count;
  }

  /** A container that an earlier attempt left running. */
  void adopt(C id, String host) {
    workers.put(id, new Worker("kept " + workers.size(), host));
  }

  /** How many more must be asked for now (they count as asked), or if negative taken back. */
  int ask() {
    int more = wanted - workers.size() - asked;
    asked += more;
    // What was asked for can only be taken back as long as nothing came of it.
    int kept = Math.max(asked, 0);
    more += kept - asked;
    asked = kept;
    return more;
  }

  /** A container was granted: whether it is to be started, or else given back at once. */
  boolean grant(C id, String host) {
    asked = Math.max(0, asked - 1);
    if (workers.size() >= wanted) return false;
    workers.put(id, new Worker(attempt + "." + ++started, host));
    return true;
  }

  /** A container has ended; null where it is none of ours, or was given back. */
  Worker end(C id) {
    return workers.remove(id);
  }

  /** Those that are more than are wanted, the youngest first; they are ours no longer. */
  List<C> surplus() {
    List<C> ids = new ArrayList<>(workers.keySet());
    List<C> surplus = new ArrayList<>(ids.subList(Math.min(wanted, ids.size()), ids.size()));
    workers.keySet().removeAll(surplus);
    return surplus;
  }

  Worker get(C id) {
    return workers.get(id);
  }

  int running() {
    return workers.size();
  }

  int wanted() {
    return wanted;
  }

  Collection<C> ids() {
    return new ArrayList<>(workers.keySet());
  }

  /** "3 on node-1, 1 on node-2". */
  String places() {
    return workers.values().stream()
        .collect(Collectors.groupingBy(w -> w.host, java.util.TreeMap::new, Collectors.counting()))
        .entrySet().stream()
        .map(e -> e.getValue() + " on " + e.getKey())
        .collect(Collectors.joining(", "));
  }
}
