package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;

class LocalityTest {
  @Test
  void theHostWithTheMostBytesIsFirst() {
    Map<String, Long> bytes = new HashMap<>();
    bytes.put("c", 5L);
    bytes.put("a", 5L);
    bytes.put("b", 9L);
    assertEquals(Arrays.asList("b", "a", "c"), Locality.ranked(bytes));
  }

  @Test
  void whatCannotBeLookedUpIsPassedOver() {
    assertEquals(
        Collections.emptyList(),
        Locality.hosts(new Configuration(false), Arrays.asList("nowhere://x/y", "://", "file:///no/such/file")));
  }
}
