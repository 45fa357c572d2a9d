// Requests: a refusal of the server in its own words, and a pause between two tries.

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
