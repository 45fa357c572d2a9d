// Says what is on a picture, with one .tflite file that Thaw exported and without a network.
//
// Put model.tflite into app/src/main/assets and the runtime into build.gradle.kts:
//     implementation("com.google.ai.edge.litert:litert:1.4.0")
// Then, away from the main thread:
//     val classifier = Classifier(context.assets.open("model.tflite").readBytes())
//     val (label, share) = classifier.classify(bitmap)      // label is null where the model does not know
//     classifier.close()

package thaw

import android.graphics.Bitmap
import java.io.ByteArrayInputStream
import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.ZipInputStream
import org.tensorflow.lite.Interpreter

class Classifier(model: ByteArray, threads: Int = 4) : Closeable {
    data class Answer(val label: String?, val share: Float)

    private val network = Interpreter(direct(model), Interpreter.Options().setNumThreads(threads))
    private val side = network.getInputTensor(0).shape()[1]

    /** The names of the classes, which lie in a zip behind the network, in the order of the probabilities. */
    val labels: List<String> = readLabels(model)

    /** Tells what is on an upright picture; share is its probability, 0 to 1. */
    fun classify(picture: Bitmap): Answer {
        val probabilities = Array(1) { FloatArray(labels.size) }
        val answer = IntArray(1)
        val outputs = mapOf("probabilities" to probabilities, "answer" to answer)
        network.runSignature(mapOf("image" to see(picture)), outputs, "serving_default")
        return Answer(labels.getOrNull(answer[0]), probabilities[0].fold(0f, ::maxOf))
    }

    override fun close() = network.close()

    /** The pixels as the model wants them: RGB, 0 to 255, stretched to the square. Scaling is inside the model. */
    private fun see(picture: Bitmap): ByteBuffer {
        val small = shrink(picture)
        val colours = IntArray(side * side)
        small.getPixels(colours, 0, side, 0, 0, side, side)
        val pixels = ByteBuffer.allocateDirect(3 * side * side).order(ByteOrder.nativeOrder())
        for (colour in colours) {
            pixels.put((colour shr 16).toByte()).put((colour shr 8).toByte()).put(colour.toByte())
        }
        pixels.rewind()
        return pixels
    }

    /** Android averages four pixels at most, so that a large picture is halved until a last step is left. */
    private fun shrink(picture: Bitmap): Bitmap {
        var small = picture
        while (minOf(small.width, small.height) >= 2 * side) {
            small = Bitmap.createScaledBitmap(small, small.width / 2, small.height / 2, true)
        }
        return Bitmap.createScaledBitmap(small, side, side, true)
    }

    private companion object {
        fun direct(content: ByteArray): ByteBuffer =
            ByteBuffer.allocateDirect(content.size).order(ByteOrder.nativeOrder()).put(content).also { it.rewind() }

        /** A zip is found from its end: its last record says how long its directory is, which says where it begins. */
        fun readLabels(model: ByteArray): List<String> {
            val bytes = ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN)
            val end = (model.size - 22 downTo 0).first { bytes.getInt(it) == 0x06054b50 }
            val directory = end - bytes.getInt(end + 12)
            val start = bytes.getInt(directory + 42)
            ZipInputStream(ByteArrayInputStream(model, start, model.size - start)).use { zip ->
                generateSequence { zip.nextEntry }.first { it.name == "labels.txt" }
                return String(zip.readBytes()).lines().filter { it.isNotEmpty() }
            }
        }
    }
}
