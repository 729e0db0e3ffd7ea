package superstep.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
  @Test
  void everyKindOfValueIsRead() {
    Map<String, Object> read =
        Json.object(" {\"a\": [1, -2.5e3, true, false, null], \"b\" : {\"c\":\"d\"}, \"e\":{}, \"f\":[]} ");
    assertEquals(Arrays.asList(1.0, -2500.0, true, false, null), read.get("a"));
    assertEquals("d", ((Map<?, ?>) read.get("b")).get("c"));
    assertTrue(((Map<?, ?>) read.get("e")).isEmpty());
    assertTrue(((List<?>) read.get("f")).isEmpty());
    assertNull(read.get("g"));
  }

  @Test
  void escapesAreUndoneAndMadeAgain() {
    String text = "\"a\\\"b\\\\c\\/d\\n\\t\\u00e9\\u0001\"";
    assertEquals("a\"b\\c/d\n\t\u00e9\u0001", Json.parse(text));
    assertEquals("\"a\\\"b\\\\c/d\\u000a\\u0009\u00e9\\u0001\"", Json.write(Json.parse(text)));
  }

  @Test
  void whatWasReadIsWrittenTheSame() {
    String line = "{\"event\":\"want\",\"workers\":3,\"share\":0.25,\"tags\":[\"a\",\"b\"],\"tls\":true,\"x\":null}";
    assertEquals(line, Json.write(Json.parse(line)));
  }

  @Test
  void aSeedOf53BitsIsKept() {
    assertEquals("9007199254740991", Json.write(Json.parse("9007199254740991")));
  }

  @Test
  void brokenTextIsRefusedWithThePlace() {
    for (String text :
        Arrays.asList("", "{", "{\"a\"}", "{\"a\":1,}", "[1 2]", "\"a", "\"\\x\"", "\"\\u12\"", "nul", "1x", "{} {}",
            "{\"a\":1\"b\":2}", "-", "[,1]")) {
      Json.Malformed error = assertThrows(Json.Malformed.class, () -> Json.parse(text), text);
      assertTrue(error.getMessage().contains("at character"), error.getMessage());
    }
  }

  @Test
  void depthIsLimited() {
    StringBuilder deep = new StringBuilder();
    for (int i = 0; i < 100000; ++i) deep.append('[');
    assertThrows(Json.Malformed.class, () -> Json.parse(deep.toString()));
  }
}
