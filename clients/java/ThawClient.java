import java.io.IOException;
import java.io.PrintStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Asks a service started with {@code python -m thaw serve} what it sees on pictures. Needs Java 17 and nothing else:
 *
 * <pre>java ThawClient.java http://127.0.0.1:8600 photo.jpg [more.png ...]</pre>
 *
 * For each picture it prints its file, its class and the class's probability; where the model finds objects, a line for
 * each with its kind, how sure that is, and its box: x, y, width and height in pixels of the upright picture. It ends
 * with 0 when every picture was answered, 1 when one was not, 2 when it was called wrongly.
 */
public final class ThawClient {
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(60);
    private static final int BUSY = 503;
    private static final int TRIES = 5;

    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");

    private final HttpClient http;
    private final URI predict;

    /** Talks to the service at an address such as {@code http://127.0.0.1:8600}. */
    public ThawClient(String address) {
        this.predict = URI.create(address.replaceAll("/+$", "") + "/predict");
        HttpClient.Builder builder =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT_LIMIT);
        // A proxy cannot reach this machine itself.
        if (predict.getHost() != null && LOOPBACK.contains(predict.getHost())) {
            builder.proxy(HttpClient.Builder.NO_PROXY);
        }
        this.http = builder.build();
    }

    /** What the service says of a picture. */
    public sealed interface Answer {
        /** Says it in lines for a person. */
        List<String> lines();
    }

    /** The class of a picture; {@code label} is null where the model does not know. */
    public record Kind(String label, double probability) implements Answer {
        @Override
        public List<String> lines() {
            return List.of(String.format(Locale.ROOT, "%s %.4f", label == null ? "I don't know" : label, probability));
        }
    }

    /** The objects on a picture, the surest first. */
    public record Objects(List<Found> found) implements Answer {
        @Override
        public List<String> lines() {
            return found.isEmpty() ? List.of("nothing found") : found.stream().map(Found::line).toList();
        }
    }

    /** An object, and the box around it in pixels of the upright picture. */
    public record Found(String label, double confidence, double x, double y, double width, double height) {
        String line() {
            String format = "%s %.4f at %.1f %.1f, %.1f x %.1f";
            return String.format(Locale.ROOT, format, label, confidence, x, y, width, height);
        }
    }

    /** The service refused or failed, with its own reason. */
    public static final class ServiceException extends IOException {
        private static final long serialVersionUID = 1L;

        ServiceException(int status, String reason) {
            super("the service answered with status " + status + ": " + reason);
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        // Class names can be in any script, whatever the terminal's own encoding is taken to be.
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        if (arguments.length < 2) {
            err.println("Usage: java ThawClient.java http://127.0.0.1:8600 photo.jpg [more.png ...]");
            System.exit(2);
        }
        ThawClient client;
        try {
            client = new ThawClient(arguments[0]);
            HttpRequest.newBuilder(client.predict);
        } catch (IllegalArgumentException problem) {
            err.println("Expected an address such as http://127.0.0.1:8600. Received: " + arguments[0]);
            System.exit(2);
            return;
        }
        boolean failed = false;
        for (String name : List.of(arguments).subList(1, arguments.length)) {
            try {
                for (String line : client.ask(Path.of(name)).lines()) {
                    out.println(name + ": " + line);
                }
            } catch (IOException problem) {
                err.println(name + ": " + client.explain(problem));
                failed = true;
            }
        }
        System.exit(failed ? 1 : 0);
    }

    /**
     * Sends one picture file and returns the answer.
     *
     * @throws ServiceException where the service refuses the picture, or is still too busy after several tries
     * @throws IOException where the file cannot be read or the service cannot be reached
     */
    public Answer ask(Path picture) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(predict)
                .timeout(ANSWER_LIMIT)
                .header("Content-Type", typeOf(picture))
                .POST(HttpRequest.BodyPublishers.ofByteArray(Files.readAllBytes(picture)))
                .build();
        HttpResponse<String> response = send(request);
        for (int tried = 1; response.statusCode() == BUSY && tried < TRIES; tried++) {
            Thread.sleep(Duration.ofSeconds(response.headers().firstValueAsLong("Retry-After").orElse(1)).toMillis());
            response = send(request);
        }
        return read(response.statusCode(), response.body());
    }

    private HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
        return http.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private static String typeOf(Path picture) {
        String name = picture.getFileName() == null ? "" : picture.getFileName().toString().toLowerCase(Locale.ROOT);
        // The service looks at the content; the type only has to say that it is a picture.
        return name.endsWith(".png") ? "image/png" : "image/jpeg";
    }

    private static Answer read(int status, String body) throws IOException {
        Object json;
        try {
            json = new Json(body).read();
        } catch (IllegalArgumentException problem) {
            throw new ServiceException(status, "no JSON, " + problem.getMessage());
        }
        if (!(json instanceof Map<?, ?> answer)) {
            throw new ServiceException(status, "no JSON object");
        }
        if (status != 200) {
            throw new ServiceException(status, String.valueOf(answer.get("error")));
        }
        if (answer.get("boxes") instanceof List<?> boxes) {
            List<Found> found = new ArrayList<>();
            for (Object box : boxes) {
                found.add(readBox(status, box));
            }
            return new Objects(found);
        }
        Object label = answer.get("label");
        if (!(answer.get("probability") instanceof Double probability) || !(label == null || label instanceof String)) {
            throw new ServiceException(status, "an answer without label and probability");
        }
        return new Kind((String) label, probability);
    }

    private static Found readBox(int status, Object json) throws ServiceException {
        if (json instanceof Map<?, ?> found
                && found.get("label") instanceof String label
                && found.get("confidence") instanceof Double confidence
                && found.get("box") instanceof List<?> box
                && box.size() == 4
                && box.stream().allMatch(Double.class::isInstance)) {
            List<Double> edges = box.stream().map(Double.class::cast).toList();
            return new Found(label, confidence, edges.get(0), edges.get(1), edges.get(2), edges.get(3));
        }
        throw new ServiceException(status, "a box without label, confidence and four edges");
    }

    private String explain(IOException problem) {
        if (problem instanceof ConnectException) {
            return "nobody answers at " + predict + "; is the service running?";
        }
        if (problem instanceof HttpTimeoutException) {
            return "no answer from " + predict + " in time";
        }
        if (problem instanceof NoSuchFileException) {
            return "there is no such file";
        }
        return problem.getMessage() == null ? problem.toString() : problem.getMessage();
    }

    /** Reads JSON: objects become maps, arrays lists, numbers doubles. Written out so that no library is needed. */
    static final class Json {
        private static final int DEEPEST = 100;

        private final String text;
        private int at;
        private int depth;

        Json(String text) {
            this.text = text;
        }

        /** Returns the one value that the text holds; throws IllegalArgumentException for anything else. */
        Object read() {
            Object value = readValue();
            skipSpace();
            if (at != text.length()) {
                throw unexpected("the end");
            }
            return value;
        }

        private Object readValue() {
            skipSpace();
            return switch (peek()) {
                case '{' -> readObject();
                case '[' -> readArray();
                case '"' -> readString();
                case 't' -> readWord("true", Boolean.TRUE);
                case 'f' -> readWord("false", Boolean.FALSE);
                case 'n' -> readWord("null", null);
                default -> readNumber();
            };
        }

        private Map<String, Object> readObject() {
            Map<String, Object> object = new LinkedHashMap<>();
            enter('{');
            while (!leave('}', object.isEmpty())) {
                skipSpace();
                String key = readString();
                skipSpace();
                take(':');
                object.put(key, readValue());
            }
            return object;
        }

        private List<Object> readArray() {
            List<Object> array = new ArrayList<>();
            enter('[');
            while (!leave(']', array.isEmpty())) {
                array.add(readValue());
            }
            return array;
        }

        private void enter(char opening) {
            take(opening);
            if (++depth > DEEPEST) {
                throw unexpected("less nesting");
            }
        }

        /** Takes the closing mark and says true, or takes the comma that stands before every item but the first. */
        private boolean leave(char closing, boolean first) {
            skipSpace();
            if (peek() == closing) {
                at++;
                depth--;
                return true;
            }
            if (!first) {
                take(',');
            }
            return false;
        }

        private String readString() {
            take('"');
            StringBuilder string = new StringBuilder();
            while (peek() != '"') {
                char letter = text.charAt(at++);
                if (letter < ' ') {
                    throw unexpected("an escaped control character");
                }
                string.append(letter == '\\' ? readEscape() : letter);
            }
            at++;
            return string.toString();
        }

        private char readEscape() {
            char letter = peek();
            at++;
            return switch (letter) {
                case '"', '\\', '/' -> letter;
                case 'b' -> '\b';
                case 'f' -> '\f';
                case 'n' -> '\n';
                case 'r' -> '\r';
                case 't' -> '\t';
                case 'u' -> readHexadecimal();
                default -> throw unexpected("an escape");
            };
        }

        private char readHexadecimal() {
            int code = 0;
            for (int digits = 0; digits < 4; digits++) {
                int digit = Character.digit(peek(), 16);
                if (digit < 0) {
                    throw unexpected("four hexadecimal digits");
                }
                code = 16 * code + digit;
                at++;
            }
            return (char) code;
        }

        private Object readWord(String word, Object value) {
            if (!text.startsWith(word, at)) {
                throw unexpected(word);
            }
            at += word.length();
            return value;
        }

        private Double readNumber() {
            int start = at;
            while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            String number = text.substring(start, at);
            if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
                throw unexpected("a value");
            }
            return Double.valueOf(number);
        }

        private void skipSpace() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private char peek() {
            if (at >= text.length()) {
                throw unexpected("more");
            }
            return text.charAt(at);
        }

        private void take(char wanted) {
            if (peek() != wanted) {
                throw unexpected("'" + wanted + "'");
            }
            at++;
        }

        private IllegalArgumentException unexpected(String wanted) {
            return new IllegalArgumentException("expected " + wanted + " at character " + at);
        }
    }
}
