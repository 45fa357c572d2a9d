import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import javax.imageio.ImageIO;

/**
 * Reads a photo by the rule in an export's README.txt, with Java's own means: first frame, upright, greys of 16 bits by
 * their range, transparency laid on white (on grey where what is visible is white), antialiased bilinear resizing.
 *
 * <p>It reads what Java reads: JPEG (not CMYK), PNG, GIF, BMP, TIFF. It leaves out the dashboard's step by way of 640
 * pixels, so that a value of a large photo may be some steps off.
 */
public final class PhotoReader {
    private static final int WHITE = 255;
    private static final int MIDDLE_GREY = 128;
    private static final int WHITE_FROM = 245;
    private static final double VANISHING_SHARE = 0.9;
    private static final int ORIENTATION = 0x0112;

    private PhotoReader() {}

    /** Returns a photo's pixels as the model wants them: side x side, row after row, red, green and blue. */
    public static byte[] readPixels(File file, int side, int greyRange) throws IOException {
        BufferedImage photo = ImageIO.read(file);
        if (photo == null) {
            throw new IOException("Expected a picture that Java reads. Received: " + file + ". Save it as JPEG or PNG.");
        }
        int width = photo.getWidth();
        int height = photo.getHeight();
        float[][] colours = lay(readSamples(photo, greyRange));
        int orientation = findOrientation(Files.readAllBytes(file.toPath()));
        if (orientation > 1) {
            colours = turn(colours, width, height, orientation);
        }
        if (orientation > 4) {
            int swapped = width;
            width = height;
            height = swapped;
        }
        byte[] pixels = new byte[side * side * 3];
        for (int channel = 0; channel < 3; channel++) {
            float[] square = resize(colours[channel], width, height, side, side);
            for (int at = 0; at < square.length; at++) {
                pixels[3 * at + channel] = (byte) Math.max(0, Math.min(255, Math.round(square[at])));
            }
        }
        return pixels;
    }

    /** Returns red, green, blue and alpha, 0 to 255. Greys are read as they are: Java would brighten them. */
    private static float[][] readSamples(BufferedImage photo, int greyRange) {
        int width = photo.getWidth();
        int height = photo.getHeight();
        float[][] samples = new float[4][width * height];
        Raster raster = photo.getRaster();
        boolean grey = raster.getNumBands() <= 2 && !(photo.getColorModel() instanceof IndexColorModel);
        int bits = photo.getSampleModel().getSampleSize(0);
        float largest = bits == 16 ? greyRange : (1 << bits) - 1;
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++, at++) {
                if (grey) {
                    float value = Math.min(255, raster.getSample(x, y, 0) * 255 / largest);
                    samples[0][at] = samples[1][at] = samples[2][at] = value;
                    samples[3][at] = raster.getNumBands() == 2 ? raster.getSample(x, y, 1) >> (bits - 8) : 255;
                } else {
                    int colour = photo.getRGB(x, y);
                    samples[0][at] = colour >> 16 & 255;
                    samples[1][at] = colour >> 8 & 255;
                    samples[2][at] = colour & 255;
                    samples[3][at] = colour >>> 24;
                }
            }
        }
        return samples;
    }

    /** Lays what is transparent on a ground; alpha that is the same everywhere means nothing. */
    private static float[][] lay(float[][] samples) {
        float[] alpha = samples[3];
        double seen = 0;
        double seenWhite = 0;
        boolean even = true;
        for (int at = 0; at < alpha.length; at++) {
            even &= alpha[at] == alpha[0];
            seen += alpha[at];
            if (Math.min(samples[0][at], Math.min(samples[1][at], samples[2][at])) >= WHITE_FROM) {
                seenWhite += alpha[at];
            }
        }
        if (!even) {
            int ground = seenWhite >= VANISHING_SHARE * seen ? MIDDLE_GREY : WHITE;
            for (int channel = 0; channel < 3; channel++) {
                for (int at = 0; at < alpha.length; at++) {
                    samples[channel][at] = ground + (samples[channel][at] - ground) * alpha[at] / 255;
                }
            }
        }
        return new float[][] {samples[0], samples[1], samples[2]};
    }

    /** Turns a picture upright: orientations 2 to 8 of EXIF. */
    private static float[][] turn(float[][] colours, int width, int height, int orientation) {
        boolean swapped = orientation > 4;
        int newWidth = swapped ? height : width;
        int newHeight = swapped ? width : height;
        float[][] turned = new float[3][width * height];
        for (int y = 0; y < newHeight; y++) {
            for (int x = 0; x < newWidth; x++) {
                int across = swapped ? y : x;
                int down = swapped ? x : y;
                if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
                    across = width - 1 - across;
                }
                if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
                    down = height - 1 - down;
                }
                for (int channel = 0; channel < 3; channel++) {
                    turned[channel][y * newWidth + x] = colours[channel][down * width + across];
                }
            }
        }
        return turned;
    }

    /** Returns the orientation that a JPEG's EXIF tells, 1 where it tells none. */
    private static int findOrientation(byte[] file) {
        ByteBuffer bytes = ByteBuffer.wrap(file);
        int place = 2;
        while (place + 10 < file.length && bytes.getShort(0) == (short) 0xFFD8 && file[place] == (byte) 0xFF) {
            int length = bytes.getShort(place + 2) & 0xFFFF;
            if (file[place + 1] == (byte) 0xE1 && bytes.getInt(place + 4) == 0x45786966) {
                return readOrientation(bytes, place + 10);
            }
            place += 2 + length;
        }
        return 1;
    }

    private static int readOrientation(ByteBuffer bytes, int start) {
        try {
            bytes.order(bytes.getShort(start) == 0x4949 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
            int entries = start + bytes.getInt(start + 4);
            for (int number = 0; number < (bytes.getShort(entries) & 0xFFFF); number++) {
                int entry = entries + 2 + 12 * number;
                if ((bytes.getShort(entry) & 0xFFFF) == ORIENTATION) {
                    int told = bytes.getShort(entry + 8);
                    return told >= 1 && told <= 8 ? told : 1;
                }
            }
        } catch (IndexOutOfBoundsException spoilt) {
            // Spoilt camera data is common and says nothing against the pixels.
        }
        return 1;
    }

    /** Resizes as Pillow's BILINEAR does: each new pixel is an average, weighed by a triangle as wide as it covers. */
    private static float[] resize(float[] values, int width, int height, int newWidth, int newHeight) {
        float[] narrow = new float[newWidth * height];
        average(values, narrow, width, newWidth, height, 1, width, 1, newWidth);
        float[] square = new float[newWidth * newHeight];
        average(narrow, square, height, newHeight, newWidth, newWidth, 1, newWidth, 1);
        return square;
    }

    private static void average(
            float[] from, float[] to, int size, int newSize, int lines, int step, int line, int newStep, int newLine) {
        double scale = (double) size / newSize;
        double reach = Math.max(1, scale);
        for (int place = 0; place < newSize; place++) {
            double centre = (place + 0.5) * scale;
            int first = Math.max(0, (int) (centre - reach + 0.5));
            int last = Math.min(size, (int) (centre + reach + 0.5));
            for (int number = 0; number < lines; number++) {
                double sum = 0;
                double weights = 0;
                for (int at = first; at < last; at++) {
                    double weight = Math.max(0, 1 - Math.abs(at + 0.5 - centre) / reach);
                    sum += weight * from[number * line + at * step];
                    weights += weight;
                }
                to[number * newLine + place * newStep] = (float) (sum / weights);
            }
        }
    }
}
