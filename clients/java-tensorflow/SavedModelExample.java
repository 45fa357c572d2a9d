import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
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
 * Java. It reads the photo with Java's own means, which shrink it a little differently and do not turn it upright by
 * its EXIF mark, so that probabilities differ in the last digits from the dashboard's. Where they must not differ, ask
 * the service (clients/java/ThawClient.java).
 */
public final class SavedModelExample {
    private static final String SIGNATURE = "serving_default";
    private static final String IMAGE = "image";

    private SavedModelExample() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 2) {
            System.err.println("Usage: SavedModelExample EXPORT/saved_model photo.jpg");
            System.exit(2);
        }
        try (SavedModelBundle model = SavedModelBundle.load(arguments[0], "serve")) {
            int side = (int) model.function(SIGNATURE).signature().getInputs().get(IMAGE).shape.asArray()[1];
            byte[] pixels = readPixels(new File(arguments[1]), side);
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

    /** Returns a photo's pixels as the model wants them: side x side, row after row, red, green and blue. */
    private static byte[] readPixels(File file, int side) throws IOException {
        BufferedImage photo = ImageIO.read(file);
        if (photo == null) {
            throw new IOException("Expected a JPEG or PNG. Received: " + file + ", which Java cannot read.");
        }
        BufferedImage square = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        Graphics2D canvas = square.createGraphics();
        canvas.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        canvas.drawImage(photo.getScaledInstance(side, side, BufferedImage.SCALE_AREA_AVERAGING), 0, 0, null);
        canvas.dispose();
        byte[] pixels = new byte[side * side * 3];
        int at = 0;
        for (int row = 0; row < side; row++) {
            for (int column = 0; column < side; column++) {
                int colour = square.getRGB(column, row);
                pixels[at++] = (byte) (colour >> 16);
                pixels[at++] = (byte) (colour >> 8);
                pixels[at++] = (byte) colour;
            }
        }
        return pixels;
    }
}
