package superstep.yarn;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How many containers were granted to the workers of an application, and how those ended that did not
 * stay until its end. It is written down, so that a later attempt counts on.
 */
final class Counts {
  private int granted = 0;
  private final Map<End.Kind, Integer> ends = new LinkedHashMap<>();

  /** `text`: what json() gave before; what the death of its writer cut short counts as nothing. */
  Counts(String text) {
    Map<String, Object> before = new LinkedHashMap<>();
    try {
      if (!text.isEmpty()) before = Json.object(text);
    } catch (Json.Malformed error) {
      System.err.println("the containers of earlier attempts are not counted: " + error.getMessage());
    }
    granted = number(before.get("granted"));
    for (End.Kind kind : End.Kind.values()) ends.put(kind, number(before.get(key(kind))));
  }

  void granted() {
    ++granted;
  }

  void ended(End.Kind kind) {
    ends.merge(kind, 1, Integer::sum);
  }

  /** {"granted": 5, "done": 0, "failed": 0, ..., "preempted": 1, "released": 2}: all, in this order. */
  String json() {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("granted", (double) granted);
    for (Map.Entry<End.Kind, Integer> end : ends.entrySet()) all.put(key(end.getKey()), (double) end.getValue());
    return Json.write(all);
  }

  /** "5 granted, 1 preempted, 2 given back": what there was none of is left out. */
  String text() {
    StringBuilder text = new StringBuilder().append(granted).append(" granted");
    for (Map.Entry<End.Kind, Integer> end : ends.entrySet())
      if (end.getValue() > 0) text.append(", ").append(end.getValue()).append(' ').append(end.getKey().word);
    return text.toString();
  }

  private static int number(Object value) {
    return value == null ? 0 : ((Double) value).intValue();
  }

  private static String key(End.Kind kind) {
    return kind.name().toLowerCase(java.util.Locale.ROOT);
  }
}
