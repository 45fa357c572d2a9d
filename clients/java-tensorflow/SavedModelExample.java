import java.io.File;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt32;
import org.tensorflow.types.TString;
import org.tensorflow.types.TUint8;

/**
 * Classifies a photo inside the Java process, with the SavedModel of an export and the TensorFlow Java API:
 *
 * <pre>mvn compile exec:java -Dexec.args="EXPORT/saved_model photo.jpg"</pre>
 *
 * The keys are those of the export's signature {@code serving_default}; the Export page and export.json print them:
 *
 * <pre>
 * inputs['image']           DT_UINT8   (-1, side, side, 3)   RGB, 0..255
 * outputs['probabilities']  DT_FLOAT   (-1, classes)
 * outputs['answer']         DT_INT32   (-1)                  -1 is "I don't know"
 * outputs['class_names']    DT_STRING  (-1, classes)
 * </pre>
 *
 * This example is written from the API's documentation and is not run by Thaw's tests, which have no TensorFlow for
 * Java; {@link PhotoReader}, which reads the photo by the export's rule, is. Probabilities of large photos differ in the
 * last digits from the dashboard's. Where they must not differ, ask the service (clients/java/ThawClient.java).
 */
public final class SavedModelExample {
    private static final String SIGNATURE = "serving_default";
    private static final String IMAGE = "image";
    /** The export's own is in its export.json, as grey_range; it matters for greys of more than 8 bits alone. */
    private static final int GREY_RANGE = 65535;

    private SavedModelExample() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 2) {
            System.err.println("Usage: SavedModelExample EXPORT/saved_model photo.jpg");
            System.exit(2);
        }
        try (SavedModelBundle model = SavedModelBundle.load(arguments[0], "serve")) {
            int side = (int) model.function(SIGNATURE).signature().getInputs().get(IMAGE).shape.asArray()[1];
            byte[] pixels = PhotoReader.readPixels(new File(arguments[1]), side, GREY_RANGE);
            try (Tensor image = TUint8.tensorOf(Shape.of(1, side, side, 3), DataBuffers.of(pixels));
                    Result result = model.function(SIGNATURE).call(Map.of(IMAGE, image))) {
                TFloat32 probabilities = (TFloat32) result.get("probabilities").orElseThrow();
                TInt32 answer = (TInt32) result.get("answer").orElseThrow();
                TString names = (TString) result.get("class_names").orElseThrow();
                int choice = answer.getInt(0);
                if (choice < 0) {
                    System.out.println("I don't know");
                } else {
                    System.out.printf(
                            Locale.ROOT, "%s %.4f%n", names.getObject(0, choice), probabilities.getFloat(0, choice));
                }
            }
        }
    }
}
