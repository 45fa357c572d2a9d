// Server: asks Thaw how all stands, and tells it what the person wants done.

class Server {
  constructor(data) {
    this.data = data;
  }

  state(asked) {
    return this.post(this.data.state, asked);
  }

  act(what, asked = {}) {
    return this.post(this.data.act, { do: what, ...asked });
  }

  async post(url, body) {
    let answer;
    try {
      const headers = { "x-thaw-token": this.data.token, "content-type": "application/json" };
      answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    } catch {
      throw new Refused("Thaw does not answer. Check that it still runs, then reload the page.");
    }
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(told.error ?? "Thaw could not do this. Reload the page.", answer.status);
    return told;
  }
}
