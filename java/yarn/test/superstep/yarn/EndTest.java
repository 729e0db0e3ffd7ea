package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class EndTest {
  private static final String MEMORY =
      "Container [pid=1] is running 31092736B beyond the 'PHYSICAL' memory limit. Current usage: 157.7 MB of 128 MB";

  private static End end(int status, String diagnostics, boolean gone) {
    return End.of(status, diagnostics, 128, gone);
  }

  @Test
  void memoryIsToldByTheDiagnosticsWhateverTheCode() {
    for (int status : new int[] {0, 143, -104}) {
      End end = end(status, MEMORY, false);
      assertEquals(End.Kind.MEMORY, end.kind);
      assertTrue(end.text.contains("128 MB of memory (engine.memory)"), end.text);
    }
    assertEquals(End.Kind.MEMORY, end(-104, "", false).kind);
  }

  @Test
  void lostNodesAreToldFromWhatWeGaveBack() {
    assertEquals(End.Kind.NODE_LOST, end(-100, "Container released on a *lost* node", false).kind);
    assertEquals(End.Kind.NODE_LOST, end(-100, "", true).kind);
    assertEquals(End.Kind.RELEASED, end(-100, "Container released by application", false).kind);
  }

  @Test
  void signalsAreToldFromExitCodes() {
    assertEquals("it was killed from outside (signal 9)", end(137, "", false).text);
    assertEquals("it was killed from outside (signal 15)", end(143, null, false).text);
    assertEquals("it failed with exit code 1", end(1, "", false).text);
    assertEquals("it failed with exit code 255", end(255, "", false).text);
    assertEquals(End.Kind.DONE, end(0, "", false).kind);
    assertEquals(End.Kind.PREEMPTED, end(-102, "", false).kind);
    assertEquals(End.Kind.DISK, end(-101, "", false).kind);
  }
}
