"""The service's page for people: plain HTML without scripts, in which every name is shown as text."""

from html import escape

from thaw.serving.engine import Engine

# Nothing is fetched from anywhere, and the form can only be sent to this service.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .25rem; }
input, button { font: inherit; max-width: 100%; margin: .25rem 0; }
li { overflow-wrap: anywhere; }
"""


def write_page(name: str, engine: Engine, address: str) -> str:
    """Return the page as HTML; `address` is how the service was reached."""
    unsure = (
        f"<p>Below a probability of {engine.threshold:.0%} it says “I don't know” (<code>label</code> is null).</p>"
        if engine.threshold
        else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Thaw: {escape(name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(name)}</h1>
<p>A picture goes in, its class and how sure the model is come out. This is the result of
<code>{escape(engine.run)}</code>; it sees pictures at {engine.image_size} x {engine.image_size} pixels.</p>
{unsure}
<h2>Try it</h2>
<form action="/predict" method="post" enctype="multipart/form-data">
<p><label for="file">Pictures</label><br>
<input id="file" type="file" name="file" accept="image/*" multiple required></p>
<p><button type="submit">Classify</button></p>
</form>
<h2>From a program</h2>
<pre>curl --data-binary @photo.jpg -H "content-type: image/jpeg" \\
  {escape(address)}predict</pre>
<p>Also in the shape of TensorFlow Serving: <code>POST /v1/models/{escape(name)}:predict</code>.
<a href="/openapi.json">All routes</a>, <a href="/health">health</a>, <a href="/metrics">metrics</a>.</p>
<h2>{len(engine.labels)} classes</h2>
<ul>
{"".join(f"<li>{escape(label)}</li>" for label in engine.labels)}
</ul>
</main>
</body>
</html>
"""
