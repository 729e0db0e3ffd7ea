package superstep.yarn;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and writes JSON: the lines of the pipe protocol. Objects are maps, arrays lists, and the rest
 * is String, Double, Boolean and null. The Hadoop client brings no library of JSON under a name that
 * stays the same, and these lines are short.
 */
final class Json {
  /** A text that is no JSON. */
  static final class Malformed extends RuntimeException {
    private static final long serialVersionUID = 1;

    Malformed(String text) {
      super(text);
    }
  }

  private static final int DEEPEST = 64;

  private final String text;
  private int at = 0;
  private int depth = 0;

  private Json(String text) {
    this.text = text;
  }

  /** Throws Malformed, with the place, where the text is not one JSON value. */
  static Object parse(String text) {
    Json json = new Json(text);
    Object value = json.value();
    json.space();
    if (json.at != text.length()) throw json.malformed("the end");
    return value;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(String text) {
    Object value = parse(text);
    if (value instanceof Map) return (Map<String, Object>) value;
    throw new Malformed("wanted an object, got " + shortened(text));
  }

  /** On one line. */
  static String write(Object value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void write(Object value, StringBuilder out) {
    if (value instanceof Map) {
      String comma = "{";
      for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
        out.append(comma);
        quote(entry.getKey().toString(), out);
        out.append(':');
        write(entry.getValue(), out);
        comma = ",";
      }
      out.append(comma.equals("{") ? "{}" : "}");
    } else if (value instanceof List) {
      String comma = "[";
      for (Object element : (List<?>) value) {
        out.append(comma);
        write(element, out);
        comma = ",";
      }
      out.append(comma.equals("[") ? "[]" : "]");
    } else if (value instanceof Double) {
      double number = (Double) value;
      boolean whole = number == Math.rint(number) && Math.abs(number) < 1L << 53;
      out.append(whole ? Long.toString((long) number) : Double.toString(number));
    } else if (value == null || value instanceof Boolean || value instanceof Number) {
      out.append(value);
    } else {
      quote(value.toString(), out);
    }
  }

  private static void quote(String text, StringBuilder out) {
    out.append('"');
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    out.append('"');
  }

  private Object value() {
    if (++depth > DEEPEST) throw malformed("at most " + DEEPEST + " levels");
    space();
    Object value;
    switch (peek()) {
      case '{':
        value = object();
        break;
      case '[':
        value = array();
        break;
      case '"':
        value = string();
        break;
      case 't':
        value = word("true", true);
        break;
      case 'f':
        value = word("false", false);
        break;
      case 'n':
        value = word("null", null);
        break;
      default:
        value = number();
    }
    --depth;
    return value;
  }

  private Map<String, Object> object() {
    Map<String, Object> object = new LinkedHashMap<>();
    expect('{');
    space();
    while (peek() != '}') {
      if (!object.isEmpty()) expect(',');
      space();
      String key = string();
      space();
      expect(':');
      object.put(key, value());
      space();
    }
    expect('}');
    return object;
  }

  private List<Object> array() {
    List<Object> array = new ArrayList<>();
    expect('[');
    space();
    while (peek() != ']') {
      if (!array.isEmpty()) expect(',');
      array.add(value());
      space();
    }
    expect(']');
    return array;
  }

  private String string() {
    StringBuilder out = new StringBuilder();
    expect('"');
    for (char c = next(); c != '"'; c = next()) out.append(c == '\\' ? escaped() : c);
    return out.toString();
  }

  private char escaped() {
    char c = next();
    switch (c) {
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'u':
        if (at + 4 > text.length() || !text.substring(at, at + 4).matches("[0-9a-fA-F]{4}"))
          throw malformed("four hexadecimal digits");
        at += 4;
        return (char) Integer.parseInt(text.substring(at - 4, at), 16);
      case '"':
      case '\\':
      case '/':
        return c;
      default:
        throw malformed("an escaped character");
    }
  }

  private Double number() {
    int begin = at;
    while ("+-.0123456789eE".indexOf(peek()) >= 0) ++at;
    try {
      return Double.valueOf(text.substring(begin, at));
    } catch (NumberFormatException error) {
      at = begin;
      throw malformed("a value");
    }
  }

  private Object word(String word, Object meaning) {
    if (!text.startsWith(word, at)) throw malformed(word);
    at += word.length();
    return meaning;
  }

  private void space() {
    while (" \t\r\n".indexOf(peek()) >= 0) ++at;
  }

  /** The next character; at the end one that JSON has no use for. */
  private char peek() {
    return at < text.length() ? text.charAt(at) : '\0';
  }

  private char next() {
    if (at == text.length()) throw malformed("more");
    return text.charAt(at++);
  }

  private void expect(char wanted) {
    if (peek() != wanted || at == text.length()) throw malformed("'" + wanted + "'");
    ++at;
  }

  private Malformed malformed(String wanted) {
    return new Malformed("no JSON: wanted " + wanted + " at character " + at + " of " + shortened(text));
  }

  private static String shortened(String text) {
    return text.length() <= 80 ? text : text.substring(0, 80) + "...";
  }
}
