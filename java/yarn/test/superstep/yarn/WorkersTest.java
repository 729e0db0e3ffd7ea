package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;

class WorkersTest {
  private final Workers<Integer> workers = new Workers<>(2);

  @Test
  void asksForWhatIsMissingAndOnlyOnce() {
    workers.want(3);
    assertEquals(3, workers.ask());
    assertEquals(0, workers.ask());
    assertTrue(workers.grant(1, "a"));
    assertEquals(0, workers.ask());
    assertEquals("2.1", workers.get(1).name);
  }

  @Test
  void asksAgainForOneThatEnded() {
    workers.want(2);
    workers.ask();
    workers.grant(1, "a");
    workers.grant(2, "b");
    assertEquals("a", workers.end(1).host);
    assertEquals(1, workers.ask());
    assertEquals(1, workers.running());
  }

  @Test
  void givesBackWhatIsGrantedBeyondTheNeed() {
    workers.want(1);
    workers.ask();
    assertTrue(workers.grant(1, "a"));
    assertFalse(workers.grant(2, "a"));  // granted before the request was taken back
    assertNull(workers.end(2));          // its end, reported later, is none of ours
    assertEquals(0, workers.ask());
  }

  @Test
  void theYoungestGoWhenFewerAreWanted() {
    workers.want(4);
    workers.ask();
    for (int id = 1; id <= 3; ++id) workers.grant(id, "a");
    workers.want(1);
    assertEquals(Arrays.asList(2, 3), workers.surplus());
    assertEquals(-1, workers.ask());  // of the one that was never granted
    assertEquals(0, workers.ask());
    assertEquals(Collections.emptyList(), workers.surplus());
    assertNull(workers.end(3));
  }

  @Test
  void keepsTheWorkersOfTheAttemptBefore() {
    workers.adopt(7, "a");
    workers.adopt(8, "b");
    workers.want(3);
    assertEquals(1, workers.ask());
    assertTrue(workers.grant(9, "b"));
    assertEquals("1 on a, 2 on b", workers.places());
  }

  @Test
  void whatIsWantedAgainIsAskedForAgain() {
    workers.want(2);
    assertEquals(2, workers.ask());
    workers.want(0);
    assertEquals(-2, workers.ask());
    workers.want(1);
    assertEquals(1, workers.ask());
  }
}
