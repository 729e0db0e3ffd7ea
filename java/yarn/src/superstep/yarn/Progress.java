package superstep.yarn;

import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The share of a job that is done, from what the coordinator says: never less than before. */
final class Progress {
  private List<?> phases = Collections.emptyList();
  private int phase = 0;
  private double epochs = 1;
  private float share = 0;

  void hear(Map<String, Object> event) {
    String name = (String) event.get("event");
    if (name.equals("model")) {
      Object names = ((Map<?, ?>) event.get("model")).get("phases");
      if (names instanceof List) phases = (List<?>) names;
    } else if (name.equals("phase")) {
      phase = Math.max(phase, phases.indexOf(event.get("phase")));
      epochs = Math.max(1, (Double) event.get("epochs"));
      raise(0);
    } else if (name.equals("round")) {
      raise((Double) event.get("epoch") + ("superstep".equals(event.get("closes")) ? 0 : 1));
    }
  }

  float share() {
    return share;
  }

  private void raise(double epochsDone) {
    double now = (phase + Math.min(1, epochsDone / epochs)) / Math.max(1, phases.size());
    // 1 is for a job that has said that it is done.
    share = (float) Math.max(share, Math.min(0.99, now));
  }
}
