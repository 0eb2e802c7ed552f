/** Who sits at the machine on which the server runs, and can start it with other options. */

/** Whether the page came from this machine itself, by a loopback address. */
export function isOperator(host = location.hostname) {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);
}
