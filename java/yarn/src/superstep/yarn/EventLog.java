package superstep.yarn;

import java.util.ArrayList;
import java.util.List;

/** What the coordinator said that is meant for people, numbered, for clients that ask what is new. */
final class EventLog {
  /** A client asks more than once a second, and there are at most some ten lines in one. */
  private static final int MOST = 5000;

  private final List<String> lines = new ArrayList<>();
  private long first = 0;

  synchronized void add(String line) {
    lines.add(line);
    if (lines.size() <= MOST) return;
    int drop = MOST / 2;
    lines.subList(0, drop).clear();
    first += drop;
  }

  /** The number of the next line, then the lines from `from` on, one a line. */
  synchronized String since(long from) {
    int begin = (int) Math.max(0, Math.min(from - first, lines.size()));
    StringBuilder text = new StringBuilder().append(first + lines.size()).append('\n');
    for (String line : lines.subList(begin, lines.size())) text.append(line).append('\n');
    return text.toString();
  }
}
